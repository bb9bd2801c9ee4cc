package catalog

import (
	"cmp"
	"reflect"
	"slices"
)

func (g *Gateway) id() string   { return g.Name }
func (l *Limit) id() string     { return l.Name }
func (r *Redaction) id() string { return r.Name }

// kept sorts values by name, and puts the old one in the place of each that
// equals it. If all do, the result is old.
func kept[T any](values, old []*T, id func(*T) string) []*T {
	slices.SortFunc(values, func(a, b *T) int { return cmp.Compare(id(a), id(b)) })
	for i, value := range values {
		at, found := slices.BinarySearchFunc(old, id(value), func(o *T, name string) int { return cmp.Compare(id(o), name) })
		if found && reflect.DeepEqual(old[at], value) {
			values[i] = old[at]
		}
	}
	if slices.Equal(values, old) {
		return old
	}
	return values
}

// equal reports whether two models are the same in all that they say.
func (m *Model) equal(other *Model) bool { return m == other || reflect.DeepEqual(m, other) }

// samePolicy reports whether the filter is told the same of two models.
func (m *Model) samePolicy(other *Model) bool {
	if m == other {
		return true
	}
	return reflect.DeepEqual(m.policy, other.policy) && reflect.DeepEqual(m.Route.Tree, other.Route.Tree)
}
