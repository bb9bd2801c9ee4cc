package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/stage"
)

// revisions keeps what was in force: on disk in a history, and the snapshots in
// memory, where they share what they have in common. Writing goes on beside the
// streams, so that no Envoy waits for a disk.
type revisions struct {
	history *history.History
	log     *slog.Logger
	queue   chan writing
	stopped chan struct{} // closed when nothing is written any more

	mu        sync.Mutex
	next      uint64
	snapshots map[uint64]stage.Snapshots // of the kept revisions that were made by this process
	problem   string                     // why the last could not be written; empty: it was
}

// writing is a revision on its way to the disk.
type writing struct {
	history.Revision
	done chan<- error // told what came of it; nil: nobody waits
}

// maxWriting is how many revisions may wait for the disk before new
// configurations do.
const maxWriting = 64

func newRevisions(h *history.History, log *slog.Logger) *revisions {
	return &revisions{
		history: h, log: log, queue: make(chan writing, maxWriting), stopped: make(chan struct{}),
		next: h.Next(), snapshots: make(map[uint64]stage.Snapshots),
	}
}

// number takes the number for a new revision.
func (r *revisions) number() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return r.next - 1
}

// remember keeps the snapshots of a revision that is on disk.
func (r *revisions) remember(number uint64, snapshots stage.Snapshots) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.snapshots[number] = snapshots
}

// add keeps a revision under a number that number gave. It waits only while
// maxWriting others wait. done may be nil.
func (r *revisions) add(made history.Revision, snapshots stage.Snapshots, done chan<- error) {
	r.remember(made.Number, snapshots)
	select {
	case r.queue <- writing{made, done}:
	case <-r.stopped: // what the sources hold is kept at the next start
	}
}

// addNow keeps a revision and returns when it is on disk.
func (r *revisions) addNow(made history.Revision, snapshots stage.Snapshots) error {
	done := make(chan error, 1)
	r.add(made, snapshots, done)
	select {
	case err := <-done:
		return err
	case <-r.stopped:
		return errors.New("the server is stopping")
	}
}

// run writes until ctx ends and nothing is left to be written.
func (r *revisions) run(ctx context.Context) error {
	defer close(r.stopped)
	for {
		select {
		case w := <-r.queue:
			r.write(w)
		case <-ctx.Done():
			return r.drain()
		}
	}
}

// drain writes what is still queued, and gives the history back.
func (r *revisions) drain() error {
	for {
		select {
		case w := <-r.queue:
			r.write(w)
		default:
			return r.history.Close()
		}
	}
}

func (r *revisions) write(w writing) {
	number := w.Number
	kept, err := r.history.Add(w.Revision)
	if err == nil && kept.Number != number {
		err = fmt.Errorf("revision %d was written as %d", number, kept.Number)
	}
	r.mu.Lock()
	r.problem = ""
	if err != nil {
		r.problem = err.Error()
		r.next = max(r.next, r.history.Next())
	}
	r.forgetUnkept()
	r.mu.Unlock()
	if err != nil {
		r.log.Error("the configuration in force cannot be kept: it cannot be gone back to, nor started with", "revision", number, "error", err)
	}
	if w.done != nil {
		w.done <- err
	}
}

// forgetUnkept drops the snapshots of revisions that the history has given up.
func (r *revisions) forgetUnkept() {
	kept, newest := make(map[uint64]bool), uint64(0)
	for _, made := range r.history.List() {
		kept[made.Number] = true
		newest = max(newest, made.Number)
	}
	for number := range r.snapshots {
		if number <= newest && !kept[number] {
			delete(r.snapshots, number)
		}
	}
}

// of returns the snapshots of a revision that this process made.
func (r *revisions) of(number uint64) (stage.Snapshots, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	snapshots, ok := r.snapshots[number]
	return snapshots, ok
}

// trouble says why the last revision is not on disk; empty: it is.
func (r *revisions) trouble() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problem
}
