//go:build wasip1

package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// States of stream.protocol.
const (
	bufferUnknown  uint8 = iota
	bufferUsable         // chunks are small frames: Envoy's buffer may stay in use, emptied
	bufferUnusable       // HTTP/1: a chunk may be larger than Envoy's buffer limit
)

// hold takes the chunk out of Envoy's buffer; the engine has its bytes.
func (s *stream) hold(size uint32) types.Action {
	if size > 0 {
		if st := setBody(requestBody, size, nil); st != statusOK {
			return s.fail("empty request body", st)
		}
	}
	s.gauge(int64(s.engine.Held().Len()))
	return s.holdAction()
}

// holdAction says how to stop after an emptied chunk. StopIterationNoBuffer has
// no limit, but leaves nothing that a trailers callback could write the body to:
// Envoy would use a freed chunk. A body with a content-length is let go before
// trailers can come, and Envoy drops the trailers of HTTP/1. The frames of HTTP/2
// and 3 are small, so there Envoy's buffer is kept in use, emptied each time.
func (s *stream) holdAction() types.Action {
	if s.sized {
		return actionNoBuffer
	}
	if s.protocol == bufferUnknown {
		s.protocol = bufferUsable
		protocol, st := getProperty(&smallBlock, "request\x00protocol")
		if st != statusOK || len(protocol) < 6 || view(protocol[:6]) == "HTTP/1" {
			s.protocol = bufferUnusable
		}
	}
	if s.protocol == bufferUsable {
		return types.ActionPause
	}
	return actionNoBuffer
}

// writeBack puts the engine's bytes in place of a chunk of size bytes. A chunk
// that the engine neither kept nor changed is left alone.
func (s *stream) writeBack(size uint32) status {
	if !s.engine.Rewritten() {
		return statusOK
	}
	if s.spilled { // Envoy's buffer begins with the chunk and goes on with what came out of it
		s.spilled = false
		if st := s.appendHeld(0); st != statusOK {
			return st
		}
		return setBody(requestBody, size, nil)
	}
	held := s.engine.Held()
	switch {
	case held.Blocks() > 0:
		if st := setBody(requestBody, size, held.Block(0)); st != statusOK {
			return st
		}
		return s.appendHeld(1)
	case size > 0:
		return setBody(requestBody, size, nil)
	}
	return statusOK
}

// appendHeld writes the engine's blocks from the given one on behind what stands
// in Envoy's buffer, and gives all of them back.
func (s *stream) appendHeld(from int) status {
	held := s.engine.Held()
	for i := from; i < held.Blocks(); i++ {
		if st := appendBody(requestBody, held.Block(i)); st != statusOK {
			return st
		}
	}
	held.Release()
	return statusOK
}

// forward lets the request go on; the first time with its header edits.
func (s *stream) forward() types.Action {
	worker.host.list.Flush()
	if s.phase == forwarded {
		return types.ActionContinue
	}
	s.phase = forwarded
	s.gauge(0)
	edits := s.engine.Edits()
	for i := range edits {
		if st := edit(requestHeaders, &edits[i]); st != statusOK {
			return s.fail("edit request headers", st)
		}
	}
	if st := s.tell((*engine.Stream).Question); st != statusOK {
		return s.fail("tell the ratelimit filter", st)
	}
	if s.engine.Decompresses() {
		if st := setProperty(engine.PropertyDecompress, decompress[:]); st != statusOK {
			return s.fail("tell the decompressors", st)
		}
	}
	if st := clearRouteCache(); st != statusOK {
		return s.fail("clear route cache", st)
	}
	return types.ActionContinue
}

var decompress = [...]byte{'1'}

// tell leaves for Envoy's ratelimit filter what the engine has to say to it.
func (s *stream) tell(of func(s *engine.Stream, i int) (property string, value []byte, more bool)) status {
	for i := 0; ; i++ {
		property, value, more := of(s.engine, i)
		if !more {
			return statusOK
		}
		if property == "" {
			continue
		}
		if st := setProperty(property, value); st != statusOK {
			return st
		}
	}
}

func edit(kind uint32, e *engine.Edit) status {
	switch e.Op {
	case engine.Remove:
		return removeHeader(kind, e.Name)
	case engine.Append:
		return addHeader(kind, e.Name, e.Value)
	case engine.Merge:
		return mergeBaggage(kind, e)
	}
	return setHeader(kind, e.Name, e.Value)
}

