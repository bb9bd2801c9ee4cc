package spec

import "slices"

// Names finds models by any of their names.
type Names struct{ entries []nameEntry }

type nameEntry struct {
	name  string
	model int32
	alias int32 // -1: the canonical name
}

// NewNames indexes the names and aliases of models. Of a name that stands there
// twice, Find returns one.
func NewNames(models []Model) Names {
	var n Names
	for i := range models {
		n.entries = append(n.entries, nameEntry{models[i].Name, int32(i), -1})
		for j, alias := range models[i].Aliases {
			n.entries = append(n.entries, nameEntry{alias, int32(i), int32(j)})
		}
	}
	slices.SortFunc(n.entries, func(a, b nameEntry) int {
		switch {
		case a.name < b.name:
			return -1
		case a.name > b.name:
			return 1
		case a.model != b.model:
			return int(a.model - b.model)
		}
		return int(a.alias - b.alias)
	})
	return n
}

// Len returns the number of names.
func (n Names) Len() int { return len(n.entries) }

// At returns the name of rank i in byte order, and the index of its model.
func (n Names) At(i int) (name string, model int) {
	return n.entries[i].name, int(n.entries[i].model)
}

// Find returns the index of the model that has this name or alias, -1 for none.
func (n Names) Find(name string) int {
	if i := n.Rank(name); i >= 0 {
		return int(n.entries[i].model)
	}
	return -1
}

// Rank returns the rank of a name in byte order, -1 if it is no model's.
func (n Names) Rank(name string) int {
	lo, hi := 0, len(n.entries)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if n.entries[mid].name < name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(n.entries) && n.entries[lo].name == name {
		return lo
	}
	return -1
}
