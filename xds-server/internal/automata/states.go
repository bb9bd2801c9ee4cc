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
	byNode []int32 // one more than the state of each node by itself, as most of a trie's are
	bySet  map[string]int32
	same   map[string]int32 // states, by what they are
	key    []byte
}

func newDeterminizer(g *graph, most int) *determinizer {
	return &determinizer{g: g, most: most, byNode: make([]int32, len(g.nodes)), bySet: make(map[string]int32), same: make(map[string]int32)}
}

// state returns the state of a set of nodes, which it takes over.
func (d *determinizer) state(set []int32) (int32, error) {
	set = d.closed(set)
	if len(set) == 1 {
		return d.single(set)
	}
	key := setKey(set)
	if known, ok := d.bySet[key]; ok {
		return known, nil
	}
	if len(d.bySet) >= d.most {
		return 0, fmt.Errorf("need more than %d states", d.most)
	}
	id, err := d.made(set)
	if err == nil {
		d.bySet[key] = id
	}
	return id, err
}

// single is state for a set of one node.
func (d *determinizer) single(set []int32) (int32, error) {
	n := set[0]
	if known := d.byNode[n]; known > 0 {
		return known - 1, nil
	}
	id, err := d.made(set)
	if err == nil {
		d.byNode[n] = id + 1
	}
	return id, err
}

// made makes the state of a set that has none.
func (d *determinizer) made(set []int32) (int32, error) {
	made := state{}
	for _, n := range set {
		made.accepts |= d.g.nodes[n].accepts
	}
	var err error
	if made.edges, err = d.edges(set); err != nil {
		return 0, err
	}
	return d.intern(made), nil
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
	if only := d.g.nodes[set[0]].edges; len(set) == 1 && apart(only) { // most of a trie
		return d.follow(only)
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
		made = appendEdge(made, edge{byte(b), byte(hi), next})
	}
	return made, nil
}

// apart says whether no byte is in two of the edges.
func apart(edges []edge) bool {
	var seen [4]uint64
	for _, e := range edges {
		for b := int(e.lo); b <= int(e.hi); b++ {
			if seen[b/64]>>(b%64)&1 != 0 {
				return false
			}
			seen[b/64] |= 1 << (b % 64)
		}
	}
	return true
}

// follow is edges for a node by itself whose edges are apart.
func (d *determinizer) follow(edges []edge) ([]edge, error) {
	ordered := slices.SortedFunc(slices.Values(edges), func(a, b edge) int { return int(a.lo) - int(b.lo) })
	made := make([]edge, 0, len(edges))
	for _, e := range ordered {
		next, err := d.state([]int32{e.to})
		if err != nil {
			return nil, err
		}
		made = appendEdge(made, edge{e.lo, e.hi, next})
	}
	return made, nil
}

// appendEdge appends an edge behind those of lesser bytes.
func appendEdge(made []edge, e edge) []edge {
	if last := len(made) - 1; last >= 0 && made[last].to == e.to && made[last].hi+1 == e.lo {
		made[last].hi = e.hi
		return made
	}
	return append(made, e)
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
