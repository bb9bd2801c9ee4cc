// Package tree walks the decision trees of a policy: tests of what is known of a
// request, each leading on to another or to a decision. What a tree is, and that
// every walk through it ends, is said and checked in package spec.
package tree

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/split"
)

// Request is what tests ask about. Each question is asked only if the walk comes
// to it.
type Request interface {
	// Attribute returns the value of an attribute by its index in the document; an
	// empty one is absent. For a test of slots a user that is absent may have a
	// stand-in.
	Attribute(i int, slot bool) []byte
	// Now returns the time in Unix nanoseconds.
	Now() int64
}

// Path is the way through a tree: the answers to the tests in their order. With
// the tree it says which tests those were.
type Path struct {
	n    int
	bits [spec.MaxTreeNodes / 64]uint64
}

// Reset empties the path.
func (p *Path) Reset() { p.n = 0 }

// Len returns how many tests were made.
func (p *Path) Len() int { return p.n }

// Yes returns the answer to the i-th test.
func (p *Path) Yes(i int) bool { return p.bits[i/64]>>(i%64)&1 != 0 }

func (p *Path) add(yes bool) {
	bit := uint64(1) << (p.n % 64)
	if yes {
		p.bits[p.n/64] |= bit
	} else {
		p.bits[p.n/64] &^= bit
	}
	p.n++
}

// Walk returns the index of the leaf that a request comes to, and leaves the way
// to it in path.
func Walk(t *spec.Tree, r Request, path *Path) int {
	path.Reset()
	if len(t.Nodes) == 0 {
		return 0
	}
	at := 0
	for at >= 0 {
		n := &t.Nodes[at]
		yes := holds(t, n, r)
		path.add(yes)
		if at = int(n.No); yes {
			at = int(n.Yes)
		}
	}
	return -1 - at
}

// holds makes a test.
func holds(t *spec.Tree, n *spec.TreeNode, r Request) bool {
	if n.Test >= spec.TestSecond {
		return between(n, clock(n, r.Now()))
	}
	value := r.Attribute(int(n.Attribute), n.Test == spec.TestSlot)
	if len(value) == 0 {
		return false
	}
	switch n.Test {
	case spec.TestHas:
		return true
	case spec.TestEqual:
		text := t.Texts[n.Text]
		return len(value) == len(text) && begins(value, text)
	case spec.TestPrefix:
		return begins(value, t.Texts[n.Text])
	case spec.TestSlot:
		return between(n, int64(split.Slot(split.Hash(bytesOf(t.Texts[n.Text]), value), uint32(n.Modulus))))
	}
	number, ok := Integer(value)
	if n.Test == spec.TestModulo {
		number = floorMod(number, int64(n.Modulus))
	}
	return ok && between(n, number)
}

func between(n *spec.TreeNode, v int64) bool { return n.Low <= v && v <= n.High }

func begins(value []byte, text string) bool {
	if len(value) < len(text) {
		return false
	}
	for i := range len(text) {
		if value[i] != text[i] {
			return false
		}
	}
	return true
}

// clock returns what a test of the time looks at.
func clock(n *spec.TreeNode, now int64) int64 {
	seconds := floorDiv(now, 1_000_000_000)
	if n.Test == spec.TestSecond {
		return seconds
	}
	minutes := floorDiv(seconds, 60) + int64(n.Modulus)
	if n.Test == spec.TestMinute {
		return floorMod(minutes, 24*60)
	}
	const thursday = 4 // 1 January 1970
	return floorMod(floorDiv(minutes, 24*60)+thursday, 7)
}

// Integer reads a decimal whole number of at most 18 digits.
func Integer(s []byte) (n int64, ok bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// bytesOf is s without a copy. Nobody may change it.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
