package automata

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// pack writes states as a table.
func pack(states []state, root int32) ([]byte, error) {
	p := &packer{states: states, class: classes(states), at: make([]int, len(states))}
	p.b = append(p.b, automaton.Magic...)
	p.b = binary.LittleEndian.AppendUint32(p.b, 0)
	p.b = append(p.b, p.class[:]...)
	for todo := []int32{root}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = p.place(s, todo[:len(todo)-1])
	}
	if len(p.b) > spec.MaxAutomatonBytes {
		return nil, fmt.Errorf("all words and patterns together need a table of %d bytes, more than %d", len(p.b), spec.MaxAutomatonBytes)
	}
	for _, l := range p.links {
		to := p.at[l.to] - automaton.HeadBytes
		p.b[l.from], p.b[l.from+1], p.b[l.from+2] = byte(to), byte(to>>8), byte(to>>16)
	}
	return p.b, nil
}

// classes gives bytes by which all states lead to the same the same class, from 1 on, and
// 0 to those that lead nowhere. There are some of those in UTF-8, so a byte is enough.
func classes(states []state) (class [256]uint8) {
	var sums [256][2]uint64 // of all that a byte does
	for i := range states {
		for _, e := range states[i].edges {
			for b := int(e.lo); b <= int(e.hi); b++ {
				sums[b][0] += mix(uint64(i)<<32 | uint64(uint32(e.to)))
				sums[b][1] += mix(^(uint64(i)<<32 | uint64(uint32(e.to))))
			}
		}
	}
	known := make(map[[2]uint64]uint8)
	for b, sum := range sums {
		if sum == [2]uint64{} {
			continue
		}
		if _, ok := known[sum]; !ok {
			known[sum] = uint8(len(known) + 1)
		}
		class[b] = known[sum]
	}
	return class
}

// mix spreads a number over 64 bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// packer writes nodes one after the other.
type packer struct {
	states []state
	class  [256]uint8
	b      []byte
	at     []int // where the node of a state is; 0: nowhere yet
	links  []link
}

// link is a place that says where a state is.
type link struct {
	from int
	to   int32
}

// place writes the node of a state, if it is not there, and those of the states behind
// it for as long as each leads to one alone. The others are added to what is to be done.
func (p *packer) place(s int32, todo []int32) []int32 {
	for p.at[s] == 0 {
		p.at[s] = len(p.b)
		labels := p.labels(&p.states[s])
		chain := len(labels) == 1 && p.at[labels[0].to] == 0 && labels[0].to != s
		p.head(&p.states[s], len(labels), chain)
		for _, l := range labels {
			p.b = append(p.b, l.class)
		}
		if chain {
			s = labels[0].to
			continue
		}
		for _, l := range labels {
			p.links = append(p.links, link{len(p.b), l.to})
			p.b = append(p.b, 0, 0, 0)
			todo = append(todo, l.to)
		}
	}
	return todo
}

// head writes what stands before the classes of a node.
func (p *packer) head(s *state, n int, chain bool) {
	head := byte(min(n, automaton.Count))
	if chain {
		head |= automaton.Chain
	}
	if s.accepts != 0 {
		head |= automaton.Accepts
	}
	p.b = append(p.b, head)
	if n >= automaton.Count {
		p.b = append(p.b, byte(n))
	}
	if s.accepts != 0 {
		p.b = binary.LittleEndian.AppendUint16(p.b, s.accepts)
	}
}

// label is a class and the state to which it leads.
type label struct {
	class uint8
	to    int32
}

// labels returns the classes by which a state leads on, in order.
func (p *packer) labels(s *state) (all []label) {
	for _, e := range s.edges {
		for b := int(e.lo); b <= int(e.hi); b++ {
			all = append(all, label{p.class[b], e.to})
		}
	}
	slices.SortFunc(all, func(a, b label) int { return int(a.class) - int(b.class) })
	return slices.Compact(all)
}
