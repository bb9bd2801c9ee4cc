package catalog

import (
	"slices"

	"github.com/weirmesh/weir/xds-server/api"
)

// maxRounds bounds how often a part of a set is put back. Each round costs what
// it puts back, but the filter's objections come one at a time and cost a whole
// policy document each.
const maxRounds = 64

// fallBack puts back what is wrong, and then what that makes wrong, until the
// rest is right. It ends: each round puts something back that was in force, and
// what was in force altogether is right.
func (b *Builder) fallBack() *Catalog {
	b.putBackUnreadable()
	for range maxRounds {
		b.world.check(b.current)
		issues := b.world.issues(false)
		if len(issues) == 0 && b.putBackUnguarded() {
			continue
		}
		var built *Catalog
		if len(issues) == 0 {
			built = b.world.catalog(b.current)
			if issues = b.world.encodePolicies(built, b.current); len(issues) == 0 {
				return built
			}
		}
		if !b.resolve(issues) {
			break
		}
	}
	b.revertAll()
	b.world.check(b.current)
	return b.current
}

// putBackUnreadable puts back what cannot be in force as it is written: what
// could not be read, or is defined twice. What a document may still define in a
// part that could not be read stays.
func (b *Builder) putBackUnreadable() {
	for name, f := range b.written.faulty {
		for _, u := range f.units {
			if u.broken() {
				b.revert(u.key, u.doc.Problems()...)
			}
		}
		if len(f.lost) == 0 {
			continue
		}
		for k, old := range b.before {
			if old != nil && old.place.name == name && k.kind != certificateFile && b.written.first(k) == nil {
				b.revert(k, f.problems...)
			}
		}
	}
	for k := range b.written.twice {
		if second := b.second(k); !b.revert(k, second...) {
			b.because[k] = append(b.because[k], second...)
		}
	}
}

// revert puts a resource back to what was in force. It reports false if it is
// there already, or was written elsewhere only.
func (b *Builder) revert(k key, because ...Problem) bool {
	old, touched := b.before[k]
	now := b.world.get(k)
	if !touched || now == old || now.says(old) {
		return false
	}
	b.because[k] = append(b.because[k], because...)
	b.world.set(k, old)
	return true
}

func (b *Builder) revertAll() {
	for k, old := range b.before {
		b.world.set(k, old)
	}
}

// resolve puts back the resources that the issues are about. Where one of them
// is in force already, its surroundings must have changed: then these. It
// reports false if nothing could be put back.
func (b *Builder) resolve(issues []issue) bool {
	progress := false
	for _, i := range issues {
		if b.revert(i.about, i.Problem) {
			progress = true
			continue
		}
		for _, k := range i.involves {
			for _, cause := range b.touched(k) {
				progress = b.revert(cause, i.Problem) || progress
			}
		}
	}
	return progress
}

// touched are the resources that an issue's key stands for.
func (b *Builder) touched(k key) []key {
	if k.name != "" && k.kind != routesOfModel {
		return []key{k}
	}
	var all []key
	for other, old := range b.before {
		switch {
		case k.kind == other.kind:
			all = append(all, other)
		case k.kind == routesOfModel && other.kind == api.KindModelRoute:
			if b.routes(old, k.name) || b.routes(b.world.get(other), k.name) {
				all = append(all, other)
			}
		}
	}
	return all
}

func (b *Builder) routes(u *unit, model string) bool {
	return u != nil && as[api.ModelRoute](u).value.Spec.Model.String() == model
}

// putBackUnguarded leaves out the new models that a policy is about which is not
// in force as it is written: without it, their requests would be neither counted
// nor redacted, and nobody had decided that. It reports whether there were any.
func (b *Builder) putBackUnguarded() bool {
	progress := false
	for k, old := range b.before {
		if k.kind != api.KindModel || old != nil || b.world.get(k) == nil {
			continue
		}
		if problem := b.unguarded(k.name); problem != nil {
			progress = b.revert(k, *problem) || progress
		}
	}
	return progress
}

// unguarded says which policy a new model has to wait for; nil: for none.
func (b *Builder) unguarded(model string) *Problem {
	wait := func(policy string) *Problem {
		return &Problem{
			Resource: api.KindModel + "/" + model, Message: "the new model waits until " + policy + " is right, which may be about it",
			Hint: "mend the policy, or remove it",
		}
	}
	for _, f := range b.written.faulty {
		if slices.ContainsFunc(f.lost, func(l lost) bool { return l.policy }) {
			return wait("the policy in " + f.where)
		}
	}
	for k := range b.before {
		if w := b.written.first(k); w != nil && w != b.world.get(k) && concerns(w, model) {
			return wait(k.String())
		}
	}
	return nil
}

// concerns reports whether a unit is a policy that is, or may be, about a model.
func concerns(u *unit, model string) bool {
	var models []api.ModelRef
	switch u.kind {
	case api.KindRedactionPolicy:
		models = as[api.RedactionPolicy](u).value.Spec.Models
	case api.KindTokenLimit:
		models = as[api.TokenLimit](u).value.Spec.Models
	default:
		return false
	}
	return len(models) == 0 || u.doc.Failed("spec.models") ||
		slices.ContainsFunc(models, func(m api.ModelRef) bool { return m.String() == model })
}
