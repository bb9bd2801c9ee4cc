package deltaxds

import (
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// TestFewBeginAtATime has as many clients as may begin at a time ask for all of
// a large mesh, and answer nothing. The next one gets nothing until their time is
// over, and then, though they never say a word, all that it asks for.
func TestFewBeginAtATime(t *testing.T) {
	c := newClock()
	b := startServer(t, inAnHour, onClock(c))
	snap := largeMesh(turnSize / 4).snapshot(t)
	if snap.Size() < turnSize {
		t.Fatalf("the mesh has %d resources, want %d", snap.Size(), turnSize)
	}
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: snap}})
	first := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType}
	for range turns {
		stream := b.open(t, envoyID.String())
		if err := stream.Send(first); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		c.await(t, readPatience)
	}
	next := b.open(t, envoyID.String())
	if err := next.Send(first); err != nil {
		t.Fatal(err)
	}
	answers := make(chan *discoveryv3.DeltaDiscoveryResponse, 1)
	go func() {
		defer close(answers)
		if resp, err := next.Recv(); err == nil {
			answers <- resp
		}
	}()
	for len(b.server.Status()) <= turns {
		b.server.Status() // until its stream is open
	}
	if held := len(b.server.turns); held != turns {
		t.Fatalf("%d turns are held, want %d", held, turns)
	}
	select {
	case resp := <-answers:
		t.Fatalf("%d resources before its turn", len(resp.GetResources()))
	default:
	}
	c.advance(readPatience)
	if resp := <-answers; len(resp.GetResources()) == 0 {
		t.Fatal("nothing in its turn")
	}
}

// TestTurnIsPassed has one client after the other catch up, more than may begin
// at a time, on a clock that stands still.
func TestTurnIsPassed(t *testing.T) {
	b := startServer(t, inAnHour, onClock(newClock()))
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: largeMesh(turnSize / 4).snapshot(t)}})
	for range 2*turns + 1 {
		p := b.play(t, "quick", nil)
		p.until(snapshot.ExtensionType)
		<-b.observer.converged
	}
}
