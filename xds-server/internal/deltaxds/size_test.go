package deltaxds

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// largeMesh has models of two versions each.
func largeMesh(models int) mesh {
	m := mesh{models: map[string][]string{}, ports: map[string]int{}, timeouts: map[string]int{}}
	for i := range models {
		m.models[fmt.Sprintf("model-%05d", i)] = []string{"v1", "v2"}
	}
	return m
}

// catchUp plays an Envoy that accepts everything, until the stream has nothing to
// say. It returns how many resources were sent.
func catchUp(t testing.TB, s *stream, now time.Time) (resources int) {
	t.Helper()
	take := func(req *discoveryv3.DeltaDiscoveryRequest) {
		if _, err := s.request(req, now); err != nil {
			t.Fatal(err)
		}
	}
	for resp := s.next(now); resp != nil; resp = s.next(now) {
		resources += len(resp.GetResources())
		names := make([]string, 0, len(resp.GetResources()))
		for _, r := range resp.GetResources() {
			names = append(names, r.GetName())
		}
		switch resp.GetTypeUrl() { // as a cluster and a scope have Envoy ask
		case snapshot.ClusterType:
			take(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.EndpointType, ResourceNamesSubscribe: unknown(s, snapshot.EndpointType, names)})
		case snapshot.ScopedRouteType:
			take(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResourceNamesSubscribe: unknown(s, snapshot.RouteType, names)})
		}
		take(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: resp.GetTypeUrl(), ResponseNonce: resp.GetNonce()})
	}
	return resources
}

// unknown are the names that the client does not yet subscribe to.
func unknown(s *stream, typeURL string, names []string) []string {
	sub, ok := s.types[typeURL]
	if !ok {
		return names
	}
	var fresh []string
	for _, name := range names {
		if !sub.get(name).named {
			fresh = append(fresh, name)
		}
	}
	return fresh
}

// open starts a stream as Envoy does, with what it kept of an earlier one.
func open(t testing.TB, snap *snapshot.Snapshot, kept *snapshot.Snapshot) *stream {
	t.Helper()
	s := newStream(snap, options{drain: DefaultDrain})
	for _, url := range []string{snapshot.ClusterType, snapshot.EndpointType, snapshot.ListenerType, snapshot.ScopedRouteType, snapshot.RouteType, snapshot.ExtensionType} {
		req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, InitialResourceVersions: map[string]string{}}
		for r := range kept.All(url) {
			// An Envoy's strings are its own, not the server's.
			req.InitialResourceVersions[r.Name+""] = string([]byte(r.Version))
		}
		switch url {
		case snapshot.EndpointType, snapshot.RouteType:
			if req.ResourceNamesSubscribe = kept.Names(url); kept.Len(url) == 0 {
				continue
			}
		case snapshot.ExtensionType:
			req.ResourceNamesSubscribe = []string{filterName}
		}
		if _, err := s.request(req, testTime); err != nil {
			t.Fatal(err)
		}
	}
	catchUp(t, s, testTime)
	if r := s.report(); !r.InSync {
		t.Fatalf("the client is not in sync: %+v", r)
	}
	return s
}

// weightStep changes one route of a snapshot.
func weightStep(t testing.TB, snap *snapshot.Snapshot, name string, weight uint32) *snapshot.Snapshot {
	t.Helper()
	next, err := snap.With([]*snapshot.Resource{testRoute(t, name, []string{"v1", "v2"}, weight)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// heap is the memory in use, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// perStream is how many bytes each of count streams holds, after what happens
// to them. The snapshot is shared and does not count.
func perStream(t testing.TB, snap *snapshot.Snapshot, kept *snapshot.Snapshot, count, steps int) float64 {
	t.Helper()
	streams := make([]*stream, count)
	before := heap()
	for i := range streams {
		streams[i] = open(t, snap, kept)
	}
	now := testTime
	for step := range steps {
		next := weightStep(t, snap, fmt.Sprintf("model-%05d", step), uint32(step+2))
		changes := snapshot.Diff(snap, next)
		for _, s := range streams {
			s.publish(next, snap, changes)
			if sent := catchUp(t, s, now); sent != 1 {
				t.Fatalf("a weight step sent %d resources, want 1", sent)
			}
		}
		snap = next
	}
	grown := float64(heap()) - float64(before)
	runtime.KeepAlive(streams)
	return grown / float64(count)
}

// TestStreamIsSmall holds a stream in the steady state to a size that does not
// depend on how many resources its client has.
func TestStreamIsSmall(t *testing.T) {
	const limit = 48 << 10
	snap := largeMesh(1500).snapshot(t)
	for name, kept := range map[string]*snapshot.Snapshot{"fresh": nil, "reconnected": snap} {
		for _, steps := range []int{0, 300} {
			if got := perStream(t, snap, kept, 10, steps); got > limit {
				t.Errorf("%s client after %d weight steps: %.0f bytes a stream, want at most %d", name, steps, got, limit)
			}
		}
	}
}

// BenchmarkStreamSize measures a stream whose client has 10,000 models, about
// 60,000 resources, in bytes.
func BenchmarkStreamSize(b *testing.B) {
	snap := largeMesh(10_000).snapshot(b)
	for b.Loop() {
		b.ReportMetric(perStream(b, snap, nil, 5, 0), "B/stream")
		b.ReportMetric(perStream(b, snap, snap, 5, 200), "B/stream-after-200-changes")
	}
}

// BenchmarkWeightStep measures what one changed route costs a stream whose
// client has 10,000 models, from the publication to the ACK.
func BenchmarkWeightStep(b *testing.B) {
	snap := largeMesh(10_000).snapshot(b)
	s := open(b, snap, snap)
	hops := make([]*snapshot.Snapshot, 1000)
	for i := range hops {
		hops[i] = weightStep(b, snap, fmt.Sprintf("model-%05d", i), 2)
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		s.publish(hops[i%len(hops)], nil, nil) // as when several came at once: the stream compares by itself
		catchUp(b, s, testTime)
	}
}

// TestAMillionRequests feeds streams random requests, many of them absurd: there
// is no panic, and never more than one response of a type without its answer.
func TestAMillionRequests(t *testing.T) {
	count := 1_000_000
	if testing.Short() {
		count /= 20
	}
	r := newRequests(3)
	snaps := make([]*snapshot.Snapshot, 8)
	for i := range snaps {
		snaps[i] = randomMesh(r.rand).snapshot(t)
	}
	var s *stream
	now := testTime
	for i := range count {
		if i%500 == 0 {
			o := options{drain: time.Duration(r.rand.IntN(2)) * time.Second, warm: r.rand.IntN(2) == 0}
			if s != nil {
				o.parked = s.refused()
			}
			s = newStream(snaps[r.rand.IntN(len(snaps))], o)
		}
		req := r.next(s)
		if _, err := s.request(req, now); err != nil {
			t.Fatalf("request %d, within all bounds, was refused: %v", i, err)
		}
		drainBounded(t, s)
		switch r.rand.IntN(20) {
		case 0:
			publishTo(s, snaps[r.rand.IntN(len(snaps))])
		case 1:
			now = now.Add(time.Second)
		case 2:
			_, question := s.question()
			s.gate.answer(question, "")
		}
	}
}
