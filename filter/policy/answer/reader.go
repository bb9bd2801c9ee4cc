package answer

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// reader reads each string alone, as it comes: of an answer that is no stream, and of
// an event that is too long to wait for. It is the sink of the scanner.
type reader struct {
	place
	r        *Rewriter
	scanner  jsonscan.Scanner
	text     text
	blind    bool
	begun    bool
	raw      bool // it is no JSON, and goes on as it is
	inScalar bool
	use      use
	from     int // of the piece, bytes that were let out or given to the redactor
	piece    []byte
	digits   [maxSerial]byte // of the event's number,
	number   int             // so many
}

// reset makes v ready for a value.
func (v *reader) reset(r *Rewriter) {
	v.r, v.blind, v.begun, v.raw, v.inScalar, v.use = r, r.rules != nil, false, false, false, useNothing
	v.number = 0
	v.scanner.Reset(jsonscan.MaxDepth)
	v.place.reset()
	v.text.reset(r)
}

// read takes a piece of the value.
func (v *reader) read(p []byte) {
	switch {
	case v.raw:
		v.r.emit(p)
		return
	case v.r.format == Text:
		v.text.add(p)
		v.text.goOn()
		v.r.blocked()
		return
	}
	v.begun, v.piece, v.from = true, p, 0
	if v.scanner.Scan(p, v) != nil && v.r.fail(Unreadable) {
		v.giveUp()
		v.r.emit(p[v.from:])
	}
	v.piece = nil
}

// end ends the value.
func (v *reader) end() {
	switch {
	case v.raw:
	case v.r.format == Text:
		v.text.end()
		v.r.blocked()
	case v.begun && v.scanner.Close(v) != nil && v.r.fail(Unreadable):
		v.giveUp()
	}
}

// giveUp lets everything go on as it is.
func (v *reader) giveUp() {
	v.text.end()
	v.raw = true
}

// pass lets a part of the piece out.
func (v *reader) pass(raw []byte) error {
	v.r.emit(raw)
	return v.took(raw)
}

func (v *reader) took(raw []byte) error {
	v.from += len(raw)
	return nil
}

// errBlocked ends the reading of a value that may not go on.
const errBlocked = stop("blocked")

type stop string

func (s stop) Error() string { return string(s) }

// check ends the reading if a value was found that may not pass.
func (v *reader) check() error {
	if v.r.blocked() {
		return errBlocked
	}
	return nil
}

// Structure is part of jsonscan.Sink, like the methods below.
func (v *reader) Structure(raw []byte) error { return v.pass(raw) }

// Begin goes into a container.
func (v *reader) Begin(object bool, depth int) error {
	v.next()
	v.place.begin(object, depth)
	return nil
}

// End leaves a container.
func (v *reader) End(depth int) error {
	v.place.end(depth)
	return nil
}

// KeyStart begins a name.
func (v *reader) KeyStart() error {
	v.keyStart()
	return nil
}

// KeyBytes reads it. Where it may be a token of the text, it waits for its end.
func (v *reader) KeyBytes(raw []byte) error {
	v.keyBytes(raw)
	if v.blind && v.here().mode == modeProbs {
		return v.took(raw)
	}
	return v.pass(raw)
}

// KeyEnd goes to the member.
func (v *reader) KeyEnd() error {
	if f := v.keyEnd(); v.blind && f.mode == modeProbs && f.known {
		v.r.emit(v.key[:v.named])
	}
	return nil
}

// StringStart begins a string.
func (v *reader) StringStart() error {
	f := v.next()
	if v.use = f.use(v.blind); v.use == useNothing && v.r.ids {
		v.use = useAlone
	}
	if v.use == useJoined || v.use == useAlone {
		v.text.start(v.key[:v.named], f.class == coded)
	}
	return nil
}

// StringBytes redacts it.
func (v *reader) StringBytes(raw []byte) error {
	switch v.use {
	case useNothing:
		return v.pass(raw)
	case useEmpty:
		return v.took(raw)
	}
	v.from += len(raw)
	v.text.add(raw)
	return v.check()
}

// StringEnd ends it.
func (v *reader) StringEnd() error {
	if v.use == useJoined || v.use == useAlone {
		v.text.end()
	}
	return v.check()
}

// Scalar lets a number or literal out, but for a byte of a token.
func (v *reader) Scalar(raw []byte) error {
	first := !v.inScalar
	if first {
		v.inScalar = true
		v.next()
	}
	f := v.here()
	if f.class == serial && v.depth == 1 && v.r.more > 0 && (first || v.number > 0) {
		if v.number+len(raw) <= maxSerial {
			v.number += copy(v.digits[v.number:], raw) // until all of it is there
			return v.took(raw)
		}
		v.r.emit(v.digits[:v.number])
		v.number = 0
	}
	if !f.zero(v.blind) {
		return v.pass(raw)
	}
	if first {
		v.r.emit(zero[:])
	}
	return v.took(raw)
}

// ScalarEnd ends it.
func (v *reader) ScalarEnd() error {
	v.inScalar = false
	if v.number > 0 {
		v.r.renumber(v.digits[:v.number])
		v.number = 0
	}
	return nil
}

// zero stands for a byte of a token.
var zero = [1]byte{'0'}
