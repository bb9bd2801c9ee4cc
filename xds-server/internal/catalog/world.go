package catalog

import (
	"maps"
	"slices"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// world is a set of resources, one unit each, that is checked as it changes: a
// change costs what it touches. Whether the set is right is in what check finds.
type world struct {
	units map[string]map[string]*unit // by kind and name
	// meanings are the models that a name or an alias stands for.
	meanings map[string][]meaning
	// routesOf are the names of the ModelRoutes of each model, by what they call it.
	routesOf map[string][]string
	// ledTo are the names of the ModelRoutes of other models that refer to a model.
	ledTo map[string][]string

	stale staleness
	found findings
	// touched are the models that were checked since settle.
	touched map[string]bool
	tables  *tables
	// opened are the documents that were asked where something stands.
	opened []*strictyaml.Document
}

// meaning is a use of a name for a model: its own name, or the alias at an index.
type meaning struct {
	model string
	alias int // -1: its own name
}

// staleness is what has to be checked again.
type staleness struct {
	trust, gateways, policies bool
	models, routes            map[string]bool
}

// findings are what the checks made, and the issues that they found on the way.
type findings struct {
	trust      TrustDomain
	domain     *unit // the TrustDomain that members were checked against
	gateways   []*Gateway
	limits     []*Limit
	redactions []*Redaction
	models     map[string]*Model
	routes     map[string]Route // by ModelRoute

	trustIssues, gatewayIssues, policyIssues []issue
	modelIssues, routeIssues                 map[string][]issue
}

func newWorld() *world {
	return &world{
		units: make(map[string]map[string]*unit), tables: &tables{}, touched: make(map[string]bool), meanings: make(map[string][]meaning), routesOf: make(map[string][]string), ledTo: make(map[string][]string),
		stale: staleness{trust: true, gateways: true, policies: true, models: make(map[string]bool), routes: make(map[string]bool)},
		found: findings{
			models: make(map[string]*Model), routes: make(map[string]Route),
			modelIssues: make(map[string][]issue), routeIssues: make(map[string][]issue),
		},
	}
}

// settle forgets which models were touched.
func (w *world) settle() { w.touched = make(map[string]bool) }

// problem is one of a unit at a field.
func (w *world) problem(u *unit, field, message, hint string) Problem {
	w.opened = append(w.opened, u.doc)
	return u.doc.At(field, message, hint)
}

// release gives back what problem needed.
func (w *world) release() {
	for _, doc := range w.opened {
		doc.Release()
	}
	w.opened = nil
}

// get returns the unit of a resource, nil if there is none.
func (w *world) get(k key) *unit { return w.units[k.kind][k.name] }

// all returns the units of a kind as they are written.
func (w *world) all(kind string) []*unit {
	return slices.SortedFunc(maps.Values(w.units[kind]), (*unit).compare)
}

// set puts u in the place of what stands under k; nil removes it.
func (w *world) set(k key, u *unit) {
	old := w.get(k)
	if old == u {
		return
	}
	if w.units[k.kind] == nil {
		w.units[k.kind] = make(map[string]*unit)
	}
	if u == nil {
		delete(w.units[k.kind], k.name)
	} else {
		w.units[k.kind][k.name] = u
	}
	switch k.kind {
	case api.KindModel:
		w.modelChanged(k.name, as[api.Model](old), as[api.Model](u))
	case api.KindModelRoute:
		w.routeChanged(k.name, as[api.ModelRoute](old), as[api.ModelRoute](u))
	case api.KindGateway, certificateFile:
		w.stale.gateways, w.stale.policies = true, true
	case api.KindTokenLimit, api.KindRedactionPolicy, listOfWords:
		w.stale.policies = true
	case api.KindTrustDomain:
		w.stale.trust = true
	}
}

func (w *world) modelChanged(name string, old, next entry[api.Model]) {
	w.stale.models[name] = true
	w.touchName(name)
	if old.unit != nil && next.unit != nil && slices.Equal(old.value.Spec.Aliases, next.value.Spec.Aliases) {
		return
	}
	w.stale.policies = true
	if old.unit != nil {
		w.unmean(name, name)
		for _, alias := range old.value.Spec.Aliases {
			w.unmean(alias.String(), name)
		}
	}
	if next.unit != nil {
		w.mean(name, meaning{name, -1})
		for i, alias := range next.value.Spec.Aliases {
			w.mean(alias.String(), meaning{name, i})
		}
	}
}

func (w *world) mean(name string, m meaning) {
	w.meanings[name] = append(w.meanings[name], m)
	w.touchName(name)
}

func (w *world) unmean(name, model string) {
	w.touchName(name)
	w.meanings[name] = slices.DeleteFunc(w.meanings[name], func(m meaning) bool { return m.model == model })
	if len(w.meanings[name]) == 0 {
		delete(w.meanings, name)
	}
}

// touchName has everything checked again that uses a model's name or alias.
func (w *world) touchName(name string) {
	for _, m := range w.meanings[name] {
		w.stale.models[m.model] = true
	}
	for _, route := range w.routesOf[name] {
		w.stale.routes[route] = true
	}
	for _, route := range w.ledTo[name] {
		w.stale.routes[route] = true
	}
}

func (w *world) routeChanged(name string, old, next entry[api.ModelRoute]) {
	w.stale.routes[name] = true
	if old.unit != nil {
		for _, other := range leadsTo(&old.value.Spec) {
			w.ledTo[other] = slices.DeleteFunc(w.ledTo[other], func(route string) bool { return route == name })
			if len(w.ledTo[other]) == 0 {
				delete(w.ledTo, other)
			}
		}
		model := old.value.Spec.Model.String()
		w.routesOf[model] = slices.DeleteFunc(w.routesOf[model], func(other string) bool { return other == name })
		if len(w.routesOf[model]) == 0 {
			delete(w.routesOf, model)
		}
		w.touchRoutesOf(model)
	}
	if next.unit != nil {
		for _, other := range leadsTo(&next.value.Spec) {
			w.ledTo[other] = append(w.ledTo[other], name)
		}
		model := next.value.Spec.Model.String()
		w.routesOf[model] = append(w.routesOf[model], name)
		w.touchRoutesOf(model)
	}
}

func (w *world) touchRoutesOf(model string) {
	w.stale.models[model] = true
	for _, route := range w.routesOf[model] {
		w.stale.routes[route] = true
	}
}

// routeOf is the ModelRoute that counts for a model: the first that is written.
func (w *world) routeOf(model string) *unit {
	var first *unit
	for _, name := range w.routesOf[model] {
		if u := w.units[api.KindModelRoute][name]; first == nil || u.compare(first) < 0 {
			first = u
		}
	}
	return first
}

// domain is the TrustDomain that counts: the first that is written.
func (w *world) domain() *unit {
	var first *unit
	for _, u := range w.units[api.KindTrustDomain] {
		if first == nil || u.compare(first) < 0 {
			first = u
		}
	}
	return first
}
