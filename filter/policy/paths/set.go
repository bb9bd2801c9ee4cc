package paths

// Set is compiled rules. It is immutable and may be shared.
type Set struct{ nodes []node }

// node is a place that a rule names or that lies on the way to one.
type node struct {
	name  string // of the member, item for the items of a list
	mark  Mark
	child uint16 // first of the places in this one, 0: none
	next  uint16 // next of the places beside this one, 0: none
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
	return s
}

func (s *Set) add(r Rule) {
	at := uint16(0)
	for rest := r.Path; rest != ""; {
		var name string
		name, rest, _ = step(rest, len(rest) == len(r.Path)) // it was checked
		next := s.find(at, name)
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

// find returns the place of this name in another one.
//
//go:noinline
func (s *Set) find(at uint16, name string) uint16 {
	if at == nowhere {
		return nowhere
	}
	for i := s.nodes[at].child; i != 0; i = s.nodes[i].next {
		if s.nodes[i].name == name {
			return i
		}
	}
	return nowhere
}
