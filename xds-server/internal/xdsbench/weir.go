package xdsbench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// weir is this repository's control plane behind its catalog: translation,
// snapshots, and the delta server.
type weir struct {
	translator *translate.Translator
	catalog    *catalog.Catalog
	registry   *deltaxds.Registry
	server     *deltaxds.Server
	counts     [kinds]int
}

// build makes the catalog of a mesh.
func build(m mesh) (*catalog.Catalog, error) {
	built, problems := catalog.Build(source.Set{Documents: m.documents()})
	if len(problems) > 0 {
		return nil, fmt.Errorf("the mesh has %d problems, the first: %s", len(problems), problems[0])
	}
	return built, nil
}

func newWeir(m mesh, module string) (*weir, error) {
	built, err := build(m)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(module)
	if err != nil {
		return nil, fmt.Errorf("read the filter: %w", err)
	}
	w := &weir{
		translator: translate.NewTranslator(translate.Options{Module: content}),
		registry:   deltaxds.NewRegistry(time.Now),
	}
	w.server = deltaxds.NewServer(deltaxds.Config{
		Registry: w.registry, Peer: anyone, Observer: unobserved{}, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err := w.put(built); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *weir) put(next *catalog.Catalog) error {
	snapshots, err := w.translator.Translate(next)
	if err != nil {
		return err
	}
	entitlements := make(map[spiffeid.ID]deltaxds.Entitlement, len(snapshots))
	for id, s := range snapshots {
		entitlements[id] = deltaxds.Entitlement{Snapshot: s}
	}
	w.registry.Publish(entitlements)
	w.catalog = next
	for k, url := range typeURLs {
		w.counts[k] = snapshots[envoyID].Len(url)
	}
	return nil
}

func (w *weir) register(r grpc.ServiceRegistrar) { w.server.Register(r) }

func (w *weir) resources() [kinds]int { return w.counts }

// change is what a catalog with one other document is: one other model.
func (w *weir) change(what string, i, step int) error {
	at := slices.IndexFunc(w.catalog.Models, func(m *catalog.Model) bool { return m.Name == modelName(i) })
	if at < 0 {
		return fmt.Errorf("no model %d", i)
	}
	next, model := *w.catalog, *w.catalog.Models[at]
	if err := alter(&model, what, step); err != nil {
		return err
	}
	next.Models = slices.Clone(next.Models)
	next.Models[at] = &model
	return w.put(&next)
}

// alter changes a model that nobody else has.
func alter(model *catalog.Model, what string, step int) error {
	switch what {
	case changeWeight:
		if len(model.Versions) < 2 {
			return errors.New("a weight step needs two versions")
		}
		canary := weight(step)
		model.Route.Split = []catalog.Share{{Version: "v2", Weight: canary}, {Version: "v1", Weight: api.WholeWeight - canary}}
	case changeCluster:
		model.Versions = slices.Clone(model.Versions)
		model.Versions[0].ConnectTimeout = connectTimeout(step)
	}
	return nil
}

// connectTimeout is another after each step.
func connectTimeout(step int) time.Duration { return time.Duration(1001+step%500) * time.Millisecond }

// anyone lets every client in, as an Envoy of the mesh: all servers of the
// comparison are without TLS.
func anyone(context.Context) (deltaxds.Peer, error) {
	end := time.Now().Add(24 * time.Hour)
	return deltaxds.Peer{ID: envoyID, Expires: end, Renew: end, Address: "bench", Leave: func() {}}, nil
}

// unobserved is an observer that does not look.
type unobserved struct{}

func (unobserved) StreamOpened()                                                {}
func (unobserved) StreamClosed(string)                                          {}
func (unobserved) ResponseSent(string, int, int, int)                           {}
func (unobserved) Acked(string, time.Duration)                                  {}
func (unobserved) Nacked(string)                                                {}
func (unobserved) Suppressed(string, int)                                       {}
func (unobserved) Parked(spiffeid.ID, string, string, string, []string, string) {}
func (unobserved) Pushed(spiffeid.ID, string, string, time.Duration)            {}
func (unobserved) Converged(spiffeid.ID, string, string, time.Duration)         {}
