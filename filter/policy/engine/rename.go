package engine

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// extent is a part of the body as it goes upstream, in bytes.
type extent struct{ from, to int64 }

// tellName says where in the body the model's name stands, if a version has another
// one. Length is the body's as content-length says it, none without.
func (s *Stream) tellName(length int64) {
	at := s.in.modelAt
	if !s.program.doc.Models[s.model].Renames || s.route.hasModel || at.to <= at.from {
		return
	}
	b := jsonscan.AppendInt(s.scratch.open(), at.from)
	b = jsonscan.AppendInt(append(b, '-'), at.to)
	b = append(b, '/')
	if length >= 0 {
		b = jsonscan.AppendInt(b, length)
	}
	s.edits.set(HeaderNameAt, s.scratch.close(b))
}

// lengthUpstream is the content-length that upstream is told, none without one.
func (s *Stream) lengthUpstream() int64 {
	if s.facts.length < 0 {
		return none
	}
	return s.out.written
}
