package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// Output takes the redacted bytes, in order. It must not keep p.
type Output interface {
	Write(p []byte) error
}

// Redactor redacts strings one after the other, in chunks of any size. It is a
// value of fixed size without pointers into what it was given; it is reused by
// Reset and allocates nothing.
type Redactor struct {
	rules  *Rules
	of     *Session
	out    Output
	err    error
	counts [Kinds]uint32
	long   long
	custom custom
	// escapes is how often what is read is escaped as content of a JSON string.
	escapes uint8
	room    [64]byte // of what is written in place of a value

	words  wordSet // kinds with a context word in the name of the string's key
	next   wordSet // the same of the next string
	near   wordSet // those with one before offset wordsAt of the source
	rest   rest    // what is swallowed: a match that goes on
	ending pemEnd  // of a PEM block
	past   past    // what stands before the source

	wordsAt int
	around  [contextBytes]byte // of wordsBefore

	open  bool // a run goes on
	held  int  // bytes in carry
	pos   int  // offset in carry of the first byte not decoded
	from  int  // offset in the source of the first byte not written
	w     window
	carry [maxRaw]byte
}

// Reset forgets everything and sets rules, session and output. Without rules all
// bytes pass.
func (r *Redactor) Reset(rules *Rules, session *Session, out Output) {
	r.rules, r.of, r.out, r.err, r.escapes = rules, session, out, nil, 1
	r.counts = [Kinds]uint32{}
	r.next = 0
	r.w.urls = rules != nil && rules.on[spec.EntityURLPassword]
	r.StringStart()
}

// Escapes says how often the strings to come are escaped as content of JSON strings: not
// at all (0), once, as after Reset, or twice, in JSON that stands in a string.
func (r *Redactor) Escapes(times uint8) { r.escapes = times }

// Key takes the name of the key whose value the next string is: a context word
// like one in the text. A name may have escapes; without a key it is empty.
//
//go:noinline
func (r *Redactor) Key(name []byte) {
	r.next = 0
	if r.rules != nil {
		r.next = wordsIn(name)
	}
}

// StringStart begins a string: nothing before it is context for what follows, but
// the name of its key.
//
//go:noinline
func (r *Redactor) StringStart() {
	r.words, r.next = r.next, 0
	r.rest = restNone
	r.past.n = 0
	r.custom.word, r.custom.held = false, 0
	r.close()
}

// close ends the run.
func (r *Redactor) close() {
	r.open, r.held, r.pos, r.from = false, 0, 0, 0
	r.w.reset()
}

// Counts returns how many values were replaced, by entity kind.
func (r *Redactor) Counts() [Kinds]uint32 { return r.counts }

// Edited says whether anything was replaced since Reset.
func (r *Redactor) Edited() bool { return r.counts != [Kinds]uint32{} }

// Bytes takes the next raw bytes of the string, escapes included; they may be
// cut anywhere. It returns the first error of the output.
func (r *Redactor) Bytes(raw []byte) error {
	if r.rules == nil {
		r.write(raw)
		return r.err
	}
	i := 0
	if r.open {
		if i = r.resume(raw); r.open {
			return r.err
		}
	}
	raw, r.from = raw[i:], 0
	for i = 0; ; {
		start, found := r.search(raw, i)
		if !found {
			r.write(raw[r.from:])
			r.past.add(raw)
			return r.err
		}
		r.w.reset()
		next, open := r.run(raw, start, 0)
		if open {
			r.keep(raw, next)
			return r.err
		}
		i = next
	}
}

// StringEnd ends the string and writes what was held back.
//
//go:noinline
func (r *Redactor) StringEnd() error {
	if r.open {
		src := r.carry[:r.held]
		r.scan(src, r.w.n, runEnded)
		r.endRest()
		r.write(src[r.from:])
	}
	r.settle()
	r.StringStart()
	return r.err
}

// resume continues the run that is held in carry with the bytes of p, and
// returns how many of them it used: all of them if the run is still open.
func (r *Redactor) resume(p []byte) int {
	used := 0
	for {
		old := r.held
		n := copy(r.carry[old:], p[used:])
		src := r.carry[:old+n]
		next, open := r.run(src, r.pos, old)
		if !open {
			r.write(src[r.from:next])
			r.past.add(src[:next])
			r.close()
			return used + next - old
		}
		r.keep(src, next)
		if used += n; used == len(p) {
			return used
		}
	}
}

// keep writes what is decided of src and holds the rest, of which the bytes
// from next on are not decoded yet.
func (r *Redactor) keep(src []byte, next int) {
	if r.w.n-r.w.floor > mostHeld {
		r.slide(src, next)
	} else if r.rest != restNone {
		r.swallowUnits(src)
	}
	r.hold(src, next)
}

// hold writes what is decided of src and keeps the rest.
func (r *Redactor) hold(src []byte, next int) {
	first := next
	if r.w.floor < r.w.n {
		first = int(r.w.start[r.w.floor])
	} else if r.rest != restNone {
		first = r.from // what does not show behind a match that goes on is part of it if that does
	}
	r.write(src[r.from:first])
	r.past.add(src[:first])
	r.held = copy(r.carry[:], src[first:])
	r.pos = next - first
	r.from = 0
	r.open = true
	r.w.rebase(first)
}

// run reads units from offset i of src into the window until the run ends. It
// returns where the next unit begins, and true if src ended first. Runs that
// end before offset least are followed by the next one: those bytes are
// nowhere else.
func (r *Redactor) run(src []byte, i, least int) (int, bool) {
	for i < len(src) {
		if r.rest == restPEM && r.w.n == 0 {
			if i = r.swallowPEM(src, i); r.rest != restNone {
				return i, true
			}
		} else {
			var open bool
			if i, open = r.units(src, i); open {
				return i, true
			}
			if r.rest == restPEM {
				continue // it goes on behind a break
			}
		}
		if i >= least {
			return i, false
		}
	}
	return i, true
}

// units reads units from offset i of src into the window until one does not go on
// with the run. It returns where that begins, and true if src ended first; the run is
// decided then, but what is open of a PEM block stays so.
func (r *Redactor) units(src []byte, i int) (int, bool) {
	w := &r.w
	for i < len(src) {
		if i = w.plain(src, i); i == len(src) {
			break
		}
		code, size := asciiCode[src[i]], 1
		if decoded[src[i]] {
			if code, size = decode(src[i:]); size == 0 {
				return i, true
			}
		}
		switch {
		case code == codeIgnore && w.n > 0 && i+size-int(w.end[w.n-1]) <= maxSkipRaw:
		case w.accepts(code):
			w.add(code, i, i+size)
			if w.full(i + size) {
				r.slide(src, i+size)
			}
		case w.n == 0:
			return i + size, false // what opened the run is no part of one
		default:
			if r.rest != restNone || !w.tooShort() {
				r.scan(src, w.n, runEnded)
			}
			if r.rest != restPEM {
				r.endRest()
			}
			w.reset()
			return i, false
		}
		i += size
	}
	return i, true
}

// slide decides the oldest units of a full window and forgets them.
func (r *Redactor) slide(src []byte, pos int) {
	r.scan(src, r.w.ripe(pos), r.w.n)
	r.w.drop()
}
