package catalog

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// redactions builds the redaction policies; two for one model would leave it
// open which decides.
func (c *checker) redactions() []*Redaction {
	var redactions []*Redaction
	readers := modelReaders{of: make(map[string]string)}
	for _, u := range c.all(api.KindRedactionPolicy) {
		e := as[api.RedactionPolicy](u)
		redaction := &Redaction{Origin: e.origin(), Redaction: spec.Redaction{
			Name:     e.name,
			Models:   c.modelRefs(e.unit, "spec.models", e.value.Spec.Models),
			Entities: c.entities(e),
		}}
		if e.value.Spec.OnFailure != nil {
			redaction.OnFailure = e.value.Spec.OnFailure.Failure
		}
		if other, shared := readers.add(e.name, redaction.Models); other != "" {
			c.at(e.unit, "spec.models", fmt.Sprintf("RedactionPolicy/%s already reads requests for %s", other, shared),
				"merge the two, or name disjoint models in both", key{api.KindRedactionPolicy, other})
		}
		redactions = append(redactions, redaction)
	}
	return redactions
}

// modelReaders are the policies that read the requests of models.
type modelReaders struct {
	of         map[string]string // by model
	first, all string            // the first policy, and the first one of all models
	model      string            // one that first reads
}

// add takes in a policy for models, none for all. If another one reads requests
// for one of them already, it is named, with what both read.
func (r *modelReaders) add(policy string, models []string) (other, shared string) {
	switch {
	case r.all != "" && len(models) == 0:
		other, shared = r.all, "every model"
	case r.all != "":
		other, shared = r.all, models[0]
	case len(models) == 0 && r.first != "":
		other, shared = r.first, r.model
	}
	for _, model := range models {
		if reader, taken := r.of[model]; !taken {
			r.of[model] = policy
		} else if other == "" {
			other, shared = reader, model
		}
	}
	if len(models) == 0 && r.all == "" {
		r.all = policy
	}
	if r.first == "" && len(models) > 0 {
		r.first, r.model = policy, models[0]
	}
	return other, shared
}

func (c *checker) entities(e entry[api.RedactionPolicy]) []spec.Entity {
	var entities []spec.Entity
	for i, written := range e.value.Spec.Entities {
		field := fmt.Sprintf("spec.entities[%d]", i)
		kind := written.Kind.EntityKind
		if slices.ContainsFunc(entities, func(other spec.Entity) bool { return other.Kind == kind }) {
			c.at(e.unit, field+".kind", fmt.Sprintf("%q is listed twice", written.Kind), "remove one of the two")
		}
		entities = append(entities, spec.Entity{Kind: kind, Mode: written.Mode.RedactionMode})
	}
	return entities
}
