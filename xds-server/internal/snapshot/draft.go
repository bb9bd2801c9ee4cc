package snapshot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// maxProblems is how many problems one error names.
const maxProblems = 16

// draft is the next snapshot in the making: the slots that the change touches,
// as they will be, over a base.
type draft struct {
	base *Snapshot
	// touched holds copies of the base's slots, and new ones. A slot without a
	// resource is a name that is not there, with the count of who needs it.
	touched [kinds]map[string]*touch
}

type touch struct {
	slot
	before *Resource
	set    bool // the change names it
}

// touch returns the slot of a name for editing.
func (d *draft) touch(k kind, name string) *touch {
	if t, ok := d.touched[k][name]; ok {
		return t
	}
	if d.touched[k] == nil {
		d.touched[k] = make(map[string]*touch)
	}
	t := &touch{slot: slot{key: keyOf(name)}}
	if d.base != nil {
		if old := d.base.roots[k].find(t.key); old != nil {
			t.slot, t.before = *old, old.resource
		}
	}
	d.touched[k][name] = t
	return t
}

func (d *draft) put(r *Resource) error {
	if !r.known {
		return fmt.Errorf("resource %q has the type %q, which no snapshot holds, or was not made by NewResource", r.Name, r.Body.GetTypeUrl())
	}
	t := d.touch(r.kind, r.Name)
	if t.set {
		return fmt.Errorf("two resources of type %s have the name %q", r.kind, r.Name)
	}
	t.set, t.resource = true, r
	return nil
}

func (d *draft) remove(ref Ref) error {
	k, known := kindOf(ref.TypeURL)
	if !known {
		return fmt.Errorf("remove %q: no snapshot holds the type %q", ref.Name, ref.TypeURL)
	}
	t := d.touch(k, ref.Name)
	if t.set {
		return fmt.Errorf("%s %q comes twice in one change, at least once to be removed", k, ref.Name)
	}
	t.set, t.resource = true, nil
	return nil
}

// count brings the counts of references up to what the change names.
func (d *draft) count() {
	var changed []*touch
	for _, touched := range d.touched {
		for _, t := range touched {
			if t.resource != t.before {
				changed = append(changed, t)
			}
		}
	}
	for _, t := range changed {
		d.shift(t.before, -1)
		d.shift(t.resource, +1)
	}
}

func (d *draft) shift(r *Resource, by int) {
	if r == nil {
		return
	}
	for _, ref := range r.needs {
		d.touch(ref.kind, ref.name).needed += by
	}
}

// check looks at the slots that the change touches: no other can have broken.
func (d *draft) check() error {
	var problems []error
	for k := range kinds {
		for _, name := range d.broken(k) {
			problems = append(problems, d.problem(k, name))
			if len(problems) > maxProblems {
				problems[maxProblems] = errors.New("and there are more")
				return fmt.Errorf("snapshot is not consistent: %w", errors.Join(problems...))
			}
		}
	}
	if scopes := d.len(scopeKind); scopes > 0 && d.scopeReaders() == 0 {
		problems = append(problems, fmt.Errorf("%d scoped routes, but no listener looks for scopes", scopes))
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("snapshot is not consistent: %w", errors.Join(problems...))
}

// broken returns the names of a kind that are needed and not there, or there
// and not needed, sorted.
func (d *draft) broken(k kind) []string {
	var names []string
	for name, t := range d.touched[k] {
		missing := t.resource == nil && t.needed > 0
		idle := t.resource != nil && t.needed == 0 && mustBeNeeded(k)
		if missing || idle {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// mustBeNeeded tells what would dangle from what Envoy asks for by itself
// (clusters, listeners and scopes: wildcards).
func mustBeNeeded(k kind) bool {
	return k == endpointKind || k == secretKind || k == extensionKind || k == routeKind
}

func (d *draft) problem(k kind, name string) error {
	if r := d.touched[k][name].resource; r != nil {
		return fmt.Errorf("nothing refers to %s %q%s", k, name, r.from())
	}
	by := d.referrer(need{k, name})
	return fmt.Errorf("%s %q%s refers to %s %q, which is not there", by.kind, by.Name, by.from(), k, name)
}

// referrer finds a resource that needs the target, the same one each time. It
// looks through everything: only an error costs that.
func (d *draft) referrer(target need) *Resource {
	var found []*Resource
	for k := range kinds {
		for _, t := range d.touched[k] {
			if t.resource != nil && slices.Contains(t.resource.needs, target) {
				found = append(found, t.resource)
			}
		}
		for r := range d.base.All(typeURLs[k]) {
			if d.touched[k][r.Name] == nil && slices.Contains(r.needs, target) {
				found = append(found, r)
			}
		}
	}
	return slices.MinFunc(found, func(a, b *Resource) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.Name, b.Name))
	})
}

// len is the number of resources of a kind in the result.
func (d *draft) len(k kind) int {
	total := d.base.Len(typeURLs[k])
	for _, t := range d.touched[k] {
		if t.before != nil {
			total--
		}
		if t.resource != nil {
			total++
		}
	}
	return total
}

func (d *draft) scopeReaders() int {
	total := 0
	if d.base != nil {
		total = d.base.scopeReaders
	}
	for _, t := range d.touched[listenerKind] {
		if t.before != nil && t.before.readsScopes {
			total--
		}
		if t.resource != nil && t.resource.readsScopes {
			total++
		}
	}
	return total
}

// snapshot builds the result.
func (d *draft) snapshot() *Snapshot {
	next := &Snapshot{scopeReaders: d.scopeReaders()}
	for k := range kinds {
		var root *branch
		if d.base != nil {
			root = d.base.roots[k]
		}
		next.roots[k] = root
		if edits := d.edits(k); len(edits) > 0 {
			next.roots[k] = root.apply(0, edits)
		}
	}
	return next.sealed()
}

// edits returns what the change does to the tree of a kind, sorted by key.
func (d *draft) edits(k kind) []edit {
	edits := make([]edit, 0, len(d.touched[k]))
	for _, t := range d.touched[k] {
		e := edit{key: t.key}
		switch {
		case t.resource != nil:
			own := t.slot // not t itself: it would keep what was before alive
			if t.resource != t.before {
				own.seal()
			}
			e.slot = &own
		case t.before == nil:
			continue // it was not there, and is not
		}
		edits = append(edits, e)
	}
	slices.SortFunc(edits, func(a, b edit) int { return bytes.Compare(a.key[:], b.key[:]) })
	return edits
}
