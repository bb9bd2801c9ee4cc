package catalog

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// Defaults of a model's version.
const (
	defaultConnectTimeout     = 5 * time.Second
	defaultCheckInterval      = 5 * time.Second
	defaultCheckTimeout       = time.Second
	defaultUnhealthyThreshold = 3
	defaultHealthyThreshold   = 1
)

// models builds the models and joins each with its route.
func (c *checker) models(all *resources) []*Model {
	if len(all.models) == 0 {
		c.whole("there is no Model: every request would be answered 404", "add a resource of kind Model")
	}
	c.modelNames(all)
	routes := c.routes(all)
	var models []*Model
	for _, e := range all.models {
		model := &Model{Name: e.name}
		for _, alias := range e.value.Spec.Aliases {
			model.Aliases = append(model.Aliases, alias.String())
		}
		model.Versions = c.versions(all, e)
		route, routed := routes[e.name]
		if !routed {
			route = c.soleRoute(e, model.Versions)
		}
		model.Route = route
		models = append(models, model)
	}
	return models
}

// modelNames checks that each name and alias means one model.
func (c *checker) modelNames(all *resources) {
	owner := make(map[string]string)
	for _, e := range all.models {
		owner[e.name] = e.name
	}
	for _, e := range all.models {
		for i, alias := range e.value.Spec.Aliases {
			field := fmt.Sprintf("spec.aliases[%d]", i)
			switch other, taken := owner[alias.String()]; {
			case !taken:
				owner[alias.String()] = e.name
			case other == e.name:
				c.at(e.doc, field, fmt.Sprintf("%q already means this model", alias), "remove it")
			default:
				c.at(e.doc, field, fmt.Sprintf("%q already means Model/%s", alias, other), "remove it from one of the two")
			}
		}
	}
}

func (c *checker) versions(all *resources, e entry[api.Model]) []Version {
	var versions []Version
	for i, written := range e.value.Spec.Versions {
		field := fmt.Sprintf("spec.versions[%d]", i)
		if slices.ContainsFunc(versions, func(v Version) bool { return v.Name == written.Name.String() }) {
			c.at(e.doc, field+".name", fmt.Sprintf("version %q is defined twice", written.Name), "rename or remove one of the two")
		}
		version := Version{
			Name:           written.Name.String(),
			Endpoints:      c.endpoints(e.doc, field, written.Endpoints),
			ConnectTimeout: c.positive(e.doc, field+".connectTimeout", written.ConnectTimeout, defaultConnectTimeout),
			HealthCheck:    c.healthCheck(e.doc, field+".healthCheck", written.HealthCheck),
		}
		switch {
		case written.TLS != nil && written.Insecure:
			c.at(e.doc, field+".insecure", "tls and insecure are both set", "remove one of the two")
		case written.TLS != nil:
			version.Peer = written.TLS.SPIFFEID.ID()
			c.member(all, e.doc, field+".tls.spiffeID", version.Peer)
		case !written.Insecure && !e.doc.Failed(field+".insecure"):
			c.at(e.doc, field+".tls", "neither tls nor insecure is set", "set tls.spiffeID to the identity that the endpoints prove, or insecure: true for plaintext")
		}
		versions = append(versions, version)
	}
	return versions
}

func (c *checker) endpoints(doc *strictyaml.Document, field string, written []api.Endpoint) []api.Endpoint {
	for i, endpoint := range written {
		if slices.Contains(written[:i], endpoint) {
			c.at(doc, fmt.Sprintf("%s.endpoints[%d]", field, i), fmt.Sprintf("endpoint %s is listed twice", endpoint), "remove one of the two")
		}
	}
	return written
}

func (c *checker) healthCheck(doc *strictyaml.Document, field string, written *api.HealthCheck) *HealthCheck {
	if written == nil {
		return nil
	}
	return &HealthCheck{
		Path:               written.Path.String(),
		Interval:           c.positive(doc, field+".interval", written.Interval, defaultCheckInterval),
		Timeout:            c.positive(doc, field+".timeout", written.Timeout, defaultCheckTimeout),
		UnhealthyThreshold: uint32(c.inRange(doc, field+".unhealthyThreshold", written.UnhealthyThreshold, defaultUnhealthyThreshold, 1, 100)),
		HealthyThreshold:   uint32(c.inRange(doc, field+".healthyThreshold", written.HealthyThreshold, defaultHealthyThreshold, 1, 100)),
	}
}

// positive is a duration above 0, or its default.
func (c *checker) positive(doc *strictyaml.Document, field string, written *api.Duration, otherwise time.Duration) time.Duration {
	if written == nil {
		return otherwise
	}
	if written.Span() == 0 {
		c.at(doc, field, "duration must be above 0s", "remove the field for the default of "+otherwise.String())
	}
	return written.Span()
}

// inRange is a whole number from low to high, or its default.
func (c *checker) inRange(doc *strictyaml.Document, field string, written *int, otherwise, low, high int) int {
	if written == nil {
		return otherwise
	}
	if *written < low || *written > high {
		c.at(doc, field, fmt.Sprintf("%d is not from %d to %d", *written, low, high), fmt.Sprintf("the default is %d", otherwise))
	}
	return *written
}

// bounded is a whole number from low to high that has no default.
func (c *checker) bounded(doc *strictyaml.Document, field string, written, low, high int) int {
	if written < low || written > high {
		c.at(doc, field, fmt.Sprintf("%d is not from %d to %d", written, low, high), "")
	}
	return written
}

// modelRefs checks references to models and returns their names.
func (c *checker) modelRefs(all *resources, doc *strictyaml.Document, field string, written []api.ModelRef) []string {
	var names []string
	for i, name := range written {
		at := fmt.Sprintf("%s[%d]", field, i)
		if slices.Contains(names, name.String()) {
			c.at(doc, at, fmt.Sprintf("model %q is listed twice", name), "remove one of the two")
		}
		c.modelRef(all, doc, at, name.String())
		names = append(names, name.String())
	}
	slices.Sort(names)
	return names
}

// modelRef checks a reference to a model and returns it.
func (c *checker) modelRef(all *resources, doc *strictyaml.Document, field, name string) (entry[api.Model], bool) {
	var known []string
	for _, e := range all.models {
		if e.name == name {
			return e, true
		}
		known = append(known, e.name)
		for _, alias := range e.value.Spec.Aliases {
			if alias.String() == name {
				c.at(doc, field, fmt.Sprintf("%q is an alias", name), "write "+e.name)
				return entry[api.Model]{}, false
			}
		}
	}
	if !c.incomplete {
		c.at(doc, field, fmt.Sprintf("there is no Model %q", name), strictyaml.DidYouMean(name, known))
	}
	return entry[api.Model]{}, false
}
