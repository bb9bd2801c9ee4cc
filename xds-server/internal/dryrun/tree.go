package dryrun

import (
	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
)

// climb says how the request came through the tree of its model, and what the other
// slots of the hash that decided last would have got.
func (e *Explanation) climb(model *catalog.Model) {
	route := &model.Route
	weights := make([]uint32, len(route.Split))
	for i, share := range route.Split {
		weights[i] = share.Weight
	}
	pick := func(bucket uint16) string {
		if i := split.Pick(weights, bucket); i >= 0 {
			return route.Split[i].Version
		}
		return ""
	}
	if route.Tree != nil {
		e.Steps = route.Tree.Steps(e.Record.Path)
		var versions []string
		for _, v := range model.Versions {
			versions = append(versions, v.Name)
		}
		e.Slots = route.Tree.Slots(e.Record.Path, versions, route.Salt, pick)
	}
	if e.Slots == nil && e.Record.VersionBy == "route" && len(route.Split) > 1 {
		e.Slots = routetree.SplitSlots(route.Salt, pick)
	}
}

func (e *Explanation) formatTree(t *table) {
	name := "tree"
	for _, step := range e.Steps {
		answer := "no:  "
		if step.Yes {
			answer = "yes: "
		}
		t.row(name, answer+step.Test)
		name = ""
	}
	if e.Slots != nil {
		t.row("slots", "of 100 by the hash of "+e.Slots.Of+": "+e.Slots.String())
	}
}
