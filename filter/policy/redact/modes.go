package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// modes is what rules do with values that are found.
type modes struct {
	direction spec.Direction
	failure   spec.Failure // of a value that cannot be kept for its token
	mode      [spec.EntityKinds]spec.RedactionMode
	shape     [spec.EntityKinds]spec.MaskShape
	probe     *Rules // find what mode format must not make; nil without that mode
}

// setModes takes over the entities that apply in a direction. It says whether there are
// any.
func (r *Rules) setModes(redaction *spec.Redaction, d spec.Direction) bool {
	r.direction, r.failure = d, redaction.OnFailure
	found, format := false, false
	for i := range redaction.Entities {
		e := &redaction.Entities[i]
		if !e.Applies(d) {
			continue
		}
		found = true
		r.on[e.Kind], r.mode[e.Kind], r.shape[e.Kind] = true, e.Mode, e.Shape
		format = format || e.Mode == spec.RedactFormat
		if e.Mode == spec.RedactToken && d == spec.DirectionResponse {
			r.mode[e.Kind] = spec.RedactTag // it is no value of the caller
		}
	}
	if format {
		r.probe = new(Rules)
	}
	return found
}

// addProbe makes the probe of rules that are compiled: the same, but for what is done
// with values, wherever a context word might stand. It is compiled anew, for TinyGo copies
// a struct of tables by 20 KB of instructions, one for each of their elements.
func (r *Rules) addProbe() {
	if r.probe == nil {
		return
	}
	probe := r.probe
	probe.direction, probe.failure = r.direction, r.failure
	probe.threshold = r.threshold - min(contextScore, r.threshold-1)
	for kind := range probe.mode {
		probe.on[kind], probe.mode[kind], probe.shape[kind] = r.on[kind], spec.RedactDetect, r.shape[kind]
	}
	probe.compile()
}
