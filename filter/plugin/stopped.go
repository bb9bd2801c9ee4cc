//go:build wasip1

package plugin

import "slices"

// A stream that was stopped has told its client that the answer is complete, and drops
// what still comes. The callback that writes the end must not close the stream: Envoy
// would drop what it wrote. A later one does, or the tick.

// closeResponse is WasmStreamType::Response of Envoy: with it, proxy_close_stream
// resets the stream from the response's side.
const closeResponse = 1

// awaitEnd gives the upstream time to end by itself.
func (s *stream) awaitEnd() {
	s.deadline = now() + s.engine.GraceNs()
	worker.stopped = append(worker.stopped, s)
}

// cutOff resets the stream if the upstream has had its time.
func (s *stream) cutOff(at int64) {
	if s.deadline == 0 || at < s.deadline {
		return
	}
	s.forgetEnd()
	if st := status(proxyCloseStream(closeResponse)); st != statusOK {
		s.complain("close stream", st)
		return
	}
	worker.metrics.cutOff.add(1)
}

// forgetEnd takes the stream off the list of those that await their end.
func (s *stream) forgetEnd() {
	s.deadline = 0
	if i := slices.Index(worker.stopped, s); i >= 0 {
		worker.stopped = slices.Delete(worker.stopped, i, i+1)
	}
}

// cutOffStopped resets the streams whose upstreams have had their time, those that are
// silent too. It runs in the tick, which has no stream: each is made the one that host
// calls are about.
func (w *vm) cutOffStopped() {
	if len(w.stopped) == 0 {
		return
	}
	at := now()
	for i := len(w.stopped) - 1; i >= 0; i-- {
		s := w.stopped[i]
		if at < s.deadline {
			continue
		}
		if st := status(proxySetEffectiveContext(s.id)); st != statusOK {
			s.complain("enter stream", st)
			continue
		}
		s.cutOff(at)
	}
}
