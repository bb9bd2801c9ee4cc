// Package sched bounds how many runs of models go on at once and how many requests wait for one, so that overload is
// answered at once and not by ever longer waits.
package sched

import (
	"context"
	"errors"
	"sync"
)

// ErrOverloaded is returned by Admit where as many requests are in the house as may be. The client may come again.
var ErrOverloaded = errors.New("too many requests are waiting")

// Gate lets requests in (Admit) and, of these, some run at a time (Slot). It is safe for concurrent use.
type Gate struct {
	slots chan struct{}
	limit int

	mu       sync.Mutex
	admitted int
}

// New returns a Gate with the given number of slots (at least 1) that holds up to queue requests more than it has slots.
func New(slots, queue int) *Gate {
	return &Gate{slots: make(chan struct{}, slots), limit: slots + queue}
}

// Slots returns how many runs may go on at once.
func (g *Gate) Slots() int { return cap(g.slots) }

// Admit lets a request in, or returns ErrOverloaded. The caller calls leave, once, when the request is answered.
func (g *Gate) Admit() (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.admitted >= g.limit {
		return nil, ErrOverloaded
	}
	g.admitted++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.admitted--
	}), nil
}

// Slot waits, in order of arrival, for a run of an admitted request to be allowed, or for ctx. The caller calls release,
// once, when the run has ended.
func (g *Gate) Slot(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
