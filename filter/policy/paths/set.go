package paths

// Set is compiled rules. It is immutable and may be shared.
type Set struct {
	nodes []node
	// table has the nodes by where they are and what they are called: a node stands at its
	// slot, or behind it with none free in between; 0 is free. Every name in a body is
	// looked up, most in vain: that reads one or two entries, where a walk along the
	// places beside each other reads hundreds of bytes, which are in no cache.
	table []uint16
}

// node is a place that a rule names or that lies on the way to one.
type node struct {
	name  string // of the member, item for the items of a list
	mark  Mark
	child uint16 // first of the places in this one, 0: none
	next  uint16 // next of the places beside this one, 0: none
	above uint16 // the place that it is in
}

// item stands for the name of the items of a list. No name has a bracket.
const item = "[*]"

// nowhere is no node: nothing is said of the place or of any in it.
const nowhere = 1<<16 - 1

// Check says what is wrong with a path, as an Error, or nil.
func Check(path string) error {
	if path == "" {
		return ErrEmpty
	}
	steps := 0
	for rest := path; rest != ""; steps++ {
		if steps == MaxSteps {
			return ErrSteps
		}
		var err error
		if _, rest, err = step(rest, steps == 0); err != nil {
			return err
		}
	}
	return nil
}

// step cuts the first step off a path.
//
//go:noinline
func step(path string, first bool) (name, rest string, err error) {
	if path[0] == '[' {
		if len(path) < len(item) || path[:len(item)] != item {
			return "", "", ErrItem
		}
		return item, path[len(item):], nil
	}
	if !first {
		if path[0] != '.' {
			return "", "", ErrItem // a name right behind a bracket
		}
		path = path[1:]
	}
	end := 0
	for end < len(path) && path[end] != '.' && path[end] != '[' {
		if path[end] == ']' {
			return "", "", ErrItem
		}
		end++
	}
	if end == 0 || end > MaxName {
		return "", "", ErrName
	}
	return path[:end], path[end:], nil
}

// Compile makes a set of rules. A rule takes the place of earlier ones for its place and,
// unless it is Alone, for all places in it. A path that Check refuses marks nothing.
func Compile(rules ...[]Rule) *Set {
	s := &Set{nodes: make([]node, 1, 64)}
	for _, some := range rules {
		for _, r := range some {
			if Check(r.Path) == nil {
				s.add(r)
			}
		}
	}
	size := 4
	for size < 2*len(s.nodes) {
		size *= 2
	}
	s.table = make([]uint16, size)
	s.enter(0)
	return s
}

// enter puts all places in another one into the table.
func (s *Set) enter(at uint16) {
	for i := s.nodes[at].child; i != 0; i = s.nodes[i].next {
		slot := s.slot(at, s.nodes[i].name)
		for s.table[slot] != 0 {
			slot = s.after(slot)
		}
		s.table[slot] = i
		s.nodes[i].above = at
		s.enter(i)
	}
}

// slot is where the search for a place begins.
func (s *Set) slot(at uint16, name string) int {
	h := uint32(at)*31 + uint32(len(name))
	if n := len(name); n > 0 {
		h = (h*31+uint32(name[0]))*31 + uint32(name[n-1])
		h = h*31 + uint32(name[n/2])
	}
	return int(h>>5^h) & (len(s.table) - 1)
}

func (s *Set) after(slot int) int { return (slot + 1) & (len(s.table) - 1) }

func (s *Set) add(r Rule) {
	at := uint16(0)
	for rest := r.Path; rest != ""; {
		var name string
		name, rest, _ = step(rest, len(rest) == len(r.Path)) // it was checked
		next := s.beside(s.nodes[at].child, name)
		if next == nowhere {
			if next = uint16(len(s.nodes)); next == nowhere {
				return // more places than any policy has room for
			}
			s.nodes = append(s.nodes, node{name: name, next: s.nodes[at].child})
			s.nodes[at].child = next
		}
		at = next
	}
	s.nodes[at].mark = r.Mark
	if r.Mark&Alone == 0 {
		s.nodes[at].child = 0
	}
}

// beside returns the place of this name among those from the first on, while the set is
// made.
func (s *Set) beside(first uint16, name string) uint16 {
	for i := first; i != 0; i = s.nodes[i].next {
		if s.nodes[i].name == name {
			return i
		}
	}
	return nowhere
}

// find returns the place of this name in another one.
//
//go:noinline
func (s *Set) find(at uint16, name string) uint16 {
	if at == nowhere {
		return nowhere
	}
	for slot := s.slot(at, name); s.table[slot] != 0; slot = s.after(slot) {
		i := s.table[slot]
		if n := &s.nodes[i]; n.above == at && n.name == name {
			return i
		}
	}
	return nowhere
}
