package spec

import "slices"

// Names finds models by any of their names.
type Names struct {
	models  []Model
	entries []nameEntry // sorted by name
}

// nameEntry is where a name stands: less memory than the name with its model, and
// none that the garbage collector must look at.
type nameEntry struct {
	model int32
	alias int32 // -1: the canonical name
}

// NewNames indexes the names and aliases of models, which must not change
// afterwards. Of a name that stands there twice, Find returns one.
func NewNames(models []Model) Names {
	var n Names
	n.index(models)
	return n
}

// index is NewNames in the memory that n has.
func (n *Names) index(models []Model) {
	size := len(models)
	for i := range models {
		size += len(models[i].Aliases)
	}
	if size > cap(n.entries) {
		n.entries = make([]nameEntry, 0, size)
	}
	n.models, n.entries = models, n.entries[:0]
	for i := range models {
		n.entries = append(n.entries, nameEntry{int32(i), -1})
		for j := range models[i].Aliases {
			n.entries = append(n.entries, nameEntry{int32(i), int32(j)})
		}
	}
	slices.SortFunc(n.entries, n.compare)
}

// compare orders names, and equal ones by where they stand.
func (n *Names) compare(a, b nameEntry) int {
	x, y := n.name(a), n.name(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case a.model != b.model:
		return int(a.model - b.model)
	}
	return int(a.alias - b.alias)
}

func (n *Names) name(e nameEntry) string {
	if e.alias < 0 {
		return n.models[e.model].Name
	}
	return n.models[e.model].Aliases[e.alias]
}

// Len returns the number of names.
func (n *Names) Len() int { return len(n.entries) }

// At returns the name of rank i in byte order, and the index of its model.
func (n *Names) At(i int) (name string, model int) {
	return n.name(n.entries[i]), int(n.entries[i].model)
}

// Find returns the index of the model that has this name or alias, -1 for none.
func (n *Names) Find(name string) int {
	if i := n.Rank(name); i >= 0 {
		return int(n.entries[i].model)
	}
	return -1
}

// Rank returns the rank of a name in byte order, -1 if it is no model's.
func (n *Names) Rank(name string) int {
	lo, hi := 0, len(n.entries)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if n.name(n.entries[mid]) < name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(n.entries) && n.name(n.entries[lo]) == name {
		return lo
	}
	return -1
}
