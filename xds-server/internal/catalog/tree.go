package catalog

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
)

// strategies are the ways in which a route may choose a version.
var strategies = routetree.Standard()

// tree compiles the policy of a route, and checks that something takes what it
// leaves.
func (c *checker) tree(e entry[api.ModelRoute], refs versionRefs, route *Route) {
	const field = "spec.split"
	rest := len(route.Split) > 0
	if refs.check {
		var versions []string
		for _, v := range refs.model.value.Spec.Versions {
			versions = append(versions, v.Name.String())
		}
		before := len(c.issues)
		route.Tree = strategies.Compile(routetree.Route{Spec: &e.value.Spec, Versions: versions, Salt: route.Salt},
			func(field, message, hint string) { c.at(e.unit, field, message, hint, refs.model.key) })
		if len(c.issues) > before {
			return // what it leaves is not known
		}
	}
	total := route.Tree != nil && route.Tree.Total
	if e.value.Spec.Version != nil {
		if total {
			c.at(e.unit, "spec.version", "no request is left for it: rules and policy decide about all", "remove it")
		}
		return
	}
	switch {
	case total && rest:
		c.at(e.unit, field, "no request is left for it: rules and policy decide about all", "remove it")
	case !total && !rest && refs.check:
		c.at(e.unit, field, "field is missing", "split, or version, takes the requests that nothing else decides about")
	}
}

// trees are the trees of all models, over one list of attributes.
func trees(models []*Model) (attributes []spec.Attribute, trees []spec.Tree) {
	for _, m := range models {
		if m.Route.Tree != nil {
			attributes = append(attributes, m.Route.Tree.Attributes...)
		}
	}
	slices.SortFunc(attributes, spec.Attribute.Compare)
	attributes = slices.Compact(attributes)
	for _, m := range models {
		if m.Route.Tree != nil {
			trees = append(trees, m.Route.Tree.Over(m.Name, attributes))
		}
	}
	return attributes, trees
}

// locateTree makes an issue of what the filter objects to in the trees: the last
// route that has one is as good a place as any, because they are too many together.
func (w *world) locateTree(document *spec.Document, unknown issue) issue {
	if len(document.Trees) == 0 {
		return unknown
	}
	name := document.Trees[len(document.Trees)-1].Model
	for _, u := range w.units[api.KindModelRoute] {
		if e := as[api.ModelRoute](u); e.value.Spec.Model.String() == name {
			return issue{
				Problem: w.problem(u, "spec.policy", unknown.Message, "use fewer headers, parameters and fields in all routes together"),
				about:   u.key, involves: []key{{kind: api.KindModelRoute}},
			}
		}
	}
	return unknown
}
