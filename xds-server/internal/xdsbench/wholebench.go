package xdsbench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/xdsproc"
)

// intoWhole measures the built xds-server. Its own trace of each change says how
// long it took from the catalog to the last ACK, the real Envoy's among them; the
// clients say how long from the change of a file to the last ACK of theirs.
func (o Options) intoWhole(ctx context.Context, f *figures) error {
	w, err := startWhole(ctx, o)
	if err != nil {
		return err
	}
	defer w.Stop()
	if f.start, err = memoryOf(w.PID()); err != nil {
		return err
	}
	creds, source, err := wholeCredentials(ctx, w)
	if err != nil {
		return err
	}
	defer source.Close()
	p, d := newProgress(), newDirectory()
	began := time.Now()
	fleet, err := openFleet(ctx, w.XDS().String(), creds, d, f.clients, func(client int, k kind, updated []int, at time.Time) {
		if p.idle() {
			return
		}
		for _, n := range updated {
			p.answered(uint64(client), lead{k, d.name(k, n)}, false, at)
		}
	})
	if err != nil {
		return err
	}
	defer fleet.close()
	want := mesh{o.Models}.counts()
	for _, n := range want {
		f.resources += n
	}
	if err := within(ctx, syncLimit, func(ctx context.Context) error { return fleet.await(ctx, want) }); err != nil {
		return fmt.Errorf("not in sync after %s: %w", syncLimit, err)
	}
	f.synced, f.bytes = time.Since(began), fleet.traffic().bytes/int64(f.clients)
	b := &wholeBench{mesh: mesh{o.Models}, whole: w, fleet: fleet, progress: p, figures: f, nodes: f.clients, began: time.Now()}
	if f.envoy {
		b.nodes++
		envoy, err := wholeEnvoy(ctx, w, o.Envoy)
		if err != nil {
			return err
		}
		defer envoy.stop()
		if f.envoyHas, err = envoy.memory(ctx); err != nil {
			return err
		}
	}
	for _, load := range []wholeLoad{
		{"weight step, idle", 1, 0, o.Changes / 4},
		{"weight step, 20 a second", 2, churnEvery, o.Changes},
	} {
		if err := b.load(ctx, load); err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
	}
	f.steady, err = memoryOf(w.PID())
	return err
}

// wholeLoad is changes of files, so many, one every so often; every 0: each when
// the one before is everywhere.
type wholeLoad struct {
	name  string
	step  int
	every time.Duration
	count int
}

type wholeBench struct {
	mesh     mesh
	whole    *xdsproc.Process
	fleet    *fleet
	progress *progress
	figures  *figures
	nodes    int       // that a change must reach
	began    time.Time // changes from before are not ours

	mu     sync.Mutex
	traces map[uint64]traced // of the load, by revision
}

// load makes the changes and adds two phases: as the clients saw them, and as
// the server traced them.
func (b *wholeBench) load(ctx context.Context, l wholeLoad) error {
	b.traces, b.began = map[uint64]traced{}, time.Now()
	before := b.fleet.traffic()
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { b.watch(watching) })
	r := &run{subject: b, progress: b.progress, models: even(b.mesh.models)}
	result := r.changes(ctx, order{What: changeWeight, Step: l.step, Count: l.count, Every: l.every, Clients: b.figures.clients, Limit: changeLimit, Budget: phaseBudget})
	stop()
	wg.Wait()
	traced := b.arrived(ctx)
	if result.Error != "" {
		return fmt.Errorf("change a file: %s", result.Error)
	}
	t := b.fleet.traffic().since(before)
	b.figures.phases = append(b.figures.phases, newPhase(l.name+", from the file on", result, t, b.figures.clients))
	if len(b.traces) > 0 {
		b.figures.phases = append(b.figures.phases, newPhase(l.name+", from the catalog on", traced, traffic{}, b.figures.clients))
	}
	return nil
}

// arrived has a last look, and further ones while a change is still under way.
func (b *wholeBench) arrived(ctx context.Context) (o outcome) {
	for end := time.Now().Add(changeLimit); ; pause(ctx, 50*time.Millisecond) {
		b.look(ctx)
		if o.Took, o.Late = arrivals(b.traces, b.nodes); o.Late == 0 || ctx.Err() != nil || time.Now().After(end) {
			return o
		}
	}
}

// watch collects traces while there are changes: the server keeps the last few.
func (b *wholeBench) watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second) // the server keeps 32 changes, and being asked costs it time
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			b.look(ctx)
		}
	}
}

func (b *wholeBench) look(ctx context.Context) {
	traces, err := traces(ctx, b.whole)
	if err != nil {
		return // the last look of a load counts, and fails the phase by having nothing
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range traces {
		if t.Accepted.After(b.began) {
			b.traces[t.Revision] = t
		}
	}
}

// change is a changed file.
func (b *wholeBench) change(_ string, model, step int) error {
	return b.whole.Write(b.mesh.model(model, step))
}
