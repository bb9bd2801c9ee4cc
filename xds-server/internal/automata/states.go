package automata

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// state is a state of the deterministic automaton. Edges are in the order of their bytes.
type state struct {
	edges   []edge
	accepts uint16
}

// determinizer makes states of sets of nodes, each set once and equal states one.
type determinizer struct {
	g      *graph
	most   int // sets
	states []state
	bySet  map[string]int32
	same   map[string]int32 // states, by what they are
	key    []byte
}

func newDeterminizer(g *graph, most int) *determinizer {
	return &determinizer{g: g, most: most, bySet: make(map[string]int32), same: make(map[string]int32)}
}

// state returns the state of a set of nodes, which it takes over.
func (d *determinizer) state(set []int32) (int32, error) {
	set = d.closed(set)
	key := setKey(set)
	if known, ok := d.bySet[key]; ok {
		return known, nil
	}
	if len(d.bySet) >= d.most {
		return 0, fmt.Errorf("need more than %d states", d.most)
	}
	made := state{}
	for _, n := range set {
		made.accepts |= d.g.nodes[n].accepts
	}
	var err error
	if made.edges, err = d.edges(set); err != nil {
		return 0, err
	}
	id := d.intern(made)
	d.bySet[key] = id
	return id, nil
}

// closed adds the nodes that those of the set stand for.
func (d *determinizer) closed(set []int32) []int32 {
	slices.Sort(set)
	set = slices.Compact(set)
	direct := len(set)
	for i := 0; i < len(set); i++ {
		for _, n := range d.g.nodes[set[i]].same {
			if !slices.Contains(set[direct:], n) {
				set = append(set, n)
			}
		}
	}
	if len(set) > direct {
		slices.Sort(set)
		set = slices.Compact(set)
	}
	return set
}

func setKey(set []int32) string {
	b := make([]byte, 0, 4*len(set))
	for _, n := range set {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}

// edges returns those of a set of nodes, no byte in two of them.
func (d *determinizer) edges(set []int32) (made []edge, err error) {
	if only := d.g.nodes[set[0]].edges; len(set) == 1 && len(only) == 1 { // most of a trie
		next, err := d.state([]int32{only[0].to})
		return []edge{{only[0].lo, only[0].hi, next}}, err
	}
	var cut [257]bool // where another range begins
	count := 0
	for _, n := range set {
		for _, e := range d.g.nodes[n].edges {
			cut[e.lo], cut[int(e.hi)+1] = true, true
			count++
		}
	}
	if count == 0 {
		return nil, nil
	}
	var to [256][]int32
	for _, n := range set {
		for _, e := range d.g.nodes[n].edges {
			for b := int(e.lo); b <= int(e.hi); b++ {
				if cut[b] {
					to[b] = append(to[b], e.to)
				}
			}
		}
	}
	for b := 0; b < 256; b++ {
		targets := to[b]
		if len(targets) == 0 {
			continue
		}
		next, err := d.state(targets)
		if err != nil {
			return nil, err
		}
		hi := b
		for !cut[hi+1] {
			hi++
		}
		if last := len(made) - 1; last >= 0 && made[last].to == next && int(made[last].hi)+1 == b {
			made[last].hi = byte(hi)
		} else {
			made = append(made, edge{byte(b), byte(hi), next})
		}
	}
	return made, nil
}

// intern returns the state that is as made.
func (d *determinizer) intern(made state) int32 {
	b := binary.LittleEndian.AppendUint16(d.key[:0], made.accepts)
	for _, e := range made.edges {
		b = binary.LittleEndian.AppendUint32(append(b, e.lo, e.hi), uint32(e.to))
	}
	d.key = b
	if known, ok := d.same[string(b)]; ok {
		return known
	}
	id := int32(len(d.states))
	d.states = append(d.states, made)
	d.same[string(b)] = id
	return id
}
