package routetree

import (
	"slices"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/condition"
)

// maxStates bounds the search for what a walk can come to. A tree that has more
// states than that is taken for reachable altogether.
const maxStates = 100_000

// check finds the leaves that a walk can come to: it follows every way through the
// tree with, for each thing that is tested, the set of the values that it can still
// have there. Values are told apart only as far as the tests do. Two things are
// taken for independent of each other, although some are not: the hash of a user
// and who it is, a number and the text that it is written as, two clocks.
func (b *Builder) check(entry Target) (reached map[int]bool) {
	w := &walker{builder: b, reached: make(map[int]bool), seen: make(map[string]bool)}
	w.domains()
	state := make([]cells, len(w.dimensions))
	for i := range state {
		state[i] = w.dimensions[i].all()
	}
	if !w.walk(entry, state) {
		for i := range b.leaves {
			w.reached[i] = true
		}
	}
	return w.reached
}

// dimension is one thing that is tested: the cells are the values that the tests
// tell apart.
type dimension struct {
	test  condition.Test // kind of thing: see subject
	n     int            // cells
	cuts  []int64        // of numbers: where a new cell begins
	texts []string       // of texts: one cell each; behind them others of each prefix, others, absent
	heads []string       // prefixes
}

// cells is a set of cells.
type cells []uint64

func (c cells) empty() bool { return !slices.ContainsFunc(c, func(w uint64) bool { return w != 0 }) }

func (d *dimension) all() cells {
	c := make(cells, (d.n+63)/64)
	for i := range d.n {
		c[i/64] |= 1 << (i % 64)
	}
	return c
}

// subject is the part of a test that says what is tested.
func subject(t condition.Test) condition.Test {
	s := condition.Test{Kind: t.Kind, Attribute: t.Attribute}
	switch t.Kind {
	case spec.TestHas, spec.TestEqual, spec.TestPrefix:
		s.Kind = spec.TestHas
	case spec.TestSlot:
		s.Text = t.Text
	default:
		s.Modulus = t.Modulus
	}
	return s
}

type walker struct {
	builder    *Builder
	dimensions []dimension
	of         []int // dimension by node
	reached    map[int]bool
	seen       map[string]bool
}

// domains finds the dimensions and their cells.
func (w *walker) domains() {
	for _, n := range w.builder.nodes {
		s := subject(n.test)
		i := slices.IndexFunc(w.dimensions, func(d dimension) bool { return d.test == s })
		if i < 0 {
			i = len(w.dimensions)
			w.dimensions = append(w.dimensions, dimension{test: s})
		}
		w.of = append(w.of, i)
		d := &w.dimensions[i]
		switch n.test.Kind {
		case spec.TestHas:
		case spec.TestEqual:
			d.texts = append(d.texts, n.test.Text)
		case spec.TestPrefix:
			d.heads = append(d.heads, n.test.Text)
		default:
			low, high := bounds(n.test)
			d.cuts = append(d.cuts, low, high)
		}
	}
	for i := range w.dimensions {
		w.dimensions[i].divide()
	}
}

// hashes is the number of hashes that slots are ranges of.
const hashes = 1 << 32

// bounds are the first number of a test's range and the first behind it; of slots in
// terms of hashes, so that slots of different numbers can be told apart.
func bounds(t condition.Test) (low, behind int64) {
	if t.Kind != spec.TestSlot {
		return t.Low, t.High + 1
	}
	n := int64(t.Modulus)
	at := func(slot int64) int64 { return (slot*hashes + n - 1) / n }
	return at(t.Low), at(t.High + 1)
}

// divide sorts what tells cells apart, and counts these.
func (d *dimension) divide() {
	if d.test.Kind == spec.TestHas {
		slices.Sort(d.texts)
		slices.Sort(d.heads)
		d.texts, d.heads = slices.Compact(d.texts), slices.Compact(d.heads)
		d.n = len(d.texts) + len(d.heads) + 2
		return
	}
	first, behind := int64(-spec.MaxTreeNumber), int64(spec.MaxTreeNumber+1)
	switch d.test.Kind {
	case spec.TestSlot:
		first, behind = 0, hashes
	case spec.TestModulo:
		first, behind = 0, int64(d.test.Modulus)
	case spec.TestMinute:
		first, behind = 0, 24*60
	case spec.TestWeekday:
		first, behind = 0, 7
	}
	d.cuts = append(d.cuts, first)
	slices.Sort(d.cuts)
	d.cuts = slices.Compact(slices.DeleteFunc(d.cuts, func(c int64) bool { return c < first || c >= behind }))
	d.n = len(d.cuts)
	if d.mayLack() {
		d.n++ // the last: there is no number
	}
}

// mayLack says whether a request may have no such number. It always has a time, and
// a user or a stand-in for one.
func (d *dimension) mayLack() bool {
	switch d.test.Kind {
	case spec.TestSlot:
		return d.test.Attribute.Source != spec.FromUser
	case spec.TestInteger, spec.TestModulo:
		return true
	}
	return false
}

// holds says whether a test holds in a cell.
func (d *dimension) holds(t condition.Test, cell int) bool {
	if d.test.Kind != spec.TestHas {
		if cell >= len(d.cuts) {
			return false
		}
		low, behind := bounds(t)
		return low <= d.cuts[cell] && d.cuts[cell] < behind
	}
	switch others := cell - len(d.texts); {
	case others == len(d.heads)+1:
		return false // absent
	case t.Kind == spec.TestHas:
		return true
	case others < 0:
		return t.Kind == spec.TestEqual && t.Text == d.texts[cell] || t.Kind == spec.TestPrefix && strings.HasPrefix(d.texts[cell], t.Text)
	case others < len(d.heads):
		return t.Kind == spec.TestPrefix && strings.HasPrefix(d.heads[others], t.Text)
	}
	return false
}

// walk follows all ways from a target. It says whether it could.
func (w *walker) walk(to Target, state []cells) bool {
	if to.leaf {
		w.reached[to.at] = true
		return true
	}
	key := w.key(to, state)
	if w.seen[key] {
		return true
	}
	if w.seen[key] = true; len(w.seen) > maxStates {
		return false
	}
	n := &w.builder.nodes[to.at]
	at := w.of[to.at]
	d := &w.dimensions[at]
	yes, no := make(cells, len(state[at])), make(cells, len(state[at]))
	for i := range d.n {
		if bit := state[at][i/64] & (1 << (i % 64)); d.holds(n.test, i) {
			yes[i/64] |= bit
		} else {
			no[i/64] |= bit
		}
	}
	for _, way := range []struct {
		set cells
		to  Target
	}{{yes, n.yes}, {no, n.no}} {
		if way.set.empty() {
			continue
		}
		next := slices.Clone(state)
		next[at] = way.set
		if !w.walk(way.to, next) {
			return false
		}
	}
	return true
}

// key is the place and what may still be asked there.
func (w *walker) key(to Target, state []cells) string {
	b := make([]byte, 0, 64)
	b = append(b, byte(to.at), byte(to.at>>8))
	for _, c := range state {
		for _, word := range c {
			for shift := 0; shift < 64; shift += 8 {
				b = append(b, byte(word>>shift))
			}
		}
	}
	return string(b)
}
