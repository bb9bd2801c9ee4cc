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
		c.settingsOf(e, &redaction.Redaction)
		c.custom(e, &redaction.Redaction)
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

// settingsOf takes over what a policy says besides models and entities.
func (c *checker) settingsOf(e entry[api.RedactionPolicy], r *spec.Redaction) {
	written := &e.value.Spec
	if written.OnFailure != nil {
		r.OnFailure = written.OnFailure.Failure
	}
	if written.Encodings != nil {
		r.Encodings = written.Encodings.Encodings
	}
	r.Threshold = uint8(c.number(e.unit, "spec.threshold", written.Threshold, 1, 100, spec.DefaultThreshold))
	r.HoldBytes = uint16(c.number(e.unit, "spec.holdBytes", written.HoldBytes, spec.MinHoldBytes, spec.MaxHoldBytes, spec.DefaultHoldBytes))
	for i, path := range written.Skip {
		if slices.Contains(r.Skip, path.String()) {
			c.at(e.unit, fmt.Sprintf("spec.skip[%d]", i), fmt.Sprintf("%q is listed twice", path), "remove one of the two")
		}
		r.Skip = append(r.Skip, path.String())
	}
	if len(r.Skip) > spec.MaxSkips {
		c.at(e.unit, "spec.skip", fmt.Sprintf("there are more than %d paths", spec.MaxSkips), "use [*] and * to name several at once")
	}
}

// number returns a number that was written, and 0 for the default.
func (c *checker) number(u *unit, field string, written *int, low, high, normal int) int {
	if written == nil || *written == normal {
		return 0
	}
	if *written < low || *written > high {
		c.at(u, field, fmt.Sprintf("%d is not from %d to %d", *written, low, high), "")
		return 0
	}
	return *written
}

func (c *checker) entities(e entry[api.RedactionPolicy]) []spec.Entity {
	var entities []spec.Entity
	for i, written := range e.value.Spec.Entities {
		field := fmt.Sprintf("spec.entities[%d]", i)
		kind := written.Kind.EntityKind
		if slices.ContainsFunc(entities, func(other spec.Entity) bool { return other.Kind == kind }) {
			c.at(e.unit, field+".kind", fmt.Sprintf("%q is listed twice", written.Kind), "remove one of the two")
		}
		entities = append(entities, c.entity(e, field, &written))
	}
	return entities
}

// entity builds one entity; what is common to the policy's masks it takes from there.
func (c *checker) entity(e entry[api.RedactionPolicy], field string, written *api.Entity) spec.Entity {
	entity := spec.Entity{Kind: written.Kind.EntityKind, Mode: written.Mode.RedactionMode, Directions: c.directions(e.unit, field, written.Directions)}
	switch {
	case written.Shape != nil:
		entity.Shape = written.Shape.MaskShape
	case e.value.Spec.Shape != nil && entity.Mode == spec.RedactMask:
		entity.Shape = e.value.Spec.Shape.MaskShape
	}
	if written.Basis != nil {
		entity.Basis = written.Basis.String()
	}
	if problem := entity.Problem(); problem.Field != "" {
		c.at(e.unit, field+"."+problem.Field, problem.Text, problem.Fix)
	}
	return entity
}

// directions returns a set of directions, 0 for both.
func (c *checker) directions(u *unit, field string, written []api.Direction) (set spec.Direction) {
	for i, d := range written {
		if set&d.Direction != 0 {
			c.at(u, fmt.Sprintf("%s.directions[%d]", field, i), fmt.Sprintf("%q is listed twice", d), "remove one of the two")
		}
		set |= d.Direction
	}
	if set == spec.DirectionRequest|spec.DirectionResponse {
		return 0 // the default
	}
	return set
}
