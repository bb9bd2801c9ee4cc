package staticenvoy_test

import (
	"context"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

func TestLoadThroughEnvoy(t *testing.T) {
	binary := artefact.Envoy(t)
	for name, filter := range map[string]staticenvoy.Filter{
		"alone": {},
		"lua":   staticenvoy.Lua(`function envoy_on_request(h) h:headers():add("x-lua", "yes") end`),
	} {
		t.Run(name, func(t *testing.T) {
			u, err := loadgen.Serve(loadgen.Answer(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			e, err := staticenvoy.Start(ctx, staticenvoy.Config{Binary: binary, Dir: t.TempDir(),
				Upstream: u.Address(), Filter: filter, CPUs: []int{0}, Log: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Stop()
			r, err := loadgen.Run(ctx, loadgen.Options{Address: e.Address(), Conns: 8, Total: 2000,
				Bodies: [][]byte{loadgen.Request("/v1/embeddings", []byte(`{"model":"m"}`))}})
			if err != nil || !r.Only(200) {
				t.Fatalf("want 2000 answers of 200, got %v, %v", r, err)
			}
			cpu, err := e.CPUTime()
			if err != nil || cpu <= 0 {
				t.Fatalf("cpu time %v, %v", cpu, err)
			}
			if rss, err := e.RSS(); err != nil || rss < 1<<20 {
				t.Fatalf("resident memory %d, %v", rss, err)
			}
			if n, err := e.Counter(ctx, "cluster.upstream.upstream_rq_completed"); err != nil || n != 2000 {
				t.Fatalf("upstream_rq_completed %d, %v", n, err)
			}
		})
	}
}

func TestStartSaysThatEnvoyEnded(t *testing.T) {
	_, err := staticenvoy.Start(context.Background(), staticenvoy.Config{Binary: artefact.Envoy(t), Dir: t.TempDir(),
		Upstream: "nowhere", Log: t.Output()})
	if err == nil {
		t.Fatal("an envoy with a bad upstream started")
	}
}
