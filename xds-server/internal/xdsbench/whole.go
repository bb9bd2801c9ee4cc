package xdsbench

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/credentials"

	"github.com/weirmesh/weir/xds-server/internal/xdsproc"
)

// startWhole starts the built xds-server with the files of a mesh.
func startWhole(ctx context.Context, o Options) (*xdsproc.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the path of this program: %w", err)
	}
	programs := []string{program}
	if o.Envoy != "" {
		programs = append(programs, o.Envoy)
	}
	return xdsproc.Start(ctx, xdsproc.Config{
		Binary: o.XDSServer, Module: o.Module, Documents: mesh{o.Models}.documents(),
		Envoy: envoyID, Server: serverID, Programs: programs, Log: o.Log,
	})
}

// wholeCredentials are those of an Envoy of the mesh, for all simulated clients.
// The source is to be closed.
func wholeCredentials(ctx context.Context, p *xdsproc.Process) (credentials.TransportCredentials, *workloadapi.X509Source, error) {
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+p.Socket())))
	if err != nil {
		return nil, nil, fmt.Errorf("get an SVID: %w", err)
	}
	return credentials.NewTLS(tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(serverID))), source, nil
}

// wholeEnvoy starts a real Envoy as `weir up` does.
func wholeEnvoy(ctx context.Context, p *xdsproc.Process, binary string) (*realEnvoy, error) {
	dir, err := os.MkdirTemp("", "weir-xds-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for envoy: %w", err)
	}
	config, err := p.Bootstrap(binary, dir)
	if err != nil {
		return nil, err
	}
	return launch(ctx, config)
}

// traced is the trace of a change, as /status shows it.
type traced struct {
	Revision uint64    `json:"revision"`
	Accepted time.Time `json:"accepted"`
	Nodes    []struct {
		Node      string    `json:"node"`
		Converged time.Time `json:"converged"`
	} `json:"nodes"`
}

// traces are those of the last changes.
func traces(ctx context.Context, p *xdsproc.Process) ([]traced, error) {
	body, err := p.Admin(ctx, "/status")
	if err != nil {
		return nil, err
	}
	var status struct {
		Changes []traced `json:"changes"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, fmt.Errorf("read /status: %w", err)
	}
	return status.Changes, nil
}

// arrivals are the times from the acceptance of each change to the moment at
// which so many nodes had it. A node has a change when it has all of that
// revision or of a later one: a stream that is behind goes straight to the
// newest. late counts the changes that did not get there.
func arrivals(all map[uint64]traced, nodes int) (took []time.Duration, late int) {
	first := map[string]time.Time{} // when a node first had the revision at hand, or a later one
	for _, revision := range slices.Backward(slices.Sorted(maps.Keys(all))) {
		t := all[revision]
		for _, n := range t.Nodes {
			if at, known := first[n.Node]; !n.Converged.IsZero() && (!known || n.Converged.Before(at)) {
				first[n.Node] = n.Converged
			}
		}
		if len(first) < nodes {
			late++
			continue
		}
		took = append(took, slices.MaxFunc(slices.Collect(maps.Values(first)), time.Time.Compare).Sub(t.Accepted))
	}
	return took, late
}
