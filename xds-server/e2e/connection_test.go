package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// TestRefusalKeepsTheConnection refuses many requests over few connections.
// Envoy closes a connection that is answered before it has told the filter the
// end of the request; a client that is told to come back must not also have to
// connect anew. (Envoy itself closes after each 400, whoever answers it.)
func TestRefusalKeepsTheConnection(t *testing.T) {
	envoy, module := artefact.Envoy(t), artefact.Built(t, "filter.wasm")
	upstream, err := loadgen.Serve(loadgen.Answer(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := upstream.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := staticenvoy.Start(ctx, staticenvoy.Config{Binary: envoy, Dir: t.TempDir(), Upstream: upstream.Address(),
		Filter: staticenvoy.Wasm(module, string(policytest.Policy("semantic"))), Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"unknown model": {`{"model":"nobody"}`, 404},
		"too expensive": {`{"model":"gpt-4","max_tokens":1000000}`, 429},
		"served":        {`{"model":"gpt-4","max_tokens":1}`, 200},
	} {
		const connections = 4
		before, err := e.Counter(ctx, "http.gateway.downstream_cx_total")
		if err != nil {
			t.Fatal(err)
		}
		r, err := loadgen.Run(ctx, loadgen.Options{Address: e.Address(), Conns: connections, Total: 100,
			Bodies: [][]byte{loadgen.Request("/v1/chat/completions", []byte(c.body))}})
		if err != nil || !r.Only(c.status) {
			t.Fatalf("%s: %v, %v; want only %d", name, r, err, c.status)
		}
		after, err := e.Counter(ctx, "http.gateway.downstream_cx_total")
		if err != nil {
			t.Fatal(err)
		}
		if n := after - before; n > connections {
			t.Errorf("%s: 100 requests took %d connections, want %d", name, n, connections)
		}
	}
}
