package xdsbench

import (
	"sync"
	"sync/atomic"
	"time"
)

// progress follows changes on their way to the clients. A change is known by the
// one resource that it changes.
type progress struct {
	waiting atomic.Int64 // changes that are under way, to spare others the lock
	mu      sync.Mutex
	changes map[lead]*change
}

// change is one change under way.
type change struct {
	resource lead
	at       time.Time // from when it counts
	want     int       // clients
	by       map[uint64]struct{}
	refused  bool
	took     time.Duration // to the last ACK
	done     chan struct{} // closed at the last ACK, or at a refusal
}

func newProgress() *progress { return &progress{changes: map[lead]*change{}} }

// begin follows a change of resource until want clients acknowledged it. No
// other change of that resource may be under way.
func (p *progress) begin(resource lead, want int, at time.Time) *change {
	c := &change{resource: resource, at: at, want: want, by: make(map[uint64]struct{}, want), done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes[resource] = c
	p.waiting.Add(1)
	return c
}

// idle reports whether no change is under way.
func (p *progress) idle() bool { return p.waiting.Load() == 0 }

// follows reports whether a change of the resource is under way.
func (p *progress) follows(resource lead) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, waits := p.changes[resource]
	return waits
}

// answered takes a client's answer for a resource.
func (p *progress) answered(client uint64, resource lead, refused bool, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, waits := p.changes[resource]
	if !waits {
		return
	}
	c.by[client] = struct{}{}
	c.refused = c.refused || refused
	if len(c.by) < c.want && !c.refused {
		return
	}
	c.took = at.Sub(c.at)
	p.end(c)
}

// drop follows a change no longer and returns how many clients acknowledged it.
func (p *progress) drop(c *change) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changes[c.resource] == c {
		p.end(c)
	}
	return len(c.by)
}

// end is called with the lock held.
func (p *progress) end(c *change) {
	delete(p.changes, c.resource)
	p.waiting.Add(-1)
	close(c.done)
}
