package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The ways in which a resource differs.
const (
	Added   Difference = "added"
	Changed Difference = "changed"
	Removed Difference = "removed"
)

// Difference says in which of two snapshots a resource is.
type Difference string

// Comparison tells people and programs what separates two snapshots. Its JSON
// is stable. It holds no secret: see Resource.Shown.
type Comparison struct {
	// Before and After are the versions; empty for the nil snapshot.
	Before string `json:"before"`
	After  string `json:"after"`
	// Resources are sorted by type, in the order of Types, and name.
	Resources []ResourceChange `json:"resources"`
}

// ResourceChange is how one resource differs.
type ResourceChange struct {
	TypeURL    string     `json:"type"`
	Name       string     `json:"name"`
	Difference Difference `json:"difference"`
	// Before and After are versions; empty where the resource is not there.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Origin is that of the newer one, or of the removed one.
	Origin string `json:"origin,omitempty"`
	// Fields are those of a changed resource, in the order of their paths.
	Fields []FieldChange `json:"fields,omitempty"`
}

// FieldChange is how one field differs.
type FieldChange struct {
	// Path leads from the message to the field by the names of protobuf's JSON,
	// such as virtualHosts["m"].routes[1].route.weightedClusters: elements of a
	// list go by their own names where all have one, by index otherwise. A text
	// that is a JSON object itself, such as a filter's policy, is looked into.
	Path string `json:"path"`
	// Before and After are JSON; empty where the field is not there.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Compare returns what separates after from before; either may be nil. What
// they have in common costs nothing.
func Compare(before, after *Snapshot) Comparison {
	c := Comparison{Before: before.Version(), After: after.Version(), Resources: []ResourceChange{}}
	for _, change := range Diff(before, after) {
		first := len(c.Resources)
		for _, name := range change.Added {
			r := after.Get(change.TypeURL, name)
			c.Resources = append(c.Resources, ResourceChange{TypeURL: change.TypeURL, Name: name, Difference: Added, After: r.Version, Origin: r.Origin})
		}
		for _, name := range change.Changed {
			c.Resources = append(c.Resources, compareResources(before.Get(change.TypeURL, name), after.Get(change.TypeURL, name)))
		}
		for _, name := range change.Removed {
			r := before.Get(change.TypeURL, name)
			c.Resources = append(c.Resources, ResourceChange{TypeURL: change.TypeURL, Name: name, Difference: Removed, Before: r.Version, Origin: r.Origin})
		}
		slices.SortFunc(c.Resources[first:], func(a, b ResourceChange) int { return cmp.Compare(a.Name, b.Name) })
	}
	return c
}

func compareResources(before, after *Resource) ResourceChange {
	var fields fieldDiff
	fields.compare("", before.tree(), after.tree())
	return ResourceChange{
		TypeURL: after.Body.GetTypeUrl(), Name: after.Name, Difference: Changed,
		Before: before.Version, After: after.Version, Origin: after.Origin, Fields: fields.found,
	}
}

// maxShownValue is how many bytes of a value a line of String shows.
const maxShownValue = 160

// String is the comparison for people: a line for each resource and, indented,
// for each field, with long values cut off; then how many there are.
func (c Comparison) String() string {
	var out strings.Builder
	counts := make(map[Difference]int)
	for _, r := range c.Resources {
		counts[r.Difference]++
		k, _ := kindOf(r.TypeURL)
		fmt.Fprintf(&out, "%s %s %s", mark(r.Difference), k, r.Name)
		if r.Origin != "" {
			fmt.Fprintf(&out, " (%s)", r.Origin)
		}
		out.WriteByte('\n')
		for _, f := range r.Fields {
			f.write(&out)
		}
	}
	if len(c.Resources) == 0 {
		return "nothing differs\n"
	}
	fmt.Fprintf(&out, "%d added, %d changed, %d removed\n", counts[Added], counts[Changed], counts[Removed])
	return out.String()
}

func (f FieldChange) write(out *strings.Builder) {
	switch {
	case f.Before == "":
		fmt.Fprintf(out, "    + %s: %s\n", f.Path, cut(f.After))
	case f.After == "":
		fmt.Fprintf(out, "    - %s: %s\n", f.Path, cut(f.Before))
	default:
		fmt.Fprintf(out, "    ~ %s: %s -> %s\n", f.Path, cut(f.Before), cut(f.After))
	}
}

func mark(d Difference) string {
	switch d {
	case Added:
		return "+"
	case Removed:
		return "-"
	default:
		return "~"
	}
}

// cut shortens a value between two characters.
func cut(value string) string {
	if len(value) <= maxShownValue {
		return value
	}
	return strings.ToValidUTF8(value[:maxShownValue], "") + fmt.Sprintf("... (%d bytes)", len(value))
}
