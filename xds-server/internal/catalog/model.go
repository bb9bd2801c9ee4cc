package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/api"
)

// Defaults of a model's version.
const (
	defaultConnectTimeout     = 5 * time.Second
	defaultCheckInterval      = 5 * time.Second
	defaultCheckTimeout       = time.Second
	defaultUnhealthyThreshold = 3
	defaultHealthyThreshold   = 1
)

// model builds a model and joins it with its route.
func (c *checker) model(e entry[api.Model]) *Model {
	c.modelNames(e)
	model := &Model{Name: e.name, Origin: e.origin(), RouteOrigin: e.origin(), Versions: c.versions(e)}
	model.Estimate = c.estimate(e.unit, e.value.Spec.Tokens)
	for _, alias := range e.value.Spec.Aliases {
		model.Aliases = append(model.Aliases, alias.String())
	}
	if route := c.routeOf(e.name); route != nil {
		model.Route, model.RouteOrigin = c.found.routes[route.name], route.origin()
	} else {
		model.Route = c.soleRoute(e, model.Versions)
	}
	model.policy = newPolicy(model)
	return model
}

// modelNames checks that each alias means this model alone.
func (c *checker) modelNames(e entry[api.Model]) {
	for i, alias := range e.value.Spec.Aliases {
		field := fmt.Sprintf("spec.aliases[%d]", i)
		switch owner := c.owner(alias.String()); {
		case owner == (meaning{e.name, i}):
		case owner.model == e.name:
			c.at(e.unit, field, fmt.Sprintf("%q already means this model", alias), "remove it")
		default:
			c.at(e.unit, field, fmt.Sprintf("%q already means Model/%s", alias, owner.model), "remove it from one of the two",
				key{api.KindModel, owner.model})
		}
	}
}

// owner is what counts of the meanings of a name: a model's own name, or the
// alias that is written first. The name has at least one.
func (c *checker) owner(name string) meaning {
	return slices.MinFunc(c.meanings[name], func(a, b meaning) int {
		if own := cmp.Compare(min(a.alias, 0), min(b.alias, 0)); own != 0 {
			return own
		}
		models := c.units[api.KindModel]
		return cmp.Or(models[a.model].compare(models[b.model]), cmp.Compare(a.alias, b.alias))
	})
}

func (c *checker) versions(e entry[api.Model]) []Version {
	var versions []Version
	for i, written := range e.value.Spec.Versions {
		field := fmt.Sprintf("spec.versions[%d]", i)
		if slices.ContainsFunc(versions, func(v Version) bool { return v.Name == written.Name.String() }) {
			c.at(e.unit, field+".name", fmt.Sprintf("version %q is defined twice", written.Name), "rename or remove one of the two")
		}
		version := Version{
			Name:           written.Name.String(),
			GRPC:           written.GRPC,
			Endpoints:      c.endpoints(e.unit, field, written.Endpoints),
			ConnectTimeout: c.positive(e.unit, field+".connectTimeout", written.ConnectTimeout, defaultConnectTimeout),
			HealthCheck:    c.healthCheck(e.unit, field+".healthCheck", written.HealthCheck),

			CircuitBreakers: c.circuitBreakers(e.unit, field+".circuitBreakers", written.CircuitBreakers, len(written.Endpoints)),
			Outliers:        c.outliers(e.unit, field+".outlierDetection", written.OutlierDetection),
		}
		if written.UpstreamModel != nil {
			version.UpstreamModel = written.UpstreamModel.String()
			if written.GRPC {
				c.at(e.unit, field+".upstreamModel", "names in gRPC messages are not replaced", "give the Model the name that its servers know, or an alias, and remove upstreamModel")
			}
		}
		version.Peer = c.peer(e.unit, field, written.TLS, written.Insecure)
		versions = append(versions, version)
	}
	return versions
}

