package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/usage"
)

// answerState is what is known of the response.
type answerState struct {
	begun       bool // its headers came
	ended       bool // it arrived whole
	good        bool // its status is 2xx
	reading     bool
	encoded     bool // a content-encoding other than identity
	inflated    bool // its trailers say that Envoy decompressed it
	described   described
	rewriting   bool
	text        bool // it is text, whose characters are to be looked at
	fault       AnswerFault
	contentType text
	message     []byte // in place of grpc-message
	format      usage.Format
	scanner     usage.Scanner
}

func (a *answerState) reset() {
	a.begun, a.ended, a.good, a.reading, a.encoded = false, false, false, false, false
	a.inflated, a.described, a.rewriting, a.fault = false, 0, false, AnswerFine
	a.contentType.reset()
	a.message = nil
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
	return s.in.added || s.Rewrites() || s.phase == phaseStream && s.metered()
}

// Ended says whether the response arrived whole, so that no other cause of the stream's
// end counts any more.
func (s *Stream) Ended() bool { return s.got.ended }

// ResponseHeader takes one response header, :status too, if Reads. Names are in
// lower case; name and value are not kept.
func (s *Stream) ResponseHeader(name, value []byte) {
	a := &s.got
	switch view(name) {
	case ":status":
		a.good = len(value) == 3 && value[0] == '2'
	case "content-type":
		a.format = parseAnswerType(view(value))
		a.contentType.set(value)
	case "content-encoding":
		a.encoded = a.encoded || !equalFold(view(value), "identity")
	case HeaderVersion:
		if s.model >= 0 {
			s.taken = slices.Index(s.program.doc.Models[s.model].Versions, view(value))
		}
	case "grpc-status":
		a.good = a.good && view(value) == "0"
	case "grpc-encoding":
		a.encoded = a.encoded || !equalFold(view(value), "identity")
	case headerRPCMessage:
		s.redactRPCMessage(value)
	case InflatedTrailer:
		a.inflated = true
	default:
		a.described.note(view(name))
	}
}

// DecompressorLibrary is what the control plane calls the library of a decompressor of
// Envoy's, and InflatedTrailer what that adds to a body that it has read.
const (
	DecompressorLibrary = "weir"
	InflatedTrailer     = "x-envoy-decompressor-" + DecompressorLibrary + "-uncompressed-bytes"
)

// ReadsTrailers says whether the response's trailers have to be shown to
// ResponseHeader, before ResponseTrailers: gRPC says there how a call has ended, and
// Envoy that it has decompressed the body.
func (s *Stream) ReadsTrailers() bool { return s.isRPC() || s.got.rewriting }

// ResponseTrailers is ResponseEnd for a response with trailers, which leave no way for
// what still had to go to the client. It returns false if there is such, or if the answer
// came in a content coding and is not whole: where that is damaged or cut short, Envoy's
// decompressor says nothing, and nothing more comes.
func (s *Stream) ResponseTrailers() bool {
	a := &s.got
	cut := a.rewriting && !s.rpcAnswer.on && a.fault < AnswerRefused &&
		(len(a.scanner.Rest()) > 0 || s.rewriter.Holding() || a.inflated && !s.rewriter.Whole())
	if cut {
		a.fault = AnswerBroken
	}
	s.ResponseEnd(nil)
	return !cut
}

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
// no body. It returns false if RefuseAnswer is to be sent instead.
func (s *Stream) ResponseHeaders(end bool) bool {
	a := &s.got
	a.begun, a.reading = true, a.good
	if !end && s.Rewrites() && !s.beginRewriting() {
		return false
	}
	if a.encoded {
		a.format = usage.Opaque
	}
	cut := a.good && s.in.added && a.format == usage.Events
	a.scanner.Reset(a.format, cut)
	a.scanner.Price(s.prices())
	watched := a.good && a.format == usage.Events && s.watch()
	if (cut || watched) && a.described&1 != 0 {
		s.response.remove(bodyHeaders[0])
	}
	if end {
		s.ResponseEnd(nil)
	}
	return true
}

// streams says whether the answer comes in parts as the model makes them.
func (a *answerState) streams() bool { return a.begun && a.format == usage.Events }

// ResponseBody takes the next bytes of the response's body and writes what of them
// goes on to the client.
func (s *Stream) ResponseBody(p []byte, out Output) {
	before := s.Stopped()
	var cut usage.Passage
	if s.got.reading {
		cut = s.got.scanner.Scan(p)
	}
	s.pass(cut.Before, out)
	s.pass(p[:cut.From], out)
	s.pass(p[cut.To:len(p)-cut.Tail], out)
	if before || !s.Stopped() {
		return
	}
	s.endRewriting(out)
	if s.got.fault >= AnswerRefused {
		return
	}
	for event := s.closing(); event != nil; event = s.closing() {
		_ = out.Write(event)
	}
}

// ResponseEnd says that the response has ended, with or without trailers, and
// settles. It writes what still has to go to the client; with trailers there is no
// way for it any more, and out is nil.
func (s *Stream) ResponseEnd(out Output) {
	s.got.ended = true
	if out != nil {
		s.pass(s.got.scanner.Rest(), out)
		s.endRewriting(out)
	}
	s.Finish(CauseEnd)
}
