package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/usage"
)

// answer is what is known of the response.
type answer struct {
	begun   bool // its headers came
	ended   bool // it arrived whole
	good    bool // its status is 2xx
	reading bool
	encoded bool // a content-encoding other than identity
	sized   bool // a content-length
	format  usage.Format
	scanner usage.Scanner
}

func (a *answer) reset() {
	a.begun, a.ended, a.good, a.reading, a.encoded, a.sized = false, false, false, false, false, false
	a.format = usage.JSON // every API here answers so, if it does not say otherwise
	a.scanner.Reset(usage.Opaque, false)
}

// Reads says whether the response has to be shown to the stream: to settle what was
// reserved, or to take out what the client did not ask for.
func (s *Stream) Reads() bool {
	if s.replied {
		return false
	}
	for i := range s.charges.count {
		if s.charges.state[i] == chargeTaken && s.limit(i).tokens() || s.charges.state[i] == chargeAsked {
			return true
		}
	}
	return s.in.added || s.phase == phaseStream && s.metered()
}

// ResponseHeader takes one response header, :status too, if Reads. Names are in
// lower case; name and value are not kept.
func (s *Stream) ResponseHeader(name, value []byte) {
	a := &s.got
	switch view(name) {
	case ":status":
		a.good = len(value) == 3 && value[0] == '2'
	case "content-type":
		a.format = parseAnswerType(view(value))
	case "content-encoding":
		a.encoded = a.encoded || !equalFold(view(value), "identity")
	case "content-length":
		a.sized = true
	case HeaderVersion:
		if s.model >= 0 {
			s.taken = slices.Index(s.program.doc.Models[s.model].Versions, view(value))
		}
	case "grpc-status":
		a.good = a.good && view(value) == "0"
	case "grpc-encoding":
		a.encoded = a.encoded || !equalFold(view(value), "identity")
	}
}

// ReadsTrailers says whether the response's trailers have to be shown to
// ResponseHeader, before ResponseEnd: gRPC says there how a call has ended.
func (s *Stream) ReadsTrailers() bool { return s.isRPC() }

// parseAnswerType says how an answer of this content-type is read.
func parseAnswerType(value string) usage.Format {
	switch parseMediaType(value) {
	case mediaJSON, mediaAbsent:
		return usage.JSON
	case mediaGRPC:
		return usage.Message
	}
	const events = "text/event-stream"
	if len(value) >= len(events) && equalFold(value[:len(events)], events) {
		return usage.Events
	}
	return usage.Opaque
}

// ResponseHeaders is called after the last ResponseHeader; end says that there is
// no body.
func (s *Stream) ResponseHeaders(end bool) {
	a := &s.got
	a.begun, a.reading = true, a.good
	if a.encoded {
		a.format = usage.Opaque
	}
	cut := a.good && s.in.added && a.format == usage.Events
	a.scanner.Reset(a.format, cut)
	a.scanner.Price(s.prices())
	watched := a.good && a.format == usage.Events && s.watch()
	if (cut || watched) && a.sized {
		s.response.remove("content-length")
	}
	if end {
		s.ResponseEnd()
	}
}

// streams says whether the answer comes in parts as the model makes them.
func (a *answer) streams() bool { return a.begun && a.format == usage.Events }

// ResponseBody takes the next bytes of the response's body and says what of them
// goes on to the client.
func (s *Stream) ResponseBody(p []byte) usage.Passage {
	if !s.got.reading {
		return usage.Passage{}
	}
	return s.got.scanner.Scan(p)
}

// ResponseEnd says that the response has ended, with or without trailers, and
// settles. It returns bytes that still have to go to the client, valid until the
// next call.
func (s *Stream) ResponseEnd() []byte {
	s.got.ended = true
	s.Finish(CauseEnd)
	return s.got.scanner.Rest()
}
