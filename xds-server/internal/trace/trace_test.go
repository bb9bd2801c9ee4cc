package trace

import (
	"fmt"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

var (
	id    = spiffeid.RequireFromString("spiffe://weir.test/envoy")
	other = spiffeid.RequireFromString("spiffe://weir.test/other")
	start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// take puts a change on its way, published at a time.
func take(l *Log, revision uint64, version string, published int) {
	l.Accepted(revision, fmt.Sprint("change ", revision), at(published-3))
	l.Translated(revision, at(published-1))
	l.Published(revision, map[spiffeid.ID]string{id: version}, at(published))
}

func TestAChangeOnItsWay(t *testing.T) {
	l := New(4)
	a, b := Node{id, "a"}, Node{id, "b"}
	take(l, 1, "v1", 10)
	for _, step := range []struct {
		node  Node
		since time.Duration
		first bool
		event func() (time.Duration, bool)
	}{
		{a, ms(8), true, func() (time.Duration, bool) { return l.Pushed(a, "v1", ms(5), at(15)) }},
		{a, 0, false, func() (time.Duration, bool) { return l.Pushed(a, "v1", ms(6), at(16)) }},
		{b, ms(10), true, func() (time.Duration, bool) { return l.Pushed(b, "v1", ms(7), at(17)) }},
		{a, 0, false, func() (time.Duration, bool) { return l.Converged(a, "v0", ms(8), at(18)) }},
		{a, ms(12), true, func() (time.Duration, bool) { return l.Converged(a, "v1", ms(9), at(19)) }},
		{a, 0, false, func() (time.Duration, bool) { return l.Converged(a, "v1", ms(10), at(20)) }},
		{a, 0, false, func() (time.Duration, bool) { return l.Pushed(Node{other, "a"}, "v1", ms(11), at(21)) }},
	} {
		if since, first := step.event(); since != step.since || first != step.first {
			t.Errorf("%v: %v %v, want %v %v", step.node, since, first, step.since, step.first)
		}
	}
	l.Refused(b, "v1", 2)
	l.Refused(Node{id, "c"}, "v1", 2)
	got := l.Changes()[0]
	if got.Accepted != at(7) || got.Translated != at(9) || got.Published != at(10) || got.FirstSent != at(15) || got.Converged != at(19) {
		t.Errorf("times: %+v", got)
	}
	if len(got.Nodes) != 2 || got.Nodes[0] != (NodeTime{Node: a, Sent: at(15), Converged: at(19)}) || got.Nodes[1] != (NodeTime{Node: b, Sent: at(17), Refused: 2}) {
		t.Errorf("nodes: %+v", got.Nodes)
	}
}

func TestANodeConvergesWithALaterChange(t *testing.T) {
	l := New(4)
	a := Node{id, "a"}
	take(l, 1, "v1", 10)
	l.Pushed(a, "v1", ms(1), at(11))
	take(l, 2, "v2", 20)
	l.Pushed(a, "v2", ms(1), at(21))
	if since, first := l.Converged(a, "v2", ms(5), at(25)); since != ms(8) || !first {
		t.Errorf("%v %v", since, first)
	}
	changes := l.Changes()
	if n := changes[1].Nodes[0]; n.Converged != at(25) || n.ByRevision != 2 || changes[1].Converged != at(25) {
		t.Errorf("the first change: %+v", changes[1])
	}
	if n := changes[0].Nodes[0]; n.ByRevision != 0 {
		t.Errorf("the second change: %+v", changes[0])
	}
}

// What a node is sent when it starts is no change on its way.
func TestANodeThatCameLaterIsNotFollowed(t *testing.T) {
	l := New(4)
	take(l, 1, "v1", 10)
	if _, first := l.Pushed(Node{id, "a"}, "v1", ms(1), at(5000)); first {
		t.Error("the change was pushed to a node that came after it")
	}
	if _, first := l.Converged(Node{id, "a"}, "v1", ms(2), at(5001)); first || len(l.Changes()[0].Nodes) != 0 {
		t.Error("the change converged at a node that came after it")
	}
}

// Canaries get a change first; the others when it is published again.
func TestPublishedTwice(t *testing.T) {
	l := New(4)
	l.Accepted(1, "", at(0))
	l.Published(1, map[spiffeid.ID]string{id: "v1"}, at(1))
	l.Published(1, map[spiffeid.ID]string{other: "w1"}, at(9000))
	if since, first := l.Pushed(Node{other, "b"}, "w1", ms(1), at(9001)); since != ms(9001) || !first {
		t.Errorf("%v %v", since, first)
	}
	if got := l.Changes()[0].Published; got != at(1) {
		t.Errorf("published %v", got)
	}
}

func TestTheLogIsBounded(t *testing.T) {
	l := New(3)
	for revision := range uint64(10) {
		take(l, revision, fmt.Sprint("v", revision), int(revision))
		for n := range maxNodes + 10 {
			l.Pushed(Node{id, fmt.Sprint(n)}, fmt.Sprint("v", revision), 0, at(int(revision)))
		}
	}
	changes := l.Changes()
	if len(changes) != 3 || changes[0].Revision != 9 || changes[2].Revision != 7 || len(changes[0].Nodes) != maxNodes {
		t.Errorf("%d changes", len(changes))
	}
	l.Accepted(9, "again", at(100))
	if changes := l.Changes(); len(changes) != 3 || changes[0].Cause != "again" || len(changes[0].Nodes) != 0 {
		t.Errorf("a change that was accepted again: %+v", changes[0])
	}
	l.Translated(1, at(0)) // forgotten
	l.Published(1, map[spiffeid.ID]string{id: "v1"}, at(0))
	if _, first := l.Pushed(Node{id, "a"}, "v1", 0, at(0)); first {
		t.Error("a forgotten change was followed")
	}
}
