// Package history keeps the configurations that were in force, as immutable
// numbered revisions on disk: what `weir rollback` goes back to, what two
// configurations are compared by, and what a server starts with when its
// sources hold nothing good.
//
// On disk:
//
//	lock                    held by the process that has the history open
//	pin                     which revision holds until `weir resume`
//	revisions/<number>      one record each: who, when, why, and its shards
//	documents/<sha256>      shards: documents, under the hash of the file
//
// A revision's documents are spread over up to 256 shards by the hash of their
// names, and revisions share the shards that are the same. So a revision that
// changes one of 10,000 documents writes one shard (about 40 documents) and
// one record (about 20 KB), and nothing is ever written in place: a file is
// written under another name, synced, and renamed. A crash at any point leaves
// every revision that was there, and the new one wholly or not at all.
//
// Certificates and keys are no part of a revision. The files are readable by
// their owner alone.
package history

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// ErrNotKept is returned for a revision that never was, or was given up for
// newer ones.
var ErrNotKept = errors.New("the history has no such revision")

// Revision is one configuration that was in force.
type Revision struct {
	// Number counts up from 1 and is never used again. Add sets it.
	Number uint64
	// Time is when it came into force. Add makes it UTC.
	Time time.Time
	// Cause says in words what brought it about.
	Cause string
	// By is who did, where a person or a client did: a SPIFFE ID.
	By string
	// Documents are what it was made of, sorted by name, each name once. They
	// must not be changed. List leaves them out.
	Documents []source.Document
	// Versions are the versions of its snapshots by SPIFFE ID.
	Versions map[string]string
	// RollbackOf is the number of the revision that this one brought back; 0
	// if it came from the sources.
	RollbackOf uint64
}

// Pin holds a revision in force, whatever the sources say.
type Pin struct {
	// Number is that of the revision.
	Number uint64
	// By is who asked for it.
	By string
}

// History is a directory of revisions. Its methods may be called from any
// goroutine.
type History struct {
	dir  string
	keep int
	disk disk
	lock *lock

	mu        sync.Mutex
	revisions map[uint64]record
	shards    map[string]int // how many revisions have a shard
	next      uint64
	pin       *Pin
	latest    documents // of the newest revision
	problems  []error   // of the files that Open met
	leftover  error     // why the last clearing up failed
}

// Open opens the history in dir, which it makes if it is not there, to keep the
// newest revisions, keep of them (at least 1), and the pinned one. It is an
// error if another process has it open. A file that is torn, missing or not
// the history's own costs the revisions that need it, not the rest: Problems
// names it.
func Open(dir string, keep int) (*History, error) {
	return open(dir, keep, osDisk{})
}

func open(dir string, keep int, on disk) (*History, error) {
	if keep < 1 {
		return nil, fmt.Errorf("open history %s: cannot keep %d revisions; keep at least 1", dir, keep)
	}
	for _, sub := range []string{revisionsDir, documentsDir} {
		if err := on.makeDir(filepath.Join(dir, sub)); err != nil {
			return nil, fmt.Errorf("open history: %w", err)
		}
	}
	if err := on.syncDir(dir); err != nil { // or the sub-directories may not last
		return nil, fmt.Errorf("open history: %w", err)
	}
	held, err := takeLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open history %s: %w", dir, err)
	}
	h := &History{dir: dir, keep: keep, disk: on, lock: held, revisions: make(map[uint64]record), shards: make(map[string]int), next: 1}
	if err := h.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open history %s: %w", dir, err), held.release())
	}
	return h, nil
}

// Close lets another process open the history. Nothing is lost without it.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lock.release()
}

// Problems returns what is wrong with the files in the directory, nil if
// nothing is. The revisions that List returns are whole.
func (h *History) Problems() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	problems := slices.Clone(h.problems)
	if h.leftover != nil {
		problems = append(problems, h.leftover)
	}
	return problems
}

