// Package body reads request bodies within a bound for each and a bound for all together.
package body

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrBusy is returned where the bodies of other requests take all the room. The client may come again.
var ErrBusy = errors.New("too many bytes of requests are in memory")

// TooLargeError is returned for a body above the bound for one.
type TooLargeError struct {
	// Limit is that bound, in bytes.
	Limit int64
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the request body is larger than the %d bytes allowed", e.Limit)
}

// Room is the memory for the bodies of all requests. It is safe for concurrent use.
type Room struct {
	each, all int64

	mu   sync.Mutex
	used int64
}

// NewRoom returns a Room for bodies of at most each bytes and at most all together.
func NewRoom(each, all int64) *Room { return &Room{each: each, all: max(each, all)} }

// Read reads r to its end. length is the Content-Length, or -1 where it is unknown. limit bounds this body where it is
// less than the Room's bound for each. The caller calls release, once, when it needs the bytes no more.
func (m *Room) Read(r io.Reader, length, limit int64) (b []byte, release func(), err error) {
	limit = min(limit, m.each)
	if length > limit {
		return nil, nil, &TooLargeError{limit}
	}
	const first int64 = 4096
	size := min(first, limit)
	if length >= 0 {
		size = length
	}
	g := grant{room: m}
	b, err = g.read(r, size, limit)
	if err != nil {
		g.release()
		return nil, nil, err
	}
	return b, sync.OnceFunc(g.release), nil
}

// grant is what one body has taken of a Room.
type grant struct {
	room *Room
	size int64
}

func (g *grant) take(size int64) error {
	g.room.mu.Lock()
	defer g.room.mu.Unlock()
	if g.room.used+size-g.size > g.room.all {
		return ErrBusy
	}
	g.room.used += size - g.size
	g.size = size
	return nil
}

func (g *grant) release() {
	g.room.mu.Lock()
	defer g.room.mu.Unlock()
	g.room.used -= g.size
	g.size = 0
}

func (g *grant) read(r io.Reader, size, limit int64) ([]byte, error) {
	if err := g.take(size); err != nil {
		return nil, err
	}
	b := make([]byte, 0, size)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the request body: %w", err)
		}
		if len(b) == cap(b) {
			if b, err = g.more(r, b, limit); err != nil || cap(b) == len(b) {
				return b, err
			}
		}
	}
}

// more makes b larger, or, where it has all that it may, checks that r has ended: then b comes back full.
func (g *grant) more(r io.Reader, b []byte, limit int64) ([]byte, error) {
	var probe [1]byte
	n, err := io.ReadFull(r, probe[:])
	if errors.Is(err, io.EOF) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the request body: %w", err)
	}
	if int64(len(b)+n) > limit {
		return nil, &TooLargeError{limit}
	}
	size := min(max(2*int64(cap(b)), 64), limit)
	if err := g.take(size + int64(cap(b))); err != nil { // both live while one is copied
		return nil, err
	}
	larger := append(make([]byte, 0, size), b...)
	larger = append(larger, probe[0])
	return larger, g.take(size)
}
