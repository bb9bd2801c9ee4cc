package catalog

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/xds-server/api"
)

// maxFallback bounds how many versions a request can be tried at after the first.
const maxFallback = 4

// fallback resolves the versions that are tried after the one that was picked.
func (c *checker) fallback(e entry[api.ModelRoute], refs versionRefs, split []Share) []Target {
	const field = "spec.fallback"
	var targets []Target
	for i, written := range e.value.Spec.Fallback {
		at := fmt.Sprintf("%s[%d]", field, i)
		target := c.target(e, refs, at, written.Model, written.Version)
		if slices.Contains(targets, target) {
			c.at(e.unit, at, fmt.Sprintf("the fallback comes back to %s, which failed before", target), "remove one of the two")
		}
		targets = append(targets, target)
	}
	if len(targets) > maxFallback {
		c.at(e.unit, field, fmt.Sprintf("%d versions are more than %d", len(targets), maxFallback), "each is a whole request to a model")
	}
	own := e.value.Spec.Model.String()
	if len(targets) == 1 && targets[0].Model == own && soleVersion(split) == targets[0].Version {
		c.at(e.unit, field+"[0]", fmt.Sprintf("version %q gets every request, so it would fall back to itself", targets[0].Version),
			"name another version, or use spec.retries to try the same one again")
	}
	return targets
}

// soleVersion is the version that gets all of a split; empty: there are several.
func soleVersion(split []Share) string {
	sole := ""
	for _, share := range split {
		if share.Weight > 0 && sole != "" {
			return ""
		}
		if share.Weight > 0 {
			sole = share.Version
		}
	}
	return sole
}

// maxMirrors bounds how many copies of a request there can be.
const maxMirrors = 4

func (c *checker) mirrors(e entry[api.ModelRoute], refs versionRefs, split []Share) []Mirror {
	const field = "spec.mirrors"
	var mirrors []Mirror
	for i, written := range e.value.Spec.Mirrors {
		at := fmt.Sprintf("%s[%d]", field, i)
		refs.resolve(at+".version", written.Version.String())
		mirror := Mirror{Version: written.Version.String(), Sample: api.WholeWeight}
		if written.Sample != nil {
			mirror.Sample = written.Sample.Hundredths()
		}
		if mirror.Sample == 0 && !e.doc.Failed(at+".sample") {
			c.at(e.unit, at+".sample", "a sample of 0 copies nothing", "remove the mirror, or write a percentage")
		}
		if slices.ContainsFunc(mirrors, func(m Mirror) bool { return m.Version == mirror.Version }) {
			c.at(e.unit, at, fmt.Sprintf("version %q is a mirror already", mirror.Version), "remove one of the two")
		}
		if slices.ContainsFunc(split, func(s Share) bool { return s.Version == mirror.Version && s.Weight > 0 }) {
			c.at(e.unit, at+".version", fmt.Sprintf("version %q has a share of the requests, so it would mirror itself", mirror.Version),
				"mirror to a version whose weight is 0")
		}
		mirrors = append(mirrors, mirror)
	}
	if len(mirrors) > maxMirrors {
		c.at(e.unit, field, fmt.Sprintf("%d mirrors are more than %d", len(mirrors), maxMirrors), "each costs as much as the request itself")
	}
	return mirrors
}

// target checks a reference to a version of the route's own or another model. Of
// another model the version must say what it is called: the request names the
// route's model.
func (c *checker) target(e entry[api.ModelRoute], own versionRefs, field string, model *api.ModelRef, version api.VersionName) Target {
	target := Target{Model: e.value.Spec.Model.String(), Version: version.String()}
	if model == nil || model.String() == target.Model {
		own.resolve(field+".version", target.Version)
		return target
	}
	target.Model = model.String()
	if own.check && slices.ContainsFunc(own.model.value.Spec.Versions, func(v api.ModelVersion) bool { return v.GRPC }) {
		c.at(e.unit, field+".model", fmt.Sprintf("Model/%s is served over gRPC, and names in gRPC messages are not replaced", e.value.Spec.Model),
			"fall back to versions of the same model", own.model.key)
		return target
	}
	other, found := c.modelRef(e.unit, field+".model", target.Model)
	refs := versionRefs{checker: c, from: e.unit, model: other, check: found && !other.broken()}
	if at := refs.resolve(field+".version", target.Version); at >= 0 && other.value.Spec.Versions[at].UpstreamModel == nil {
		c.at(e.unit, field+".version", fmt.Sprintf("version %q of Model/%s does not say what it is called: it would be asked for %q", target.Version, target.Model, e.value.Spec.Model),
			"set upstreamModel of that version", other.key)
	}
	return target
}

// leadsTo are the other models that a route refers to.
func leadsTo(spec *api.ModelRouteSpec) []string {
	var names []string
	for _, f := range spec.Fallback {
		if f.Model != nil && *f.Model != spec.Model && !slices.Contains(names, f.Model.String()) {
			names = append(names, f.Model.String())
		}
	}
	return names
}
