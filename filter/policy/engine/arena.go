package engine

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// arenaBytes is room for the header edits (at most removalBytes of names that
// clients made up), for a reply (a name of 128 bytes in it may become six times as
// long by escapes, and maxKnownBytes of known ones may follow) and behind these for
// the record of a decision.
const (
	arenaBytes   = 6 << 10
	removalBytes = 1 << 10
)

// arena is memory for what a stream hands out.
type arena struct {
	n    int
	data [arenaBytes]byte
}

// open returns an empty slice over the free memory.
func (a *arena) open() []byte { return a.data[a.n:a.n:len(a.data)] }

// close keeps what was appended to the slice of open. What outgrew the memory has
// found its own.
func (a *arena) close(b []byte) []byte {
	if a.n+len(b) <= len(a.data) {
		a.n += len(b)
	}
	return b
}

// keep copies p. It returns false if there is no room.
func (a *arena) keep(p []byte) ([]byte, bool) {
	if len(p) > len(a.data)-a.n {
		return nil, false
	}
	return a.close(append(a.open(), p...)), true
}

func (a *arena) integer(n int64) []byte { return a.close(jsonscan.AppendInt(a.open(), n)) }

func (a *arena) duration(ns int64) []byte { return a.close(appendDuration(a.open(), ns)) }

// maxEdits bounds the header edits of a request.
const maxEdits = 56

// edits is a list of header changes.
type edits struct {
	n    int
	list [maxEdits]Edit
}

func (e *edits) all() []Edit { return e.list[:e.n] }

// reset forgets the edits and what they point to.
func (e *edits) reset() {
	clear(e.list[:e.n])
	e.n = 0
}

func (e *edits) set(name string, value []byte) { e.add(Edit{Op: Set, Name: name, Value: value}) }

func (e *edits) append(name string, value []byte) {
	e.add(Edit{Op: Append, Name: name, Value: value})
}

func (e *edits) remove(name string) { e.add(Edit{Op: Remove, Name: name}) }

// add appends an edit. Callers leave room: only removals of client-sent headers
// are without a bound of their own, and those are counted where they are added.
//
//go:noinline
func (e *edits) add(edit Edit) {
	e.list[e.n] = edit
	e.n++
}

// drop takes the first edit away.
func (e *edits) drop() {
	copy(e.list[:], e.list[1:e.n])
	e.n--
	e.list[e.n] = Edit{}
}

// has says whether the list already changes a header.
func (e *edits) has(name string) bool {
	for i := range e.n {
		if e.list[i].Name == name {
			return true
		}
	}
	return false
}