// peer is what endpoints have to prove; zero: they are spoken to in plaintext.
func (c *checker) peer(u *unit, field string, tls *api.UpstreamTLS, insecure bool) spiffeid.ID {
	switch {
	case tls != nil && insecure:
		c.at(u, field+".insecure", "tls and insecure are both set", "remove one of the two")
	case tls != nil:
		c.member(u, field+".tls.spiffeID", tls.SPIFFEID.ID())
		return tls.SPIFFEID.ID()
	case !insecure && !u.doc.Failed(field+".insecure"):
		c.at(u, field+".tls", "neither tls nor insecure is set", "set tls.spiffeID to the identity that the endpoints prove, or insecure: true for plaintext")
	}
	return spiffeid.ID{}
}

func (c *checker) endpoints(u *unit, field string, written []api.Endpoint) []api.Endpoint {
	for i, endpoint := range written {
		if slices.Contains(written[:i], endpoint) {
			c.at(u, fmt.Sprintf("%s.endpoints[%d]", field, i), fmt.Sprintf("endpoint %s is listed twice", endpoint), "remove one of the two")
		}
	}
	return written
}

func (c *checker) healthCheck(u *unit, field string, written *api.HealthCheck) *HealthCheck {
	if written == nil {
		return nil
	}
	return &HealthCheck{
		Path:               written.Path.String(),
		Interval:           c.positive(u, field+".interval", written.Interval, defaultCheckInterval),
		Timeout:            c.positive(u, field+".timeout", written.Timeout, defaultCheckTimeout),
		UnhealthyThreshold: uint32(c.inRange(u, field+".unhealthyThreshold", written.UnhealthyThreshold, defaultUnhealthyThreshold, 1, 100)),
		HealthyThreshold:   uint32(c.inRange(u, field+".healthyThreshold", written.HealthyThreshold, defaultHealthyThreshold, 1, 100)),
	}
}

// positive is a duration above 0, or its default.
func (c *checker) positive(u *unit, field string, written *api.Duration, otherwise time.Duration) time.Duration {
	if written == nil {
		return otherwise
	}
	if written.Span() == 0 {
		c.at(u, field, "duration must be above 0s", "remove the field for the default of "+otherwise.String())
	}
	return written.Span()
}

// inRange is a whole number from low to high, or its default.
func (c *checker) inRange(u *unit, field string, written *int, otherwise, low, high int) int {
	if written == nil {
		return otherwise
	}
	if *written < low || *written > high {
		c.at(u, field, fmt.Sprintf("%d is not from %d to %d", *written, low, high), fmt.Sprintf("the default is %d", otherwise))
	}
	return *written
}

// bounded is a whole number from low to high that has no default.
func (c *checker) bounded(u *unit, field string, written, low, high int) int {
	if written < low || written > high {
		c.at(u, field, fmt.Sprintf("%d is not from %d to %d", written, low, high), "")
	}
	return written
}

// modelRefs checks references to models and returns their names.
func (c *checker) modelRefs(u *unit, field string, written []api.ModelRef) []string {
	var names []string
	seen := make(map[string]bool, len(written))
	for i, name := range written {
		at := fmt.Sprintf("%s[%d]", field, i)
		if seen[name.String()] {
			c.at(u, at, fmt.Sprintf("model %q is listed twice", name), "remove one of the two")
		}
		seen[name.String()] = true
		c.modelRef(u, at, name.String())
		names = append(names, name.String())
	}
	slices.Sort(names)
	return names
}

// modelRef checks a reference to a model and returns it.
func (c *checker) modelRef(u *unit, field, name string) (entry[api.Model], bool) {
	if found := c.units[api.KindModel][name]; found != nil {
		return as[api.Model](found), true
	}
	self := key{api.KindModel, name}
	if len(c.meanings[name]) > 0 {
		owner := c.owner(name).model
		c.at(u, field, fmt.Sprintf("%q is an alias", name), "write "+owner, self, key{api.KindModel, owner})
		return entry[api.Model]{}, false
	}
	if c.missing(u, field, fmt.Sprintf("there is no Model %q", name), "", self) {
		c.issues[len(c.issues)-1].model = name
	}
	return entry[api.Model]{}, false
}
