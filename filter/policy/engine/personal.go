package engine

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Codes of the answers to requests whose personal data may not go through.
const (
	CodePersonalData  = "personal_data"
	CodeTooManyValues = "too_many_values"
)

var (
	personalData  = refusal{403, typeRequest, CodePersonalData, "weir_personal_data"}
	tooManyValues = refusal{413, typeRequest, CodeTooManyValues, "weir_too_many_values"}
)

// clean refuses a request that may say something else than what was read of it, and one
// with values that a rule does not let through. It says what kinds they are and how many,
// and never a value.
func (s *Stream) clean() bool {
	if s.facts.foreign && s.modelRules() != nil {
		if s.redaction().OnFailure == spec.FailClosed {
			return s.refuseMedia()
		}
		s.unscanned = true
	}
	session := &s.out.session
	if !session.Blocked() {
		return true
	}
	if s.replied {
		return false
	}
	const direction = spec.DirectionRequest
	b := append(s.scratch.open(), "The request holds personal data that may not be sent:"...)
	comma := false
	for kind := range spec.EntityKind(redact.Kinds) {
		n := session.Count(direction, kind)
		if n == 0 || session.Mode(direction, kind) != spec.RedactBlock {
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(jsonscan.AppendInt(append(b, ' '), int64(n)), ' ')
		b = append(b, s.FoundName(kind)...)
	}
	return s.refuse(&personalData, "", view(s.scratch.close(append(b, '.'))))
}
