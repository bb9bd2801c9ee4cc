package engine

// decide chooses the version and the bucket and writes the header edits. The model
// is known.
func (s *Stream) decide() bool {
	if !s.chooseVersion() {
		return false
	}
	m := &s.program.doc.Models[s.model]
	s.spread()
	if s.facts.compressible && s.metered() {
		s.edits.remove("accept-encoding") // what the answer cost is read from it
	}
	if s.facts.answers && s.metered() {
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
