package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// redactions builds the redaction policies; two for one model would leave it
// open which decides.
func (c *checker) redactions(all *resources) []*Redaction {
	var redactions []*Redaction
	for _, e := range all.redactions {
		redaction := &Redaction{Redaction: spec.Redaction{
			Name:     e.name,
			Models:   c.modelRefs(all, e.doc, "spec.models", e.value.Spec.Models),
			Entities: c.entities(e),
		}}
		if e.value.Spec.OnFailure != nil {
			redaction.OnFailure = e.value.Spec.OnFailure.Failure
		}
		for _, other := range redactions {
			if shared, both := sharedModel(redaction.Models, other.Models); both {
				c.at(e.doc, "spec.models", fmt.Sprintf("RedactionPolicy/%s already reads requests for %s", other.Name, shared),
					"merge the two, or name disjoint models in both")
				break
			}
		}
		redactions = append(redactions, redaction)
	}
	slices.SortFunc(redactions, func(a, b *Redaction) int { return cmp.Compare(a.Name, b.Name) })
	return redactions
}

// sharedModel finds a model in both lists; an empty list holds all models.
func sharedModel(a, b []string) (string, bool) {
	switch {
	case len(a) == 0 && len(b) == 0:
		return "every model", true
	case len(a) == 0:
		return b[0], true
	case len(b) == 0:
		return a[0], true
	}
	for _, name := range a {
		if slices.Contains(b, name) {
			return name, true
		}
	}
	return "", false
}

func (c *checker) entities(e entry[api.RedactionPolicy]) []spec.Entity {
	var entities []spec.Entity
	for i, written := range e.value.Spec.Entities {
		field := fmt.Sprintf("spec.entities[%d]", i)
		kind := written.Kind.EntityKind
		if slices.ContainsFunc(entities, func(other spec.Entity) bool { return other.Kind == kind }) {
			c.at(e.doc, field+".kind", fmt.Sprintf("%q is listed twice", written.Kind), "remove one of the two")
		}
		entities = append(entities, spec.Entity{Kind: kind, Mode: written.Mode.RedactionMode})
	}
	return entities
}
