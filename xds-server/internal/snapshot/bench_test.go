package snapshot_test

import (
	"fmt"
	"runtime"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// large is a world of 50,000 resources: 8,333 models of two versions each.
func large(b testing.TB) (world, *snapshot.Snapshot) {
	b.Helper()
	w := world{}
	w.put(b, "f", &corev3.TypedExtensionConfig{Name: "f"})
	w.put(b, "l", listener(b, "l", scopedManager("f")))
	for i := 0; len(w) < 50_000; i++ {
		w.model(b, fmt.Sprint("model-", i), 2, 0)
	}
	return w, mustSnapshot(b, w)
}

// weightSteps changes the routes of one model back and forth.
func weightSteps(b testing.TB) [2][]*snapshot.Resource {
	b.Helper()
	var steps [2][]*snapshot.Resource
	for i := range steps {
		w := world{}
		w.model(b, "model-4711", 2, int64(i+1))
		steps[i] = []*snapshot.Resource{w[snapshot.Ref{TypeURL: snapshot.RouteType, Name: "model-4711"}]}
	}
	return steps
}

func BenchmarkWith(b *testing.B) {
	_, s := large(b)
	steps := weightSteps(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		next, err := s.With(steps[i%2], nil)
		if err != nil {
			b.Fatal(err)
		}
		s = next
	}
}

func BenchmarkDiff(b *testing.B) {
	_, s := large(b)
	next, err := s.With(weightSteps(b)[0], nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if d := snapshot.Diff(s, next); len(d) != 1 || len(d[0].Changed) != 1 {
			b.Fatal(d)
		}
	}
}

// BenchmarkDiffUnshared compares snapshots that were made apart.
func BenchmarkDiffUnshared(b *testing.B) {
	w, s := large(b)
	w.model(b, "model-4711", 2, 1)
	next := mustSnapshot(b, w)
	b.ReportAllocs()
	for b.Loop() {
		if d := snapshot.Diff(s, next); len(d) != 1 || len(d[0].Changed) != 1 {
			b.Fatal(d)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	_, s := large(b)
	b.ReportAllocs()
	for b.Loop() {
		if s.Get(snapshot.RouteType, "model-4711") == nil {
			b.Fatal("it is not there")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	w, _ := large(b)
	b.ReportAllocs()
	for b.Loop() {
		mustSnapshot(b, w)
	}
}

// BenchmarkRetained states what a hundred revisions that differ by a weight step
// take beside the first.
func BenchmarkRetained(b *testing.B) {
	_, s := large(b)
	steps := weightSteps(b)
	for b.Loop() {
		var kept []*snapshot.Snapshot
		before := heap()
		for i := range 100 {
			next, err := s.With(steps[i%2], nil)
			if err != nil {
				b.Fatal(err)
			}
			kept = append(kept, next)
		}
		b.ReportMetric(float64(heap()-before)/100, "B/revision")
		runtime.KeepAlive(kept)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCostOfTheChange: one change in 50,000 resources allocates what one change
// in a few does, within the depth of the trees.
func TestCostOfTheChange(t *testing.T) {
	_, s := large(t)
	steps := weightSteps(t)
	next, err := s.With(steps[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	with := testing.AllocsPerRun(10, func() {
		if _, err := next.With(steps[1], nil); err != nil {
			t.Fatal(err)
		}
	})
	diff := testing.AllocsPerRun(10, func() { snapshot.Diff(s, next) })
	if with > 150 || diff > 20 {
		t.Errorf("one change takes %v allocations, a diff %v", with, diff)
	}
}
