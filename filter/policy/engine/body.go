package engine

import "github.com/weirmesh/weir/filter/policy/spec"

// bodyKind is how a body is read.
type bodyKind uint8

const (
	bodyNone   bodyKind = iota
	bodyJSON            // read and redacted
	bodyOpaque          // passed as it is
	bodyGRPC            // read, and passed as it is
)

// bodyKind says what the headers promise. A body without a content-type is read as
// JSON: every path here takes JSON, and what is not will be refused.
func (f *headerFacts) bodyKind() bodyKind {
	if f.mediaType == mediaGRPC && !f.encoded {
		return bodyGRPC
	}
	if f.encoded || f.binary || f.mediaType >= mediaGRPC {
		return bodyOpaque
	}
	return bodyJSON
}

// readable refuses a body that cannot be read where it must be: to find the model,
// to redact, or to count what is compressed.
func (s *Stream) readable() bool {
	if s.body != bodyOpaque {
		return true
	}
	if s.model < 0 {
		return s.refuseMedia()
	}
	if rules := s.modelRules(); rules != nil {
		switch {
		case s.facts.readsPlain():
			s.plain.start(rules)
		case s.redaction().OnFailure == spec.FailClosed:
			return s.refuseMedia()
		default:
			s.unscanned = true
		}
	}
	if s.facts.encoded && s.metered() {
		return s.refuseMedia()
	}
	return true
}

// Body takes the next bytes of the body (64 KiB at most, valid during the call);
// end says that they are the last. It may be called after Forward: for a body that
// is streamed on, and with nothing but the end.
func (s *Stream) Body(p []byte, end bool) Action {
	switch s.phase {
	case phasePass:
		return Forward
	case phaseReplied:
		return Reply
	case phaseDone:
		if len(p) == 0 {
			return Forward
		}
		s.refuse(&badJSON, "", "The body is longer than its content-length.")
		return s.done()
	}
	s.received += int64(len(p))
	if s.facts.length >= 0 && s.received >= s.facts.length {
		end = true
	}
	if s.phase == phaseHold && s.received > int64(s.program.doc.Settings.HoldLimit) {
		room := len(p) - int(s.received-int64(s.program.doc.Settings.HoldLimit))
		if !s.read(p[:room], false) || !s.overflow() {
			return s.done()
		}
		p = p[room:]
	}
	if !s.read(p, end) {
		return s.done()
	}
	switch {
	case end:
		return s.finish(s.phase == phaseHold && s.received == int64(len(p)))
	case s.phase == phaseStream:
		return Forward
	}
	return Hold
}

// read takes a piece of the body in; end says that it is the last, which stays in the
// pipe until everything is decided.
func (s *Stream) read(p []byte, end bool) bool {
	s.out.begin(p)
	var err error
	switch s.body {
	case bodyJSON:
		err = s.in.scanner.Scan(p, &s.in)
		if err == nil && end && s.received > 0 {
			err = s.in.scanner.Close(&s.in)
		}
	case bodyGRPC:
		err = s.readRPC(p, end)
	default:
		if s.plain.on {
			err = s.plain.read(p, end)
		} else {
			err = s.out.Write(p)
		}
	}
	if err == nil && !end {
		err = s.out.end(false)
	}
	return err == nil || s.refuseBody(err)
}

// heldWhole says whether the request cannot be streamed on.
func (s *Stream) heldWhole() bool {
	return s.model < 0 || s.named() || s.rewritesRPC() || s.rewritesForm() || s.program.models[s.model].served
}

// overflow goes over to streaming at the hold limit: the headers are decided with
// what was read up to there.
func (s *Stream) overflow() bool {
	if s.program.doc.Settings.Overflow == spec.OverflowRefuse || s.heldWhole() {
		return s.refuseLarge()
	}
	if !s.clean() || !s.admitRPC() || !s.decide() {
		return false
	}
	s.edits.remove("content-length")
	s.phase = phaseStream
	return true
}

// finish decides at the end of the body; whole says that it came in one piece.
func (s *Stream) finish(whole bool) Action {
	s.anyModel()
	if s.model < 0 {
		s.refuse(&noModel, "model", "The request names no model.")
		return s.done()
	}
	if !s.redactRPC() || !s.redactForm() || !s.clean() {
		return s.done()
	}
	if s.phase != phaseStream {
		if !s.admitRPC() || !s.decide() {
			return s.done()
		}
	}
	if !s.charge() || !s.let(whole) {
		return s.done()
	}
	s.phase = phaseDone
	return Forward
}

// let lets the last piece of the body out, and with it a cap that was lowered.
func (s *Stream) let(whole bool) bool {
	err := s.writeCap()
	if err == nil {
		err = s.out.end(whole)
	}
	if err != nil {
		return s.refuseBody(err)
	}
	if s.phase != phaseStream {
		s.correctLength()
		s.tellName(s.lengthUpstream())
	}
	return true
}

// correctLength makes content-length that of the redacted body.
func (s *Stream) correctLength() {
	if s.facts.length >= 0 && s.out.taken && s.out.written != s.facts.length {
		s.edits.set("content-length", s.scratch.integer(s.out.written))
	}
}
