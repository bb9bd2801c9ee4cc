//go:build wasip1

package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// actionNoBuffer is StopIterationNoBuffer: Envoy buffers nothing, so that its
// own limit does not answer 413. The ABI leaves the value unnamed.
const actionNoBuffer = types.Action(3)

// phase is how far a stream has come.
type phase uint8

const (
	fresh     phase = iota // no request headers yet
	holding                // headers and body are held
	forwarded              // headers went upstream; the rest of a body above the hold limit may follow
	passing                // decided at the headers: the body is none of the engine's business
	refusing               // to be answered here, as soon as Envoy has seen the end of the request
	replied                // answered here; later callbacks are about our own answer
)

// stream is the context of one HTTP stream. It goes back to the pool in
// OnHttpStreamDone, which Envoy calls for every end of a stream.
type stream struct {
	types.DefaultHttpContext
	engine    *engine.Stream
	plugin    *plugin
	program   *engine.Program
	phase     phase
	published bool
	reading   bool  // the engine wants to see the response
	waiting   bool  // the response's headers wait for the first of its body
	spilled   bool  // a part of what came out of the chunk that is being read stands behind it already
	sized     bool  // the request has a content-length: no trailers while the body is held
	protocol  uint8 // whether Envoy's own buffer may be used, see holdAction
	arrived   int64 // bytes of the body
	gauged    int64 // what this stream has added to weir.held_bytes
	at        int   // in vm.live
	id        uint32
	output    output // what went to the client
	deadline  int64  // of an upstream that goes on after its stream was stopped, Unix nanoseconds; 0: none
}

// open takes a stream from the pool.
func (w *vm) open(p *plugin, id uint32) *stream {
	p.streams++
	var s *stream
	if n := len(w.free); n > 0 {
		s, w.free = w.free[n-1], w.free[:n-1]
	} else {
		s = &stream{engine: engine.NewStream(w.pool)}
		s.engine.Share(&w.desk)
	}
	*s = stream{engine: s.engine, plugin: p, program: p.program, id: id, at: len(w.live)}
	w.live = append(w.live, s)
	return s
}

// OnHttpRequestHeaders reads all headers in one host call.
func (s *stream) OnHttpRequestHeaders(_ int, end bool) types.Action {
	worker.metrics.requests.add(1)
	s.phase = holding
	s.engine.Reset(s.program, &worker.host)
	data, st := getPairs(requestHeaders)
	if st != statusOK {
		return s.fail("request headers", st)
	}
	headers := newPairs(data)
	for headers.next() {
		drill(headers.name)
		if view(headers.name) == "content-length" {
			s.sized = true
		}
		s.engine.Header(headers.name, headers.value)
	}
	if headers.bad {
		return s.fail("request headers", statusInvalidMemory)
	}
	if s.program.Evidence() == spec.EvidenceClosed && !worker.seal.ready() {
		return s.answer(s.engine.RefuseEvidence())
	}
	switch s.engine.Headers(end) {
	case engine.Reply:
		return s.reply()
	case engine.Forward:
		action := s.forward()
		if s.phase == forwarded {
			s.phase = passing
		}
		return action
	}
	return types.ActionPause
}

// OnHttpRequestBody feeds the chunk to the engine in ranges. Envoy's chunk may be
// a megabyte, so what a streamed body lets out is written behind the chunk after
// each range, and the chunk itself is drained in the end: held bytes stay bounded.
func (s *stream) OnHttpRequestBody(size int, end bool) types.Action {
	switch s.phase {
	case passing:
		return types.ActionContinue
	case replied:
		return actionNoBuffer
	case refusing:
		return s.refuse(uint32(size), end)
	}
	s.arrived += int64(size)
	verdict, st := s.feed(uint32(size), end)
	if st != statusOK {
		return s.fail("request body", st)
	}
	switch verdict {
	case engine.Reply:
		return s.refuse(uint32(size), end)
	case engine.Forward:
		if st := s.writeBack(uint32(size)); st != statusOK {
			return s.fail("write request body", st)
		}
		return s.forward()
	}
	return s.hold(uint32(size))
}

func (s *stream) feed(size uint32, end bool) (engine.Action, status) {
	if size == 0 {
		return s.engine.Body(nil, end), statusOK
	}
	verdict := engine.Hold
	for at := uint32(0); at < size; {
		n := min(size-at, rangeSize)
		part, st := getBuffer(requestBody, at, n)
		if st != statusOK {
			return verdict, st
		}
		if uint32(len(part)) != n {
			return verdict, statusNotFound
		}
		at += n
		verdict = s.engine.Body(part, end && at == size)
		if verdict == engine.Reply {
			break
		}
		if verdict == engine.Forward && at < size {
			s.spilled = true
			if st := s.appendHeld(0); st != statusOK {
				return verdict, st
			}
		}
	}
	return verdict, statusOK
}

// OnHttpRequestTrailers ends the body. Envoy gives the trailers no access to the
// last chunk, only to its own buffer; see holdAction.
func (s *stream) OnHttpRequestTrailers(int) types.Action {
	switch s.phase {
	case passing:
		return types.ActionContinue
	case replied:
		return types.ActionPause
	case refusing:
		return s.reply()
	}
	switch s.engine.Body(nil, true) {
	case engine.Reply:
		return s.reply()
	case engine.Forward:
	default:
		return s.fail("request trailers", statusOK)
	}
	if s.engine.Held().Len() > 0 {
		if s.protocol != bufferUsable {
			return s.answer(s.engine.RefuseLength())
		}
		if st := s.writeBack(0); st != statusOK {
			return s.fail("write request body", st)
		}
	}
	return s.forward()
}

// OnHttpStreamDone settles what the response has not, publishes and gives
// everything back.
func (s *stream) OnHttpStreamDone() {
	if s.phase != fresh {
		s.engine.Finish(s.cause())
		if st := s.tell((*engine.Stream).Cost); st != statusOK {
			s.complain("tell the ratelimit filter what it cost", st)
		}
		s.publish()
		s.count()
		s.engine.Release()
	}
	if s.deadline != 0 {
		s.forgetEnd()
	}
	worker.leave(s)
	s.gauge(0)
	s.plugin.streams--
	s.plugin.release()
	s.plugin, s.program = nil, nil
	worker.free = append(worker.free, s)
}
