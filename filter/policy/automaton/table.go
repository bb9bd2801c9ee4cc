// Package automaton walks the table that the control plane makes of a user's words and
// patterns: a deterministic automaton over the UTF-8 bytes of folded text. A step is a
// short search. Every index is checked as it is used, so a table of any
// bytes is walked safely; what it matches is then of no use, that is all.
//
// A table is
//
//	0    "WDA1"
//	4    the root, little endian
//	8    the class of each of the 256 bytes; 0: no text with it matches
//	264  nodes
//
// A state is the offset of its node behind the head. A node is a byte: in bits 0 to 5 how
// many classes lead on, 63 if that stands in a byte of its own behind it; bit 6, the next
// state, of the only class, is the node behind this one; bit 7, the state accepts. Then
// the set of entries that it accepts, two bytes, if it does; the classes, in order; and
// for each, but with bit 6, the next state in three bytes. All numbers are little endian.
package automaton

import "encoding/binary"

// Sizes of a table's parts, and the bits of a node's first byte.
const (
	Magic      = "WDA1"
	HeadBytes  = 264
	MaxEntries = 16      // in a set
	MaxBytes   = 1 << 24 // a state has three bytes

	Count   = 63
	Chain   = 1 << 6
	Accepts = 1 << 7
)

// State is a state of an automaton.
type State uint32

// Table is an automaton. It is immutable and may be shared. The zero value matches
// nothing.
type Table struct {
	root  State
	class [256]uint8
	nodes []byte
	first [256]State // one more than the state behind the root; 0: none
}

// Load returns the table of these bytes, which it keeps. It says no where they are none.
func Load(b []byte) (*Table, bool) {
	if len(b) <= HeadBytes || len(b) > MaxBytes {
		return nil, false
	}
	for i := range len(Magic) {
		if b[i] != Magic[i] {
			return nil, false
		}
	}
	t := &Table{root: State(binary.LittleEndian.Uint32(b[4:])), nodes: b[HeadBytes:]}
	if int64(t.root) >= int64(len(t.nodes)) {
		return nil, false
	}
	copy(t.class[:], b[8:])
	for c := range t.first {
		if next, ok := t.step(t.root, byte(c)); ok {
			t.first[c] = next + 1
		}
	}
	return t, true
}

// Root is the state before the first byte.
func (t *Table) Root() State { return t.root }

// Step goes from a state on by a byte. It says whether the next state accepts; ok is
// false where nothing that goes on like this matches.
func (t *Table) Step(s State, b byte) (next State, accepts, ok bool) {
	if s == t.root {
		if t.first[b] == 0 {
			return 0, false, false
		}
		next = t.first[b] - 1
	} else if next, ok = t.step(s, b); !ok {
		return 0, false, false
	}
	return next, int(next) < len(t.nodes) && t.nodes[next]&Accepts != 0, true
}

// step is Step without the look at the next state.
func (t *Table) step(s State, b byte) (next State, ok bool) {
	c, i := t.class[b], int(s)
	if c == 0 || i >= len(t.nodes) {
		return 0, false
	}
	head := t.nodes[i]
	n := int(head & Count)
	i++
	if n == Count {
		if i == len(t.nodes) {
			return 0, false
		}
		n = int(t.nodes[i])
		i++
	}
	if head&Accepts != 0 {
		i += 2
	}
	if i+n > len(t.nodes) {
		return 0, false
	}
	k := find(t.nodes[i:i+n], c)
	if k < 0 {
		return 0, false
	}
	if i += n; head&Chain != 0 {
		return State(i), true
	}
	if i += 3 * k; i+3 > len(t.nodes) {
		return 0, false
	}
	return State(t.nodes[i]) | State(t.nodes[i+1])<<8 | State(t.nodes[i+2])<<16, true
}

// find returns the index of a class among those of a node, -1 if it is none of them.
func find(classes []byte, c byte) int {
	low, high := 0, len(classes)
	for high-low > 4 {
		if mid := (low + high) / 2; classes[mid] <= c {
			low = mid
		} else {
			high = mid
		}
	}
	for ; low < high; low++ {
		if classes[low] == c {
			return low
		}
	}
	return -1
}

// Accepted returns the set of entries that a state accepts.
func (t *Table) Accepted(s State) uint16 {
	i := int(s)
	if i >= len(t.nodes) || t.nodes[i]&Accepts == 0 {
		return 0
	}
	if t.nodes[i]&Count == Count {
		i++
	}
	if i+3 > len(t.nodes) {
		return 0
	}
	return binary.LittleEndian.Uint16(t.nodes[i+1:])
}
