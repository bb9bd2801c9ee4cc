package snapshot

import (
	"maps"
	"slices"
)

// Change is what separates the resources of one type in two snapshots. All
// names are sorted.
type Change struct {
	TypeURL string
	Added   []string // in the new snapshot only
	Changed []string // in both, with another version
	Removed []string // in the old snapshot only
}

// Diff returns what changes from before to after, one entry for each type in
// which something does, in the order of Types. Either may be nil.
func Diff(before, after *Snapshot) []Change {
	var changes []Change
	for _, url := range Types() {
		change := diffType(url, before.Resources(url), after.Resources(url))
		if len(change.Added)+len(change.Changed)+len(change.Removed) > 0 {
			changes = append(changes, change)
		}
	}
	return changes
}

func diffType(url string, before, after map[string]*Resource) Change {
	change := Change{TypeURL: url}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		old, had := before[name]
		switch {
		case !had:
			change.Added = append(change.Added, name)
		case old.Version != after[name].Version:
			change.Changed = append(change.Changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, has := after[name]; !has {
			change.Removed = append(change.Removed, name)
		}
	}
	return change
}
