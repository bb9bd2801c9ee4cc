package up

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

func (w *Weir) xdsServer() supervise.Program {
	o := w.options
	args := append(slices.Clone(o.SourceArgs),
		"--filter-module", o.Artefacts.Filter,
		"--xds-address", o.Ports.XDS.String(),
		"--admin-address", o.Ports.Admin.String(),
		"--state-dir", w.state.path(nameXDS),
	)
	if o.WorkloadSocket == "" {
		args = append(args, "--identity-entries", w.state.path("entries.yaml"), "--socket", w.state.socket)
	}
	return supervise.Program{
		Name: nameXDS, Path: o.Artefacts.XDSServer, Args: args,
		Ready: answers(base(o.Ports.Admin) + "/readyz"),
	}
}

func (w *Weir) sidecar() supervise.Program {
	o := w.options
	return supervise.Program{
		Name: nameSidecar, Path: o.Artefacts.Sidecar,
		Args: []string{
			"--models", o.Artefacts.Models,
			"--http", o.Ports.SidecarHTTP.String(),
			"--metrics", o.Ports.SidecarMetrics.String(),
			"--workload-api", "unix://" + w.state.socket,
			"--allow-peer", w.plan.Envoy.String(),
			"--onnxruntime-lib", o.Artefacts.ONNXRuntime,
			"--drain-timeout", "5s", // Envoy stops first, so nothing new comes
		},
		Ready: answers(base(o.Ports.SidecarMetrics) + "/v2/health/ready"),
	}
}

func (w *Weir) envoy() supervise.Program {
	o := w.options
	args := []string{
		"-c", w.state.path("bootstrap.yaml"),
		// One Envoy at a time, and several Weirs side by side: nothing to hand over.
		"--disable-hot-restart",
		"--log-level", o.EnvoyLog,
		"--log-format", "[%l] [%n] %v",
	}
	if o.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(o.Concurrency))
	}
	return supervise.Program{Name: nameEnvoy, Path: o.Artefacts.Envoy, Args: args, Ready: w.requestsFlow}
}

// entries is the file that registers the programs with the development CA: each
// gets its identity by the path of its binary and the user that runs it. The
// xds-server registers itself.
func (w *Weir) entries() []byte {
	uid := "unix:uid:" + strconv.Itoa(os.Geteuid())
	type entry struct {
		ID        string   `json:"id"`
		Selectors []string `json:"selectors"`
	}
	// JSON is YAML; nothing in it can fail to be encoded.
	doc, _ := json.MarshalIndent(map[string][]entry{"entries": {
		{w.plan.Sidecar.String(), []string{uid, "unix:path:" + w.options.Artefacts.Sidecar}},
		{w.plan.Envoy.String(), []string{uid, "unix:path:" + w.options.Artefacts.Envoy}},
	}}, "", "  ")
	return doc
}

// probeClient asks programs on this machine. It keeps no connection, so that a
// program can stop while nobody asks.
var probeClient = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// answers probes that a GET is answered with 200.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return fmt.Errorf("ask %s: %w", url, err)
		}
		resp, err := probeClient.Do(req)
		if err != nil {
			return fmt.Errorf("ask %s: %w", url, err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 512))
		if err != nil {
			return fmt.Errorf("ask %s: %w", url, err)
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("ask %s: %s: %s", url, resp.Status, body)
		}
		return nil
	}
}

// requestsFlow probes that Envoy has its configuration and that its filter
// answers on every listener.
func (w *Weir) requestsFlow(ctx context.Context) error {
	if err := answers(base(w.options.Ports.EnvoyAdmin) + "/ready")(ctx); err != nil {
		return err
	}
	for _, l := range w.plan.Listeners {
		if err := listenerAnswers(ctx, l); err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
	}
	return nil
}

// listenerAnswers asks the filter for its models; a listener with mTLS lets only
// its clients in, so there the connection has to do.
func listenerAnswers(ctx context.Context, l Listener) error {
	if !l.TLS {
		return answers(l.URL() + "/v1/models")(ctx)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.dialAddress())
	if err != nil {
		return err
	}
	return conn.Close()
}
