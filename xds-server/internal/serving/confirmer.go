package serving

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// State says whether an Envoy serves what it acknowledged.
type State string

// The states.
const (
	Confirmed   State = "confirmed"   // it serves it
	Unconfirmed State = "unconfirmed" // it cannot be asked
	Awaited     State = "awaited"     // it does not yet, or was not asked yet
)

// Result is what is known of one Envoy.
type Result struct {
	State   State     `json:"state"`
	Version string    `json:"version"`          // of the snapshot that it acknowledged last
	How     string    `json:"how,omitempty"`    // config dump, or probe
	Detail  string    `json:"detail,omitempty"` // why it is not confirmed
	At      time.Time `json:"at,omitzero"`      // of the last answer
}

// Bounds on what asking may cost Envoys and the server.
const (
	atOnce      = 8                      // Envoys that are asked at one time
	shortest    = 250 * time.Millisecond // between two questions to one Envoy
	longest     = 10 * time.Second
	maxUnproved = 3 // answers that say nothing, after which an Envoy is not asked again before its next ACK
)

// Confirmer asks Envoys whether they serve what they acknowledged, one question
// at a time to each, and remembers the answers.
type Confirmer struct {
	asker   *Asker
	now     func() time.Time
	changed func() // called after each answer; does not block
	slots   chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	parts  sync.WaitGroup

	mu      sync.Mutex
	envoys  map[uint64]*asked
	stopped bool
}

// asked is one Envoy.
type asked struct {
	cancel context.CancelFunc
	wake   chan struct{} // of capacity 1
	want   *snapshot.Snapshot
	sure   *snapshot.Snapshot // confirmed last
	result Result
}

// NewConfirmer returns a confirmer that calls changed after each answer. Stop it.
func NewConfirmer(asker *Asker, now func() time.Time, changed func()) *Confirmer {
	c := &Confirmer{asker: asker, now: now, changed: changed, slots: make(chan struct{}, atOnce), envoys: make(map[uint64]*asked)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Stop ends all questions and waits for them.
func (c *Confirmer) Stop() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.cancel()
	c.parts.Wait()
}

// Acknowledged notes that an Envoy has acknowledged all of a snapshot, and has it
// asked whether it serves it. It does not block.
func (c *Confirmer) Acknowledged(e Envoy, snap *snapshot.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	a, known := c.envoys[e.Stream]
	if !known {
		ctx, cancel := context.WithCancel(c.ctx)
		a = &asked{cancel: cancel, wake: make(chan struct{}, 1)}
		c.envoys[e.Stream] = a
		c.parts.Go(func() { c.follow(ctx, e, a) })
	}
	a.want, a.result = snap, Result{State: Awaited, Version: snap.Version()}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Forget drops an Envoy whose stream has ended.
func (c *Confirmer) Forget(stream uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, known := c.envoys[stream]; known {
		a.cancel()
		delete(c.envoys, stream)
	}
}

// Result is what is known of the Envoy of a stream; of one that has acknowledged
// nothing yet, the zero Result.
func (c *Confirmer) Result(stream uint64) Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, known := c.envoys[stream]; known {
		return a.result
	}
	return Result{}
}

// follow asks one Envoy after each of its ACKs until its answer is clear.
func (c *Confirmer) follow(ctx context.Context, e Envoy, a *asked) {
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return
		}
		for wait, unproved := shortest, 0; !c.ask(ctx, e, a, &unproved); wait = min(2*wait, longest) {
			if pause(ctx, wait) != nil {
				return
			}
		}
		if pause(ctx, shortest) != nil {
			return
		}
	}
}

// ask asks once, and reports whether there is no need to ask again before the
// next ACK.
func (c *Confirmer) ask(ctx context.Context, e Envoy, a *asked, unproved *int) (settled bool) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return true
	}
	c.mu.Lock()
	want, sure := a.want, a.sure
	c.mu.Unlock()
	how, err := c.asker.Confirm(ctx, e, sure, want)
	<-c.slots
	if ctx.Err() != nil {
		return true
	}
	settled = c.note(a, want, how, err, unproved)
	c.changed()
	return settled
}

// note keeps an answer about a snapshot.
func (c *Confirmer) note(a *asked, about *snapshot.Snapshot, how string, err error, unproved *int) (settled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	result := Result{State: Confirmed, Version: about.Version(), How: how, At: c.now()}
	var wrong *MismatchError
	switch {
	case err == nil:
		a.sure, settled = about, true
	case errors.As(err, &wrong):
		result.State, result.Detail = Awaited, err.Error()
	default:
		*unproved++
		result.State, result.Detail = Unconfirmed, err.Error()
		settled = *unproved >= maxUnproved
	}
	if a.want == about {
		a.result = result
	}
	return settled
}
