package engine

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// extent is a part of the body as it goes upstream, in bytes.
type extent struct{ from, to int64 }

// named says whether a version may call the model by another name than the body does.
// Such a body must go on in one piece, so it is not streamed.
func (s *Stream) named() bool {
	return s.program.doc.Models[s.model].Renames && !s.route.hasModel && s.in.modelAt.to > s.in.modelAt.from
}

// tellName says where in the body the model's name stands. Length is the body's as
// content-length says it, none without.
func (s *Stream) tellName(length int64) {
	if !s.named() {
		return
	}
	at := s.in.modelAt
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
