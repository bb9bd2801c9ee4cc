package catalog

import (
	"maps"
	"slices"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// issue is a problem, and whose change may be the cause of it.
type issue struct {
	Problem
	// about is the resource that says what is wrong; zero: none does.
	about key
	// involves are other resources that it takes for the problem to be there. One
	// without a name stands for all of its kind.
	involves []key
	// absence: something was not found; it may be in a document that could not be read.
	absence bool
	// model is the name of a Model that was not found; a similar one is a hint.
	model string
}

// checker checks one section of a world and gathers the issues.
type checker struct {
	*world
	issues []issue
}

// at reports a problem of a resource at a field, unless what is there could not
// be read: then the problem that says so is enough.
func (c *checker) at(u *unit, field, message, hint string, involves ...key) {
	if !u.doc.Failed(field) {
		c.issues = append(c.issues, issue{Problem: c.problem(u, field, message, hint), about: u.key, involves: involves})
	}
}

// missing is at for something that was not found. It reports whether it reported.
func (c *checker) missing(u *unit, field, message, hint string, involves ...key) bool {
	before := len(c.issues)
	c.at(u, field, message, hint, involves...)
	if len(c.issues) == before {
		return false
	}
	c.issues[before].absence = true
	return true
}

// whole reports that there is no resource of a kind.
func (c *checker) whole(kind, message, hint string) {
	c.issues = append(c.issues, issue{Problem: Problem{Message: message, Hint: hint}, involves: []key{{kind: kind}}, absence: true})
}

// check brings the findings up to what the world holds. What comes out equal to
// what current has is current's.
func (w *world) check(current *Catalog) {
	if current == nil {
		current = &Catalog{}
	}
	section := func(check func(c *checker)) []issue {
		c := &checker{world: w}
		check(c)
		return c.issues
	}
	if w.stale.trust {
		w.found.trustIssues = section(func(c *checker) { w.found.trust = c.trustDomain() })
		w.touchMembers()
	}
	if w.stale.gateways {
		w.found.gatewayIssues = section(func(c *checker) { w.found.gateways = kept(c.gateways(), current.Gateways, (*Gateway).id) })
	}
	if w.stale.policies {
		w.found.policyIssues = section(func(c *checker) {
			w.found.limits = kept(c.limits(), current.Limits, (*Limit).id)
			w.found.redactions = kept(c.redactions(), current.Redactions, (*Redaction).id)
		})
	}
	for name := range w.stale.routes {
		note(w.found.routeIssues, name, section(func(c *checker) { c.checkRoute(name) }))
	}
	for name := range w.stale.models {
		w.touched[name] = true
		note(w.found.modelIssues, name, section(func(c *checker) { c.checkModel(name, current) }))
	}
	w.stale = staleness{models: make(map[string]bool), routes: make(map[string]bool)}
}

// touchMembers has all identities checked again if the trust domain is another.
func (w *world) touchMembers() {
	before, now := w.found.domain, w.domain()
	w.found.domain = now
	if before != nil && now != nil && before.name == now.name && before.broken() == now.broken() {
		return
	}
	w.stale.gateways = true
	for name := range w.units[api.KindModel] {
		w.stale.models[name] = true
	}
}

func note(all map[string][]issue, name string, issues []issue) {
	if len(issues) == 0 {
		delete(all, name)
		return
	}
	all[name] = issues
}

// issues are all that are known. With incomplete, some resources could not be
// read, so what is not found is no issue.
func (w *world) issues(incomplete bool) []issue {
	all := slices.Concat(w.found.trustIssues, w.found.gatewayIssues, w.found.policyIssues)
	if len(w.units[api.KindModel]) == 0 {
		c := &checker{world: w}
		c.whole(api.KindModel, "there is no Model: every request would be answered 404", "add a resource of kind Model")
		all = append(all, c.issues...)
	}
	for _, byName := range []map[string][]issue{w.found.routeIssues, w.found.modelIssues} {
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			all = append(all, byName[name]...)
		}
	}
	if incomplete {
		all = slices.DeleteFunc(all, func(i issue) bool { return i.absence })
	}
	return all
}

// maxHints bounds the searches for similar names: each looks at every name.
const maxHints = 8

// problems are the issues for people.
func (w *world) problems(issues []issue) []Problem {
	var problems []Problem
	var known []string
	hints := 0
	for _, i := range issues {
		if i.model != "" && hints < maxHints {
			hints++
			if known == nil {
				known = slices.Sorted(maps.Keys(w.units[api.KindModel]))
			}
			i.Hint = strictyaml.DidYouMean(i.model, known)
		}
		problems = append(problems, i.Problem)
	}
	return problems
}

// checkRoute checks the ModelRoute of a name.
func (c *checker) checkRoute(name string) {
	e := as[api.ModelRoute](c.get(key{api.KindModelRoute, name}))
	if e.unit == nil {
		delete(c.found.routes, name)
		return
	}
	c.found.routes[name] = c.route(e)
}

// checkModel checks the Model of a name and joins it with its route.
func (c *checker) checkModel(name string, current *Catalog) {
	e := as[api.Model](c.get(key{api.KindModel, name}))
	if e.unit == nil {
		delete(c.found.models, name)
		return
	}
	model := c.model(e)
	if old := current.Model(name); old != nil && old.equal(model) {
		model = old
	}
	c.found.models[name] = model
}
