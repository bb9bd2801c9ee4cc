package xdsbench

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
)

//go:embed envoy.yaml.tmpl
var envoyTemplate string

// realEnvoy is an Envoy that takes its configuration from the server under
// measurement, without TLS.
type realEnvoy struct {
	process *envoyproc.Process
	dir     string
}

// startEnvoy returns when Envoy is ready: it has got its whole configuration.
func startEnvoy(ctx context.Context, binary, ads string, log io.Writer) (*realEnvoy, error) {
	dir, err := os.MkdirTemp("", "weir-xds-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for envoy: %w", err)
	}
	host, port, err := net.SplitHostPort(ads)
	if err != nil {
		return nil, fmt.Errorf("address of the server: %w", err)
	}
	bootstrap := strings.NewReplacer("HOST", host, "PORT", port, "SOCKET", dir+"/none.sock").Replace(envoyTemplate)
	return launch(ctx, envoyproc.Config{Binary: binary, Dir: dir, Bootstrap: []byte(bootstrap), LogLevel: "error", Log: log})
}

// launch gives an Envoy as long to be ready as simulated clients have.
func launch(ctx context.Context, c envoyproc.Config) (*realEnvoy, error) {
	e := &realEnvoy{dir: c.Dir}
	err := within(ctx, syncLimit, func(ctx context.Context) (err error) {
		if e.process, err = envoyproc.Launch(ctx, c); err != nil {
			return err
		}
		return e.process.AwaitReady(ctx)
	})
	if err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *realEnvoy) stop() {
	if e.process != nil {
		e.process.Stop()
	}
	_ = os.RemoveAll(e.dir) // a leftover directory under the system's temporary one is not worth failing for
}

// envoyMemory is what an Envoy needs for the configuration, in bytes.
type envoyMemory struct {
	resident  int64
	allocated int64 // as its allocator counts: /memory of the admin interface
}

func (e *realEnvoy) memory(ctx context.Context) (envoyMemory, error) {
	var m envoyMemory
	var err error
	if m.resident, err = e.process.RSS(); err != nil {
		return m, err
	}
	body, err := e.process.Admin(ctx, "/memory")
	if err != nil {
		return m, err
	}
	var report struct {
		Allocated int64 `json:"allocated,string"` // as protobuf's JSON writes 64 bits
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return m, fmt.Errorf("read envoy's memory: %w", err)
	}
	m.allocated = report.Allocated
	return m, nil
}

// settled returns when Envoy's stream has been sent so many resources and has
// answered for all.
func (c *child) settled(ctx context.Context, node string, resources int) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		result, err := c.order(order{})
		if err != nil {
			return err
		}
		last := streamReport{}
		for _, s := range result.Streams {
			if s.Node == node && s.Sent >= resources && s.Waiting == 0 {
				return nil
			}
			if s.Node == node {
				last = s
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("envoy has %d of %d resources, %d answers to give, %d refusals (%s): %w",
				last.Sent, resources, last.Waiting, last.Refusals, last.Message, ctx.Err())
		case <-ticker.C:
		}
	}
}
