package snapshot

import "slices"

// Change is what separates the resources of one type in two snapshots. All
// names are sorted.
type Change struct {
	// TypeURL is one of Types.
	TypeURL string
	// Added are in the new snapshot only.
	Added []string
	// Changed are in both, with another version.
	Changed []string
	// Removed are in the old snapshot only.
	Removed []string
}

// Diff returns what changes from before to after, one entry for each type in
// which something does, in the order of Types. Either may be nil. What the two
// have in common costs nothing, however each was made.
func Diff(before, after *Snapshot) []Change {
	if before == nil {
		before = &Snapshot{}
	}
	if after == nil {
		after = &Snapshot{}
	}
	var changes []Change
	for k := range kinds {
		change := Change{TypeURL: typeURLs[k]}
		change.branches(before.roots[k], after.roots[k])
		if len(change.Added)+len(change.Changed)+len(change.Removed) == 0 {
			continue
		}
		slices.Sort(change.Added)
		slices.Sort(change.Changed)
		slices.Sort(change.Removed)
		changes = append(changes, change)
	}
	return changes
}

func (c *Change) branches(before, after *branch) {
	if before == after || before.sum() == after.sum() {
		return
	}
	for nibble := range 16 {
		c.children(before.at(nibble), after.at(nibble))
	}
}

func (c *Change) children(before, after child) {
	switch {
	case before.empty():
		after.each(c.added)
	case after.empty():
		before.each(c.removed)
	case before.branch != nil && after.branch != nil:
		c.branches(before.branch, after.branch)
	case before.slot != nil:
		c.one(before.slot, after, c.removed, c.added)
	default:
		c.one(after.slot, before, c.added, c.removed)
	}
}

// one compares a slot with all of the other side.
func (c *Change) one(own *slot, others child, alone, other func(*slot) bool) {
	met := false
	others.each(func(s *slot) bool {
		if s.key != own.key {
			return other(s)
		}
		met = true
		if s.content != own.content {
			c.Changed = append(c.Changed, s.resource.Name)
		}
		return true
	})
	if !met {
		alone(own)
	}
}

func (c *Change) added(s *slot) bool {
	c.Added = append(c.Added, s.resource.Name)
	return true
}

func (c *Change) removed(s *slot) bool {
	c.Removed = append(c.Removed, s.resource.Name)
	return true
}
