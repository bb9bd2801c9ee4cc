package engine

import (
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// propertySubject is whose the token is that Envoy verified (RFC 7519 section 4.1.2).
const propertySubject = propertyClaims + "\x00sub"

// traceBytes is the length of a trace id in a traceparent
// (https://www.w3.org/TR/trace-context/), in hexadecimal digits.
const traceBytes = 32

// setTrace takes a traceparent: a version, the trace id, the parent's id and flags. What
// is no trace id is forgotten: it would be the client's words.
func (f *headerFacts) setTrace(value []byte) {
	f.traced = len(value) >= 55 && value[2] == '-' && value[3+traceBytes] == '-' && isHex(value[3:3+traceBytes])
	if f.traced {
		copy(f.trace[:], value[3:])
	}
}

// isHex says whether a text is made of lower-case hexadecimal digits.
func isHex(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isUUID says whether a text has the form of RFC 9562 section 4, as Envoy writes it.
func isUUID(text []byte) bool {
	const dashes = 1<<8 | 1<<13 | 1<<18 | 1<<23
	if len(text) != 36 {
		return false
	}
	for i := range text {
		if dashes>>i&1 != 0 {
			if text[i] != '-' {
				return false
			}
		} else if !isHex(text[i : i+1]) {
			return false
		}
	}
	return true
}

// recordEvidence says who asked, in which trace, under which policy, and what was found:
// kinds, counts and bases in law, and for each value what stands for it under a key.
func (s *Stream) recordEvidence(r *recorder) {
	r.number("time", s.host.Now()/millisecond)
	if s.facts.traced {
		r.text("trace", view(s.facts.trace[:]))
	}
	if id := s.facts.id.bytes(); isUUID(id) {
		r.text("request", view(id))
	}
	if peer := s.host.Peer(); len(peer) > 0 {
		r.text("peer", view(peer))
	}
	if subject := s.host.Property(propertySubject); len(subject) > 0 {
		if keys := s.host.Keys(); keys != nil {
			r.name("operator")
			r.b = appendHex(r.b, keys.Subject(subject))
		}
	}
	if s.model < 0 {
		return
	}
	r.name("evaluation")
	r.b = appendHex(r.b, s.evaluation())
	if policy := s.redaction(); policy != nil {
		r.name("policy")
		item := recorder{b: r.b}
		item.text("name", policy.Name)
		item.name("version")
		item.b = appendHex(item.b, uint64(s.program.policies[s.program.models[s.model].redaction]))
		r.b = append(item.b, '}')
		s.recordFound(r, policy)
	}
}

// Found returns how many values of a kind were found in a direction.
func (s *Stream) Found(d spec.Direction, kind spec.EntityKind) uint32 {
	return s.out.session.Count(d, kind)
}

// FoundMode returns what was done with them.
func (s *Stream) FoundMode(d spec.Direction, kind spec.EntityKind) spec.RedactionMode {
	return s.out.session.Mode(d, kind)
}

// recordFound says what was found, by kind and direction, and of which values.
func (s *Stream) recordFound(r *recorder, policy *spec.Redaction) {
	session, begun := &s.out.session, false
	for _, d := range [...]spec.Direction{spec.DirectionRequest, spec.DirectionResponse} {
		for kind := range redact.Kinds {
			n := session.Count(d, spec.EntityKind(kind))
			if n == 0 {
				continue
			}
			item := r.item("found", &begun)
			item.kind(s, spec.EntityKind(kind))
			item.text("direction", d.String())
			item.text("mode", session.Mode(d, spec.EntityKind(kind)).String())
			item.number("count", int64(n))
			if basis := policy.Basis(spec.EntityKind(kind), d); basis != "" {
				item.text("basis", basis)
			}
			r.b = append(item.b, '}')
		}
	}
	r.endItems(begun)
	begun = false
	for i := range session.Digests() {
		v := &session.Digests()[i]
		item := r.item("values", &begun)
		item.kind(s, v.Kind)
		item.text("direction", v.Direction.String())
		item.name("digest")
		item.b = appendHex(item.b, v.Number())
		r.b = append(item.b, '}')
	}
	r.endItems(begun)
}

// kind says what a value is of: a kind, and of a custom entry its name too.
//
//go:noinline
func (r *recorder) kind(s *Stream, kind spec.EntityKind) {
	r.text("kind", kind.String())
	if kind >= spec.EntityCustom {
		r.text("name", s.FoundName(kind))
	}
}

// FoundName returns the name of a kind of which there are values: from spec.EntityCustom
// on that of the custom entry that it stands for.
//
//go:noinline
func (s *Stream) FoundName(kind spec.EntityKind) string {
	if kind < spec.EntityCustom {
		return kind.String()
	}
	return s.redaction().Custom[kind-spec.EntityCustom].Name
}

// item begins an object in a list, and before the first the list.
func (r *recorder) item(name string, begun *bool) recorder {
	if *begun {
		r.b = append(r.b, ',')
	} else {
		r.name(name)
		r.b = append(r.b, '[')
	}
	*begun = true
	return recorder{b: r.b}
}

func (r *recorder) endItems(begun bool) {
	if begun {
		r.b = append(r.b, ']')
	}
}

// digestPolicies digests all redactions: the number changes when what they do does.
func (p *Program) digestPolicies() {
	p.policies = make([]digest, len(p.doc.Redactions))
	for i := range p.policies {
		h, policy := digest(fnvOffset), &p.doc.Redactions[i]
		h.text(policy.Name)
		for _, n := range [...]int64{int64(policy.OnFailure), int64(policy.MinScore()), int64(policy.Hold()), int64(policy.Encodings)} {
			h.number(n)
		}
		for _, path := range policy.Skip {
			h.text(path)
		}
		for j := range policy.Entities {
			e := &policy.Entities[j]
			h.number(int64(e.Kind)<<24 | int64(e.Mode)<<16 | int64(e.Directions)<<8 | int64(e.Shape))
			h.text(e.Basis)
		}
		for j := range policy.Custom {
			e := &policy.Custom[j]
			h.text(e.Name)
			what := int64(e.Mode)<<8 | int64(e.Directions)
			if e.PartOfWord {
				what |= 1 << 16
			}
			h.number(what)
			h.text(e.Basis)
		}
		h.text(view(policy.Automaton))
		p.policies[i] = h
	}
}
