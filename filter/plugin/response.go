//go:build wasip1

package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/usage"
)

// OnHttpResponseHeaders adds what a limit has to say to an admitted request, also
// when Envoy answers in place of the upstream.
func (s *stream) OnHttpResponseHeaders(_ int, end bool) types.Action {
	if s.phase != forwarded && s.phase != passing {
		return types.ActionContinue
	}
	if s.reading = s.engine.Reads(); s.reading {
		s.readResponseHeaders(end)
	} else if s.program.Record() && s.engine.VersionUnknown() {
		if st := s.readResponseMap(responseHeaders); st != statusOK {
			s.complain("read response headers", st)
		}
	}
	edits := s.engine.ResponseEdits()
	for i := range edits {
		if st := edit(responseHeaders, &edits[i]); st != statusOK {
			s.complain("response headers", st)
		}
	}
	return types.ActionContinue
}

// readResponseHeaders shows the headers to the engine. If they cannot be had, the
// answer counts as one that never came.
func (s *stream) readResponseHeaders(end bool) {
	if st := s.readResponseMap(responseHeaders); st != statusOK {
		s.reading = false
		s.complain("read response headers", st)
		return
	}
	if s.engine.MayBeOverruled() {
		if details, st := getProperty(&smallBlock, codeDetails); st == statusOK {
			s.engine.Overruled(view(details))
		}
	}
	s.engine.ResponseHeaders(end)
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

// responseBody shows the chunk to the engine in ranges and lets it go on. A
// chunk of which something is cut out is written anew behind itself, range by
// range, and drained in the end.
func (s *stream) responseBody(size int, end bool) types.Action {
	if !s.reading {
		return types.ActionContinue
	}
	stopped := s.engine.Stopped()
	if st := s.readResponse(uint32(size), end); st != statusOK {
		s.complain("response body", st)
	}
	switch {
	case stopped && !end:
		s.cutOff(now())
	case s.engine.Stopped() && !end:
		s.awaitEnd()
	}
	return types.ActionContinue
}

func (s *stream) readResponse(size uint32, end bool) status {
	anew := false
	for at := uint32(0); at < size; {
		part, st := getBuffer(responseBody, at, min(size-at, rangeSize))
		if st != statusOK {
			return st
		}
		if len(part) == 0 {
			return statusNotFound
		}
		passage := s.engine.ResponseBody(part)
		if !anew && !passage.Unchanged() {
			anew = true
			if st := repeatResponse(at); st != statusOK {
				return st
			}
			if at > 0 { // part lay where the repeated ranges were read to
				if part, st = getBuffer(responseBody, at, uint32(len(part))); st != statusOK {
					return st
				}
			}
		}
		if anew {
			if st := s.writePassage(part, &passage); st != statusOK {
				return st
			}
		}
		at += uint32(len(part))
	}
	if anew {
		if st := setBody(responseBody, size, nil); st != statusOK {
			return st
		}
	}
	if end {
		return appendBody(responseBody, s.engine.ResponseEnd())
	}
	worker.host.list.Flush() // more may have been reserved
	return statusOK
}

// repeatResponse writes the first size bytes of the response body once more, behind
// what stands there.
func repeatResponse(size uint32) status {
	for at := uint32(0); at < size; {
		part, st := getBuffer(responseBody, at, min(size-at, rangeSize))
		if st != statusOK {
			return st
		}
		if st := appendBody(responseBody, part); st != statusOK {
			return st
		}
		at += uint32(len(part))
	}
	return statusOK
}

// writePassage writes what of a range goes on, and the end of a stream that is stopped.
func (s *stream) writePassage(part []byte, p *usage.Passage) status {
	if st := appendBody(responseBody, p.Before); st != statusOK {
		return st
	}
	if st := appendBody(responseBody, part[:p.From]); st != statusOK {
		return st
	}
	if st := appendBody(responseBody, part[p.To:len(part)-p.Tail]); st != statusOK || !p.Stopped {
		return st
	}
	return s.writeEnd()
}

// OnHttpResponseTrailers ends the response. What still waits of a stream of events
// is an event without its end, which every client discards; here it has no way out.
func (s *stream) OnHttpResponseTrailers(int) types.Action {
	if s.reading {
		if s.engine.ReadsTrailers() {
			if st := s.readResponseMap(responseTrailers); st != statusOK {
				s.complain("read response trailers", st)
			}
		}
		s.engine.ResponseEnd()
	}
	return types.ActionContinue
}

// cause is why the stream has ended, as Envoy says in its response code details.
// What neither the upstream nor a clock has done is laid to the client.
func (s *stream) cause() engine.Cause {
	if s.phase == replied {
		return engine.CauseReply
	}
	if !s.engine.Reads() {
		return engine.CauseEnd
	}
	details, st := getProperty(&smallBlock, codeDetails)
	if st == statusOK && brokeOff(view(details)) {
		return engine.CauseUpstream
	}
	return engine.CauseClient
}
