package wasmhost

import "errors"

// errFreedBuffer is the fault that a guest would crash Envoy with: after
// StopIterationNoBuffer Envoy keeps a pointer to a chunk that is gone.
var errFreedBuffer = errors.New("the filter used a body buffer that Envoy has freed")

// body is one direction's body on its way through the filter
// (Context::decodeData and the filter manager around it).
type body struct {
	limit     int     // bytes that Envoy buffers
	chunk     *buffer // chunk of the callback that runs
	freed     bool    // chunk points at memory that Envoy has freed
	held      *buffer // Envoy's own buffer; nil until something was buffered
	buffering bool    // the last callback returned StopIterationAndBuffer
	stopped   bool    // iteration is stopped
}

// buffer is what the guest sees.
func (b *body) buffer() (*buffer, error) {
	if b.buffering {
		return b.held, nil
	}
	if b.freed {
		return nil, errFreedBuffer
	}
	return b.chunk, nil
}

// arrive takes a chunk in before the callback and returns the size that the
// callback is told; false: Envoy's buffer is full, the answer is 413.
func (b *body) arrive(p []byte) (int, bool) {
	b.chunk, b.freed = &buffer{data: append([]byte(nil), p...)}, false
	if !b.buffering {
		return len(p), true
	}
	b.hold()
	return len(b.held.data), len(b.held.data) <= b.limit
}

// hold moves the chunk into Envoy's buffer.
func (b *body) hold() {
	if b.held == nil {
		b.held = &buffer{}
	}
	b.held.data = append(b.held.data, b.chunk.data...)
	b.chunk.data = nil
}

// leave obeys the callback's action: it returns the bytes that go on and
// whether anything does; false: Envoy's buffer is full, the answer is 413.
func (b *body) leave(action Action) (out []byte, onward, ok bool) {
	b.buffering = false
	switch action {
	case Continue:
		if b.stopped {
			b.hold()
			out, b.held.data = b.held.data, nil
		} else {
			out = b.chunk.data
		}
		b.chunk, b.stopped = nil, false
		return out, true, true
	case Pause, PauseWatermark:
		b.buffering = action == Pause
		b.hold()
		ok = action == PauseWatermark || len(b.held.data) <= b.limit
	default:
		ok = true
	}
	b.stopped, b.freed = true, !b.buffering
	return nil, false, ok
}

// resume lets Envoy's buffer go, as Continue in a trailers callback does.
func (b *body) resume() []byte {
	b.stopped = false
	if b.held == nil {
		return nil
	}
	out := b.held.data
	b.held.data = nil
	return out
}
