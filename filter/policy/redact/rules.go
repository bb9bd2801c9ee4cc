package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// Kinds is the number of entity kinds.
const Kinds = spec.EntityKinds

// Rules is a compiled set of entities. It is immutable and may be shared. A nil
// *Rules redacts nothing.
type Rules struct {
	class [256]uint8 // what a raw byte asks of the search, see redactor.go
	email bool
	mode  [Kinds]spec.RedactionMode
	on    [Kinds]bool
	// numbers are the detectors that are tried where a number begins, the most
	// certain first. The first that matches wins.
	numbers     [len(numberDetectors)]numberDetector
	numberCount int
	// minDigits is the least number of digits in any of their matches.
	minDigits int
}

// numberDetector looks for one kind of number.
type numberDetector struct {
	kind      spec.EntityKind
	minDigits int
	// match looks for a match that begins with the digit at i, before which
	// stands no digit.
	match func(w *window, i int) (span, bool)
}

// numberDetectors holds every kind of number in the order of certainty: a
// check digit over a date and a province, a Luhn digit, a bare shape.
var numberDetectors = [...]numberDetector{
	{spec.EntityResidentID, 17, matchResidentID}, // and a check character,
	{spec.EntityBankCard, 13, matchBankCard},
	{spec.EntityPhone, 11, matchPhone},
}

// Compile makes rules of the entities of a redaction, which spec has validated, that
// apply in a direction. It returns nil if there are none.
func Compile(redaction *spec.Redaction, d spec.Direction) *Rules {
	r := &Rules{}
	found := false
	for i := range redaction.Entities {
		if e := &redaction.Entities[i]; e.Applies(d) {
			found = true
			r.on[e.Kind] = true
			r.mode[e.Kind] = e.Mode
		}
	}
	if !found {
		return nil
	}
	r.email = r.on[spec.EntityEmail]
	for _, d := range numberDetectors {
		if !r.on[d.kind] {
			continue
		}
		r.numbers[r.numberCount] = d
		r.numberCount++
		r.minDigits = d.minDigits // the last has the least
	}
	r.classify()
	return r
}

// classify fills the class table with what can begin or change a match.
func (r *Rules) classify() {
	for c := range r.class {
		if foldLead[c] {
			r.class[c] = classWide
		}
	}
	r.class['\\'] = classEscape
	r.class['%'] = classEscape
	if r.email {
		r.class['@'] = classAt
	}
	if r.numberCount > 0 {
		for c := '0'; c <= '9'; c++ {
			r.class[c] = classDigit
		}
	}
}
