package catalog

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// route builds a route and checks that it is the model's only one.
func (c *checker) route(e entry[api.ModelRoute]) Route {
	name := e.value.Spec.Model.String()
	model, found := c.modelRef(e.unit, "spec.model", name)
	if first := c.routeOf(name); first != e.unit {
		c.at(e.unit, "spec.model", fmt.Sprintf("ModelRoute/%s already routes Model/%s", first.name, name), "merge the two", first.key)
	}
	refs := versionRefs{checker: c, from: e.unit, model: model, check: found && !model.broken()}
	written := e.value.Spec
	route := Route{Salt: written.Model.String()}
	if written.Salt != nil {
		route.Salt = *written.Salt
	}
	if written.VersionHeader != nil {
		route.VersionHeader = written.VersionHeader.String()
	}
	if !routetree.InTree(&e.value.Spec) {
		route.Rules = c.rules(e, refs, route.VersionHeader)
	}
	route.Split = c.split(e, refs)
	c.tree(e, refs, &route)
	if written.Timeout != nil {
		route.Timeout = written.Timeout.Span()
	}
	route.Fallback = c.fallback(e, refs, route.Split)
	route.Mirrors = c.mirrors(e, refs, route.Split)
	route.Retries = c.retries(e.unit, written.Retries, route.Timeout, len(route.Fallback) > 0)
	return route
}

// routesOfModel is the kind of all ModelRoutes of one model, for issues.
const routesOfModel = "routes of Model"

// soleRoute is the route of a model that has no ModelRoute.
func (c *checker) soleRoute(e entry[api.Model], versions []Version) Route {
	if len(versions) > 1 {
		c.missing(e.unit, "metadata.name", fmt.Sprintf("model has %d versions, but no ModelRoute says how requests are split", len(versions)),
			"add a ModelRoute with a split", key{routesOfModel, e.name})
	}
	if len(versions) == 0 {
		return Route{}
	}
	return Route{Salt: e.name, Split: []Share{{Version: versions[0].Name, Weight: api.WholeWeight}}}
}

// rules builds the rules and refuses those that can never decide anything.
func (c *checker) rules(e entry[api.ModelRoute], refs versionRefs, versionHeader string) []spec.VersionRule {
	var rules []spec.VersionRule
	for i, written := range e.value.Spec.Rules {
		field := fmt.Sprintf("spec.rules[%d]", i)
		if written.Match == nil || written.Version == nil {
			c.at(e.unit, field, "rule needs match and version, or a target with a condition, a weight or both", "")
			continue
		}
		rule := spec.VersionRule{
			Header:  written.Match.Header.String(),
			Value:   written.Match.Value.String(),
			Version: written.Version.String(),
		}
		if rule.Header == versionHeader && versionHeader != "" {
			c.at(e.unit, field+".match.header", "header is the versionHeader: its value already names a version", "use another header")
		}
		earlier := slices.IndexFunc(rules, func(r spec.VersionRule) bool { return r.Header == rule.Header && r.Value == rule.Value })
		if earlier >= 0 {
			c.at(e.unit, field+".match", fmt.Sprintf("rule can never match: spec.rules[%d] matches the same requests and comes first", earlier), "remove one of the two")
		}
		refs.resolve(field+".version", rule.Version)
		rules = append(rules, rule)
	}
	return rules
}

func (c *checker) split(e entry[api.ModelRoute], refs versionRefs) []Share {
	var shares []Share
	total := int64(0)
	for i, written := range e.value.Spec.Split {
		field := fmt.Sprintf("spec.split[%d]", i)
		share := Share{Version: written.Version.String(), Weight: written.Weight.Hundredths()}
		if slices.ContainsFunc(shares, func(s Share) bool { return s.Version == share.Version }) {
			c.at(e.unit, field+".version", fmt.Sprintf("version %q has a share already", share.Version), "add the two weights up")
		}
		refs.resolve(field+".version", share.Version)
		total += int64(share.Weight)
		shares = append(shares, share)
	}
	if version := e.value.Spec.Version; version != nil {
		if len(shares) > 0 {
			c.at(e.unit, "spec.version", "version and split are both set", "remove one of the two")
		}
		refs.resolve("spec.version", version.String())
		return []Share{{Version: version.String(), Weight: api.WholeWeight}}
	}
	switch {
	case len(shares) == 0: // nothing may be left for it: see tree
	case total == 0:
		c.at(e.unit, "spec.split", "every weight is 0: no version would get a request", "give 100 to one version")
	case total != api.WholeWeight:
		c.at(e.unit, "spec.split", fmt.Sprintf("weights add up to %s, not to 100", api.FormatHundredths(total)), "weights are percent")
	}
	return shares
}

// maxAttempts bounds retries: each is a whole request to a model.
const maxAttempts = 5

// defaultBodyLimit is what a gateway holds by default, and the room that it has for
// what redaction may add.
const defaultBodyLimit = 1280 << 10

// retries builds the retries; those of a route with a fallback go on to its versions.
func (c *checker) retries(u *unit, written *api.Retries, timeout time.Duration, fallback bool) *Retries {
	fewest := 1
	if fallback {
		fewest = 0
	}
	if written == nil {
		if !fallback {
			return nil
		}
		written = &api.Retries{}
	}
	const field = "spec.retries"
	attempts := c.bounded(u, field+".attempts", written.Attempts, fewest, maxAttempts)
	retries := &Retries{Attempts: uint32(attempts), BodyLimit: defaultBodyLimit}
	if written.BodyLimit != nil {
		retries.BodyLimit = uint64(written.BodyLimit.Count())
	}
	for i, condition := range written.On {
		if slices.Contains(retries.On, condition.String()) {
			c.at(u, fmt.Sprintf("%s.on[%d]", field, i), "condition is listed twice", "remove one of the two")
		}
		retries.On = append(retries.On, condition.String())
	}
	if len(written.On) == 0 {
		retries.On = []string{"connect-failure", "refused-stream", "reset-before-request"}
		if fallback {
			retries.On = append(retries.On, "reset", "gateway-error")
		}
	}
	if written.PerTryTimeout != nil {
		retries.PerTryTimeout = written.PerTryTimeout.Span()
	}
	if timeout > 0 && retries.PerTryTimeout >= timeout {
		c.at(u, field+".perTryTimeout", fmt.Sprintf("%s can never pass: spec.timeout of %s comes first", retries.PerTryTimeout, timeout),
			"make it shorter than spec.timeout")
	}
	return retries
}

// versionRefs checks references to the versions of one model.
type versionRefs struct {
	checker *checker
	from    *unit
	model   entry[api.Model]
	check   bool // false: the model or its versions could not be read
}

// resolve returns the index of a version, -1 if there is none or nothing is checked.
func (r versionRefs) resolve(field, version string) int {
	if !r.check {
		return -1
	}
	var known []string
	for i, v := range r.model.value.Spec.Versions {
		if v.Name.String() == version {
			return i
		}
		known = append(known, v.Name.String())
	}
	r.checker.at(r.from, field, fmt.Sprintf("Model/%s has no version %q", r.model.name, version), strictyaml.DidYouMean(version, known), r.model.key)
	return -1
}
