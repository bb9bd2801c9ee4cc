package spec

import (
	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/paths"
)

func (v *validator) redactions(redactions []Redaction) {
	v.atMost(len(redactions), MaxRedactions)
	owner := make([]int, len(v.doc.Models)) // 1 + index of the redaction of each model
	for i := range redactions {
		r := &redactions[i]
		v.item(i)
		v.redaction(r)
		for j := range i {
			if redactions[j].Name == r.Name {
				v.failIn("name", quote(r.Name)+" already names another redaction")
			}
		}
		if v.err != nil {
			return
		}
		v.claim(redactions, owner, i)
		v.out()
	}
}

// claim notes which models redaction i applies to and refuses a second one.
func (v *validator) claim(redactions []Redaction, owner []int, i int) {
	n := 0
	v.covered(redactions[i].Models, func(m int) {
		if owner[m] > 0 {
			problem := "model " + quote(v.doc.Models[m].Name) + " already has redaction " + quote(redactions[owner[m]-1].Name)
			if len(redactions[i].Models) > 0 {
				v.failItem("models", n, problem)
			}
			v.failIn("models", problem)
		}
		owner[m] = i + 1
		n++
	})
}

func (v *validator) redaction(r *Redaction) {
	v.ownName(r.Name)
	v.references(r.Models)
	if len(r.Entities) == 0 && len(r.Custom) == 0 {
		v.failIn("entities", "must name at least one kind, unless there are custom entries")
	}
	v.each("entities", len(r.Entities), EntityKinds, func(i int) {
		v.entity(&r.Entities[i])
		for j := range i {
			if r.Entities[j].Kind == r.Entities[i].Kind {
				v.failIn("kind", quote(r.Entities[i].Kind.String())+" stands here twice")
			}
		}
	})
	v.known("onFailure", uint8(r.OnFailure), uint8(FailOpen))
	v.within("threshold", int64(r.Threshold), 0, 100)
	v.within("holdBytes", int64(r.HoldBytes), 0, MaxHoldBytes) // 0 is the default
	v.known("encodings", uint8(r.Encodings), encodingsCount-1)
	v.custom(r)
	v.each("skip", len(r.Skip), MaxSkips, func(i int) {
		if err := paths.Check(r.Skip[i]); err != nil {
			v.fail(quote(r.Skip[i]) + " " + err.Error())
		}
		v.unique(r.Skip, i)
	})
}

// custom checks words and patterns.
func (v *validator) custom(r *Redaction) {
	v.each("custom", len(r.Custom), MaxCustom, func(i int) {
		c := &r.Custom[i]
		if !validName(c.Name, MaxCustomName, "_-") {
			v.failIn("name", quote(c.Name)+" is no name: 1 to "+decimal(MaxCustomName)+" letters, digits, - and _, first a letter or digit")
		}
		v.known("mode", uint8(c.Mode), RedactionModes-1)
		v.known("directions", uint8(c.Directions), uint8(DirectionRequest|DirectionResponse))
		if problem := c.Problem(); problem.Field != "" {
			v.failIn(problem.Field, problem.Text)
		}
		v.basis(c.Basis)
		for j := range i {
			if r.Custom[j].Name == c.Name {
				v.failIn("name", quote(c.Name)+" stands here twice")
			}
		}
	})
	_, loaded := automaton.Load(r.Automaton)
	switch {
	case len(r.Custom) == 0 && len(r.Automaton) > 0:
		v.failIn("automaton", "is for custom entries, and there are none")
	case len(r.Custom) > 0 && !loaded:
		v.failIn("automaton", "is no table")
	case len(r.Automaton) > MaxAutomatonBytes:
		v.failIn("automaton", "has more than "+decimal(MaxAutomatonBytes)+" bytes")
	}
}

// Problem checks the fields of a custom entry together.
func (c *Custom) Problem() EntityProblem {
	if c.Mode == RedactFormat || c.Mode == RedactToken {
		return EntityProblem{"mode", quote(c.Mode.String()) + " is for kinds of entities alone", "use tag, mask, hmac, drop, block or detect"}
	}
	return EntityProblem{}
}

func (v *validator) entity(e *Entity) {
	v.known("kind", uint8(e.Kind), EntityKinds-1)
	v.known("mode", uint8(e.Mode), RedactionModes-1)
	v.known("directions", uint8(e.Directions), uint8(DirectionRequest|DirectionResponse))
	v.known("shape", uint8(e.Shape), maskShapes-1)
	if problem := e.Problem(); problem.Field != "" {
		v.failIn(problem.Field, problem.Text)
	}
	v.basis(e.Basis)
}

//go:noinline
func (v *validator) basis(text string) {
	if !validText(text, MaxBasisBytes) {
		v.failIn("basis", "must be at most "+decimal(MaxBasisBytes)+" bytes without control characters")
	}
}

// EntityProblem is what is wrong with the fields of an entity taken together.
type EntityProblem struct {
	Field string // that has to be mended; empty: nothing is wrong
	Text  string
	Fix   string
}

// Problem checks the fields of an entity together.
func (e *Entity) Problem() EntityProblem {
	switch {
	case e.Mode == RedactToken && !e.Applies(DirectionRequest):
		return EntityProblem{"directions", "mode token needs the direction request, where the values are that answers get back", "add request, or use another mode"}
	case e.Shape != ShapeUsual && e.Mode != RedactMask:
		return EntityProblem{"shape", "is for mode mask alone", "remove it, or use mode mask"}
	case e.Mode == RedactFormat && !e.Kind.keepsFormat():
		return EntityProblem{"mode", quote(e.Kind.String()) + " has no form that could be kept", "use tag or hmac"}
	}
	return EntityProblem{}
}

// keepsFormat says whether values of this kind have a form worth keeping: those that
// have not are credentials, of any length.
func (k EntityKind) keepsFormat() bool { return k < EntityAWSKey }