// mergeBaggage puts the filter's members of baggage before the client's.
//
//go:noinline
func mergeBaggage(kind uint32, e *engine.Edit) status {
	data, st := getPairs(kind)
	w := append(worker.headers.b[:0], e.Value...)
	headers := newPairs(data)
	for st == statusOK && headers.next() {
		if view(headers.name) == e.Name {
			w = engine.AppendBaggage(w, headers.value)
		}
	}
	worker.headers.b = w
	if headers.bad {
		return statusInvalidMemory
	}
	if st != statusOK {
		return st
	}
	return setHeader(kind, e.Name, w)
}

// refuse sends the engine's reply. Over HTTP/1 Envoy tells the end of a body in a
// callback of its own, and closes the client's connection if it is answered before
// that. When all of content-length is here, the end is next: the reply waits for it.
func (s *stream) refuse(size uint32, end bool) types.Action {
	if end || s.arrived != s.engine.Length() {
		return s.reply()
	}
	s.phase = refusing
	return s.hold(size)
}

// reply sends the engine's reply.
func (s *stream) reply() types.Action { return s.answer(s.engine.Reply()) }

// repliedHeader tells Envoy's local reply configuration that the body is ours.
const repliedHeader = "x-weir-replied"

var one = []byte{'1'}

func (s *stream) answer(r *engine.ReplyMessage) types.Action {
	s.phase = replied
	s.gauge(0)
	s.engine.Finish(engine.CauseReply)
	if s.program.Evidence() == spec.EvidenceNone {
		s.publish()
	}
	if st := setHeader(requestHeaders, repliedHeader, one); st != statusOK {
		s.complain("mark reply", st)
	}
	if st := sendReply(r); st != statusOK {
		s.complain("send reply", st)
	}
	worker.metrics.replied(r.Code)
	return types.ActionPause
}

func sendReply(r *engine.ReplyMessage) status {
	w := &worker.headers
	w.reset(len(r.Headers))
	for i := range r.Headers {
		w.announce(r.Headers[i].Name, r.Headers[i].Value)
	}
	for i := range r.Headers {
		w.write(r.Headers[i].Name, r.Headers[i].Value)
	}
	return status(proxySendLocalResponse(uint32(r.Status), textPointer(r.Details), uint32(len(r.Details)),
		pointer(r.Body), uint32(len(r.Body)), pointer(w.b), uint32(len(w.b)), uint32(r.GRPC)))
}

// fail answers a request that the filter cannot decide on: closed, never open.
func (s *stream) fail(what string, st status) types.Action {
	s.complain(what, st)
	return s.answer(s.engine.RefuseInternal())
}

func (s *stream) complain(what string, st status) {
	worker.metrics.hostErrors.add(1)
	worker.log(levelError, "host call failed: ", what, statusText(st))
}

func statusText(st status) string {
	return string(appendDecimal([]byte(", status "), uint64(st)))
}

// publish makes the decision visible to access logs, once. The records of a chain are
// published when their streams are logged, so that they are logged in their order.
func (s *stream) publish() {
	if s.published || !s.program.Record() {
		return
	}
	s.published = true
	if st := setProperty("weir", s.record()); st != statusOK {
		s.complain("publish record", st)
	}
}

// record is the record, with its place in the worker's chain if it has one.
func (s *stream) record() []byte {
	if s.program.Evidence() == spec.EvidenceNone {
		return s.engine.Record()
	}
	return worker.seal.close(s.output.record(s.engine.AppendRecord(worker.seal.open())))
}

// gaugeStep is how much a stream must hold more before the gauge is told: a host
// call for each frame of a body is not worth it.
const gaugeStep = 64 << 10

// gauge makes this stream's part of weir.held_bytes n, in steps.
func (s *stream) gauge(n int64) {
	if n != 0 && n-s.gauged < gaugeStep {
		return
	}
	worker.metrics.held.add(n - s.gauged)
	s.gauged = n
}

// count adds up what Done alone knows.
func (s *stream) count() {
	worker.metrics.redacted(s.engine, s.phase == replied)
	if settled := s.engine.Settlement(); settled.Done {
		worker.metrics.settled(&settled)
	}
	if fault := s.engine.AnswerFault(); fault != engine.AnswerFine {
		worker.metrics.answers[fault-1].add(1)
	}
	worker.metrics.tally(s.engine, s.plugin.limits)
	list := &worker.host.list
	worker.metrics.unlisted.add(int64(list.Unlisted))
	list.Unlisted = 0
}
