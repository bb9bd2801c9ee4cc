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

	open  bool // a run goes on
	held  int  // bytes in carry
	pos   int  // offset in carry of the first byte not decoded
	from  int  // offset in the source of the first byte not written
	w     window
	carry [maxRaw]byte
}

// Classes of raw bytes: what a byte asks of the search for the next run.
// classPlain, ordinary text, is skipped at the speed of a table.
const (
	classPlain  uint8 = iota
	classDigit        // a number begins
	classAt           // an address is around here
	classEscape       // a backslash or a percent sign, perhaps with a character encoded
	classWide         // UTF-8 that may fold to something
)

// Reset forgets everything and sets rules, session and output. Without rules all
// bytes pass.
func (r *Redactor) Reset(rules *Rules, session *Session, out Output) {
	r.rules, r.of, r.out, r.err = rules, session, out, nil
	r.counts = [Kinds]uint32{}
	r.StringStart()
}

// StringStart begins a string: nothing before it is context for what follows.
func (r *Redactor) StringStart() {
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
	r.from = i
	for {
		start, found := r.search(raw, i)
		if !found {
			r.write(raw[r.from:])
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
func (r *Redactor) StringEnd() error {
	if r.open {
		r.scan(r.carry[:r.held], r.w.n)
		r.write(r.carry[r.from:r.held])
		r.StringStart()
	}
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
			r.StringStart()
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
	first := next
	if r.w.floor < r.w.n {
		first = int(r.w.start[r.w.floor])
	}
	r.write(src[r.from:first])
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
	w := &r.w
	for i < len(src) {
		code, size := asciiCode[src[i]], 1
		if r.rules.class[src[i]] >= classEscape {
			if code, size = decode(src[i:]); size == 0 {
				return i, true
			}
		}
		switch {
		case code == codeIgnore && w.n > 0 && i+size-int(w.end[w.n-1]) <= maxSkipRaw:
		case w.accepts(code):
			w.add(code, i, i+size)
			if w.n == maxUnits || i+size-int(w.start[min(w.floor, w.n-1)]) > slideRaw {
				r.slide(src, i+size)
			}
		default:
			r.scan(src, w.n)
			w.reset()
			if i >= least {
				return i, false
			}
			if props[code]&isRun != 0 {
				continue // a separator that no digit follows
			}
		}
		i += size
	}
	return i, true
}

// slide decides the oldest units of a full window and forgets them.
func (r *Redactor) slide(src []byte, pos int) {
	r.scan(src, r.w.ripe(pos))
	r.w.drop()
}

// scan decides the units before limit: matches that begin there are replaced.
func (r *Redactor) scan(src []byte, limit int) {
	w := &r.w
	mail := r.nextEmail(limit)
	for i := w.floor; i < limit; {
		if i >= mail.start {
			r.replaceEmail(src, mail)
			i = w.floor
			mail = r.nextEmail(limit)
			continue
		}
		if w.digitAt(i) && !w.digitAt(i-1) {
			if m, kind, ok := r.number(i); ok {
				r.replaceNumber(src, m, kind)
				i = m.end
				if mail.start < i {
					mail = r.nextEmail(limit)
				}
				continue
			}
		}
		i++
	}
	w.floor = max(w.floor, limit)
}

// number tries the detectors at the number that begins at i.
func (r *Redactor) number(i int) (span, spec.EntityKind, bool) {
	w := &r.w
	for k := range r.rules.numberCount {
		d := &r.rules.numbers[k]
		m, ok := d.match(w, i)
		if ok && w.end[m.end-1]-w.start[m.start] <= maxNumberRaw {
			return m, d.kind, true
		}
	}
	return span{}, 0, false
}