// Add makes r the newest revision and returns it with its number. When it
// returns without an error, the revision is on disk, which takes some syncs of
// it: not for the way of a change to the Envoys. Each of the documents
// must have a name of its own, and names and origins must be UTF-8.
func (h *History) Add(r Revision) (Revision, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next, err := h.latest.next(r.Documents)
	if year := r.Time.UTC().Year(); err == nil && (year < 0 || year > 9999) {
		err = fmt.Errorf("its time is in the year %d, which cannot be written", year)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("add a revision to the history: %w", err)
	}
	r.Number, r.Time = h.next, r.Time.UTC().Round(0)
	r.Documents = append([]source.Document(nil), r.Documents...) // mostly sorted already
	sortByName(r.Documents)
	own := record{
		Number: r.Number, Time: r.Time, Cause: r.Cause, By: r.By, RollbackOf: r.RollbackOf,
		Versions: maps.Clone(r.Versions), Shards: next.hashes(),
	}
	h.next++ // even if this fails: what is on disk then is not known
	if err := h.write(own, next); err != nil {
		return Revision{}, fmt.Errorf("add revision %d to the history: %w", r.Number, err)
	}
	h.latest = next
	h.hold(own)
	h.leftover = h.retire()
	return r, nil
}

// Next is the number that the next Add gives.
func (h *History) Next() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}

// Get returns a revision with its documents. The error is ErrNotKept if there
// is none of that number.
func (h *History) Get(number uint64) (Revision, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	own, ok := h.revisions[number]
	if !ok {
		return Revision{}, fmt.Errorf("revision %d: %w", number, ErrNotKept)
	}
	r := own.revision()
	if number == h.newest() {
		r.Documents = h.latest.list()
		return r, nil
	}
	found, err := h.read(own)
	if err != nil {
		return Revision{}, fmt.Errorf("read revision %d: %w", number, err)
	}
	r.Documents = found.list()
	return r, nil
}

// List returns the revisions without their documents, the oldest first.
func (h *History) List() []Revision {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Revision, 0, len(h.revisions))
	for _, number := range slices.Sorted(maps.Keys(h.revisions)) {
		all = append(all, h.revisions[number].revision())
	}
	return all
}

// Latest returns the newest revision with its documents, false if there is none.
func (h *History) Latest() (Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	own, ok := h.revisions[h.newest()]
	if !ok {
		return Revision{}, false
	}
	r := own.revision()
	r.Documents = h.latest.list()
	return r, true
}

// Pin holds a revision, for whoever by names, until Unpin and over restarts. It
// is not given up for newer ones meanwhile. A pin takes the place of another.
func (h *History) Pin(number uint64, by string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.revisions[number]; !ok {
		return fmt.Errorf("pin revision %d: %w", number, ErrNotKept)
	}
	pin := Pin{Number: number, By: by}
	data, err := encodePin(pin)
	if err == nil {
		err = h.place(pinFile, data)
	}
	if err != nil {
		return fmt.Errorf("pin revision %d: %w", number, err)
	}
	h.pin = &pin
	h.leftover = h.retire() // the one that was pinned before
	return nil
}

// Unpin lets the sources decide again. Without a pin it does nothing.
func (h *History) Unpin() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pin == nil {
		return nil
	}
	if err := h.disk.remove(filepath.Join(h.dir, pinFile)); err != nil {
		return fmt.Errorf("unpin revision %d: %w", h.pin.Number, err)
	}
	if err := h.disk.syncDir(h.dir); err != nil {
		return fmt.Errorf("unpin revision %d: %w", h.pin.Number, err)
	}
	h.pin = nil
	h.leftover = h.retire()
	return nil
}

// Pinned returns the pin, false if there is none. The revision is there,
// except where its files were damaged: then Problems says so, and Get fails.
func (h *History) Pinned() (Pin, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pin == nil {
		return Pin{}, false
	}
	return *h.pin, true
}

// newest is the highest number kept, 0 if none is.
func (h *History) newest() uint64 {
	top := uint64(0)
	for number := range h.revisions {
		top = max(top, number)
	}
	return top
}

// hold takes a record that is on disk.
func (h *History) hold(own record) {
	h.revisions[own.Number] = own
	for _, hash := range own.Shards {
		h.shards[hash]++
	}
}
