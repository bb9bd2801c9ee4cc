//go:build wasip1

package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/weirmesh/weir/filter/policy/engine"
)

// OnHttpResponseHeaders adds what a limit has to say to an admitted request, also
// when Envoy answers in place of the upstream.
func (s *stream) OnHttpResponseHeaders(_ int, end bool) types.Action {
	if s.phase != forwarded && s.phase != passing {
		return types.ActionContinue
	}
	if s.reading = s.engine.Reads(); s.reading {
		if !s.readResponseHeaders(end) {
			return s.answerInstead()
		}
	} else if s.program.Record() && s.engine.VersionUnknown() {
		if st := s.readResponseMap(responseHeaders); st != statusOK {
			s.complain("read response headers", st)
		}
	}
	s.editMessage(responseHeaders)
	edits := s.engine.ResponseEdits()
	for i := range edits {
		if st := edit(responseHeaders, &edits[i]); st != statusOK {
			s.complain("response headers", st)
		}
	}
	if s.waiting = !end && s.engine.Waits(); s.waiting {
		return types.ActionPause // until the first bytes of the body have been read
	}
	return types.ActionContinue
}

// readResponseHeaders shows the headers to the engine. If they cannot be had, the
// answer counts as one that never came, or as one that cannot be read. It returns
// false if another one is to take its place.
func (s *stream) readResponseHeaders(end bool) bool {
	if st := s.readResponseMap(responseHeaders); st != statusOK {
		s.complain("read response headers", st)
		s.reading = false
		return !s.engine.Rewrites()
	}
	if s.engine.MayBeOverruled() {
		if details, st := getProperty(&smallBlock, codeDetails); st == statusOK {
			s.engine.Overruled(view(details))
		}
	}
	return s.engine.ResponseHeaders(end)
}

// editMessage puts what the engine has made of grpc-message in its place, and takes away
// what may repeat it. If that fails, nothing goes on.
func (s *stream) editMessage(kind uint32) {
	message := s.engine.RPCMessage()
	if message == nil {
		return
	}
	st := setHeader(kind, "grpc-message", message)
	if st == statusOK {
		st = removeHeader(kind, "grpc-status-details-bin")
	}
	if st != statusOK {
		s.complain("redact grpc-message", st)
		s.breakOff()
	}
}

const codeDetails = "response\x00code_details"

// readResponseMap shows headers or trailers of the response to the engine.
//
//go:noinline
func (s *stream) readResponseMap(kind uint32) status {
	data, st := getPairs(kind)
	headers := newPairs(data)
	for st == statusOK && headers.next() {
		s.engine.ResponseHeader(headers.name, headers.value)
	}
	if headers.bad {
		return statusInvalidMemory
	}
	return st
}

// responseBody shows the chunk to the engine in ranges and lets it go on, or
// what the engine makes of it.
func (s *stream) responseBody(size int, end bool) types.Action {
	if !s.reading || s.phase == replied {
		return types.ActionContinue
	}
	late := s.deadline != 0
	if st := s.readResponse(uint32(size), end); st != statusOK {
		s.complain("response body", st)
		if s.engine.Rewrites() {
			s.breakOff() // nothing may pass unread
		}
	}
	switch fault := s.engine.AnswerFault(); {
	case fault >= engine.AnswerBroken && s.waiting:
		return s.answerInstead()
	case fault >= engine.AnswerBroken && !s.engine.Streams():
		s.breakOff()
	case end:
	case late:
		s.cutOff(now())
	case s.engine.Stopped() || fault >= engine.AnswerBroken:
		s.awaitEnd()
	}
	s.waiting = false
	return types.ActionContinue
}

// breakOff resets the stream: what was let out of it is no whole answer.
func (s *stream) breakOff() {
	if st := status(proxyCloseStream(closeResponse)); st != statusOK {
		s.complain("close stream", st)
	}
}

// answerInstead answers in place of the upstream, of whose answer the client has
// nothing yet. The model has done its work all the same.
func (s *stream) answerInstead() types.Action {
	s.engine.Finish(engine.CauseEnd)
	return s.answer(s.engine.RefuseAnswer())
}

func (s *stream) readResponse(size uint32, end bool) status {
	out := &worker.out
	out.begin(size)
	for at := uint32(0); at < size; {
		part, st := getBuffer(responseBody, at, min(size-at, rangeSize))
		if st != statusOK {
			return st
		}
		if len(part) == 0 {
			return statusNotFound
		}
		out.part, out.at = part, at
		s.engine.ResponseBody(part, out)
		at += uint32(len(part))
	}
	out.part = nil
	if end {
		s.engine.ResponseEnd(out)
	} else {
		worker.host.list.Flush() // more may have been reserved
	}
	return out.end()
}

// OnHttpResponseTrailers ends the response. What still waits of a stream of events
// is an event without its end, which every client discards; here it has no way out.
func (s *stream) OnHttpResponseTrailers(int) types.Action {
	if !s.reading || s.phase == replied {
		return types.ActionContinue
	}
	if s.engine.ReadsTrailers() {
		if st := s.readResponseMap(responseTrailers); st != statusOK {
			s.complain("read response trailers", st)
		}
		s.editMessage(responseTrailers)
	}
	if !s.engine.ResponseTrailers() {
		s.breakOff()
		return types.ActionPause // Envoy would write them to a stream that it has reset
	}
	return types.ActionContinue
}

// cause is why the stream has ended, as Envoy says in its response code details, which
// are dear to ask for: a property costs as much as ten other host calls. What neither
// the upstream nor a clock has done is laid to the client.
func (s *stream) cause() engine.Cause {
	if s.phase == replied {
		return engine.CauseReply
	}
	if !s.engine.Reads() || s.engine.Ended() {
		return engine.CauseEnd
	}
	details, st := getProperty(&smallBlock, codeDetails)
	if st == statusOK && brokeOff(view(details)) {
		return engine.CauseUpstream
	}
	return engine.CauseClient
}
