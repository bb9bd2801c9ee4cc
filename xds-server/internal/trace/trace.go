// Package trace follows changes of the configuration on their way: when one was
// accepted, translated and published, and when each Envoy was sent it and had
// all of it. It keeps the last few, and reads no clock.
package trace

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Node is an Envoy.
type Node struct {
	ID   spiffeid.ID `json:"spiffeID"`
	Name string      `json:"node"` // node.id as the client claims it
}

// Change is the trace of one change. Times that have not come are zero.
type Change struct {
	Revision   uint64     `json:"revision"`
	Cause      string     `json:"cause,omitempty"`
	Accepted   time.Time  `json:"accepted"`            // the catalog took it
	Translated time.Time  `json:"translated,omitzero"` // its xDS resources are there
	Published  time.Time  `json:"published,omitzero"`  // streams were told
	FirstSent  time.Time  `json:"firstSent,omitzero"`
	Converged  time.Time  `json:"converged,omitzero"` // the latest node so far that has all of it
	Nodes      []NodeTime `json:"nodes,omitempty"`    // in the order in which they were first sent something
}

// NodeTime is one node's part of a change.
type NodeTime struct {
	Node
	Sent      time.Time `json:"sent,omitzero"`      // first response
	Converged time.Time `json:"converged,omitzero"` // the ACK by which it has all of the change
	Refused   int       `json:"refused,omitempty"`  // resources of the change that it refused
	// ByRevision is a later change that the node converged with, before it had
	// the whole of this one by itself; 0 if there is none.
	ByRevision uint64 `json:"byRevision,omitempty"`
}

// maxNodes bounds the nodes that one change is followed to.
const maxNodes = 1024

// late is how long after a change was published the stream of a node may have
// been opened for the change to count as on its way to the node. What is sent to
// a node that came later is its start, not a change.
const late = 100 * time.Millisecond

// Log keeps the traces of the last changes. It is safe for concurrent use, and
// costs O(kept changes) an event.
type Log struct {
	mu      sync.Mutex
	keep    int
	changes []*followed // oldest first
}

// followed is a change with what its events are found by.
type followed struct {
	change   Change
	versions map[spiffeid.ID]string // snapshots that it brought; identities that it left alone are absent
	last     time.Time              // when it was published last
	nodes    map[Node]int           // index in change.Nodes
}

// New returns a log of the last keep changes (at least one).
func New(keep int) *Log { return &Log{keep: max(keep, 1)} }

// Accepted begins a trace: the catalog took a change. One of the same revision is
// replaced.
func (l *Log) Accepted(revision uint64, cause string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = slices.DeleteFunc(l.changes, func(f *followed) bool { return f.change.Revision == revision })
	if extra := len(l.changes) - l.keep + 1; extra > 0 {
		l.changes = slices.Delete(l.changes, 0, extra)
	}
	l.changes = append(l.changes, &followed{
		change:   Change{Revision: revision, Cause: cause, Accepted: at},
		versions: make(map[spiffeid.ID]string), nodes: make(map[Node]int),
	})
}

// Translated notes that the xDS resources of a change are there.
func (l *Log) Translated(revision uint64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.find(revision); f != nil {
		f.change.Translated = at
	}
}

// Published notes that streams are told of a change. It comes before they are.
// Versions are the snapshots that it brings, by the identities that get a new
// one. A change that goes to canaries first is published again, with the others.
func (l *Log) Published(revision uint64, versions map[spiffeid.ID]string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.find(revision)
	if f == nil {
		return
	}
	if f.change.Published.IsZero() {
		f.change.Published = at
	}
	f.last = at
	maps.Copy(f.versions, versions)
}

// Pushed notes the first response of a snapshot to a node, took after the
// snapshot was published or the stream was opened, whichever came later. It
// returns the time since the change was accepted, unless the node came later or
// was sent the change before.
func (l *Log) Pushed(node Node, version string, took time.Duration, at time.Time) (sinceAccepted time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.byVersion(node.ID, version)
	if f == nil || f.cameLater(took, at) {
		return 0, false
	}
	n := f.node(node)
	if n == nil || !n.Sent.IsZero() {
		return 0, false
	}
	n.Sent = at
	if f.change.FirstSent.IsZero() {
		f.change.FirstSent = at
	}
	return at.Sub(f.change.Accepted), true
}

// Refused notes how many resources of a snapshot a node refused.
func (l *Log) Refused(node Node, version string, resources int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.byVersion(node.ID, version); f != nil {
		if i, followed := f.nodes[node]; followed {
			f.change.Nodes[i].Refused += resources
		}
	}
}

// Converged notes that a node has all of a snapshot, and with it of the changes
// before that it was sent a part of; took counts as for Pushed. It returns the
// time since the change was accepted, unless the node came later or had all of it
// before.
func (l *Log) Converged(node Node, version string, took time.Duration, at time.Time) (sinceAccepted time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.byVersion(node.ID, version)
	if last == nil {
		return 0, false
	}
	for _, f := range l.changes {
		if f == last {
			break
		}
		if i, followed := f.nodes[node]; followed && f.change.Nodes[i].Converged.IsZero() {
			f.converged(&f.change.Nodes[i], at)
			f.change.Nodes[i].ByRevision = last.change.Revision
		}
	}
	if last.cameLater(took, at) {
		return 0, false
	}
	n := last.node(node)
	if n == nil || !n.Converged.IsZero() {
		return 0, false
	}
	last.converged(n, at)
	return at.Sub(last.change.Accepted), true
}

// Changes returns the traces, newest first.
func (l *Log) Changes() []Change {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes := make([]Change, 0, len(l.changes))
	for _, f := range slices.Backward(l.changes) {
		c := f.change
		c.Nodes = slices.Clone(c.Nodes)
		changes = append(changes, c)
	}
	return changes
}

func (l *Log) find(revision uint64) *followed {
	for _, f := range slices.Backward(l.changes) {
		if f.change.Revision == revision {
			return f
		}
	}
	return nil
}

// byVersion returns the newest change that brought an identity a snapshot.
func (l *Log) byVersion(id spiffeid.ID, version string) *followed {
	for _, f := range slices.Backward(l.changes) {
		if have, brought := f.versions[id]; brought && have == version {
			return f
		}
	}
	return nil
}

// cameLater says of what happened took after the later of publication and
// opening of the stream whether that was the opening.
func (f *followed) cameLater(took time.Duration, at time.Time) bool {
	return at.Add(-took).After(f.last.Add(late))
}

// node returns a node's part of the change; nil if too many are followed.
func (f *followed) node(node Node) *NodeTime {
	if i, followed := f.nodes[node]; followed {
		return &f.change.Nodes[i]
	}
	if len(f.change.Nodes) == maxNodes {
		return nil
	}
	f.nodes[node] = len(f.change.Nodes)
	f.change.Nodes = append(f.change.Nodes, NodeTime{Node: node})
	return &f.change.Nodes[len(f.change.Nodes)-1]
}

func (f *followed) converged(n *NodeTime, at time.Time) {
	n.Converged = at
	if at.After(f.change.Converged) {
		f.change.Converged = at
	}
}
