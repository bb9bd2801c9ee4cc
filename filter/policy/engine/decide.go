package engine

import "github.com/weirmesh/weir/filter/policy/spec"

// decide chooses the version and the bucket and writes the header edits. The model
// is known.
func (s *Stream) decide() bool {
	if !s.chooseVersion() {
		return false
	}
	m := &s.program.doc.Models[s.model]
	s.spread()
	rewrite := s.mayRewrite()
	if s.facts.compressible {
		s.askForCoding(rewrite)
	}
	if s.modelRules() != nil {
		s.facts.described.removeFrom(&s.edits, firstDigest)
	}
	if rewrite && s.facts.ranged {
		s.edits.remove("range")
		s.edits.remove("if-range")
	}
	if s.facts.answers && (s.metered() || rewrite) {
		s.edits.remove(headerGRPCAccept)
	}
	s.edits.set(HeaderModel, bytesOf(m.Name))
	s.edits.set(HeaderBucket, s.scratch.integer(int64(s.bucket)))
	if s.version >= 0 {
		s.edits.set(HeaderVersion, bytesOf(m.Versions[s.version]))
	}
	if m.Renames && s.route.hasModel {
		segment, _ := cut(view(s.facts.path[len(pathV2Models):s.facts.pathBytes]))
		s.edits.set(HeaderNameAt, s.facts.path[len(pathV2Models)-1:][:1+len(segment)])
	}
	s.colour()
	s.announce()
	return true
}

// askForCoding says to the upstream in which content codings its answer may be: what it
// cost, or holds, is read from it.
func (s *Stream) askForCoding(rewrite bool) {
	switch {
	case rewrite && s.Decompresses():
		s.edits.set("accept-encoding", gzipCoding)
	case s.metered(), rewrite && s.redaction().Encodings == spec.EncodingsIdentity:
		s.edits.remove("accept-encoding")
	}
}

// gzipCoding is the one that is asked for where Envoy decompresses answers. It reads
// others too, but with a fixed bound for how much may come of a chunk, which an event
// that repeats much of an earlier one exceeds.
var gzipCoding = []byte("gzip")

// Decompresses says whether Envoy is to decompress the answer. It is called after the
// request was decided.
func (s *Stream) Decompresses() bool {
	return s.model >= 0 && s.mayRewrite() && s.redaction().Encodings == spec.EncodingsDecompress
}
