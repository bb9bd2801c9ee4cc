package stage

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Group is a set of Envoys that get a configuration in two steps.
type Group struct {
	Name      string
	Canaries  []spiffeid.ID // get it first; at least one
	Followers []spiffeid.ID // get it when every canary accepted it
	// Proceed without canaries that are not connected, after a short grace for
	// those that come back; otherwise they are waited for.
	Proceed bool
	// Timeout is how long canaries may take before the configuration counts as
	// held. It is given on even then, should they accept it.
	Timeout time.Duration
}

func (g Group) members() []spiffeid.ID { return slices.Concat(g.Canaries, g.Followers) }

// pick is the part of a configuration that concerns the group.
func (g Group) pick(all Snapshots) Snapshots {
	part := make(Snapshots, len(g.Canaries)+len(g.Followers))
	for _, id := range g.members() {
		if snap := all[id]; snap != nil {
			part[id] = snap
		}
	}
	return part
}

func (g Group) equal(other Group) bool {
	return g.Name == other.Name && g.Proceed == other.Proceed && g.Timeout == other.Timeout &&
		slices.Equal(g.Canaries, other.Canaries) && slices.Equal(g.Followers, other.Followers)
}

// disjoint merges groups that share an Envoy, because an Envoy has one
// configuration, and sorts them. Who is a canary in one of the merged is a canary
// in all; the strictest rule and the longest time hold.
func disjoint(groups []Group) []Group {
	var merged []Group
	for _, g := range groups {
		if len(g.Canaries) == 0 {
			continue // nobody tries it for the others
		}
		apart := merged[:0:0]
		for _, m := range merged {
			if overlap(m, g) {
				g = join(m, g)
			} else {
				apart = append(apart, m)
			}
		}
		merged = append(apart, g)
	}
	for i := range merged {
		merged[i] = merged[i].normal()
	}
	slices.SortFunc(merged, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return merged
}

func overlap(a, b Group) bool {
	return slices.ContainsFunc(a.members(), func(id spiffeid.ID) bool { return slices.Contains(b.members(), id) })
}

func join(a, b Group) Group {
	return Group{
		Name:      min(a.Name, b.Name) + "+" + max(a.Name, b.Name),
		Canaries:  slices.Concat(a.Canaries, b.Canaries),
		Followers: slices.Concat(a.Followers, b.Followers),
		Proceed:   a.Proceed && b.Proceed,
		Timeout:   max(a.Timeout, b.Timeout),
	}
}

// normal sorts the members and names each once.
func (g Group) normal() Group {
	g.Canaries = sorted(g.Canaries)
	g.Followers = slices.DeleteFunc(sorted(g.Followers), func(id spiffeid.ID) bool { return slices.Contains(g.Canaries, id) })
	return g
}

func sorted(ids []spiffeid.ID) []spiffeid.ID {
	ids = slices.SortedFunc(slices.Values(ids), func(a, b spiffeid.ID) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(ids)
}
