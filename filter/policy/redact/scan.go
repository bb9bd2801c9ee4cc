package redact

import (
	"math/bits"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// contextScore is what a context word adds to the score of a form, in percent.
const contextScore = 40

// match is a value that was found.
type match struct {
	span
	kind  spec.EntityKind
	score uint8
}

// runEnded stands for the end of a run that does not go on.
const runEnded = maxUnits + 1

// scan decides the units before limit: matches that begin there are replaced, up to the
// first one that ends behind unit until. It returns with which unit the first one begins.
func (r *Redactor) scan(src []byte, limit, until int) (first int) {
	w, rules := &r.w, r.rules
	first = w.n
	if r.rest != restNone {
		r.swallowUnits(src)
	}
	mail := r.nextEmail(limit)
	r.wordsAt, w.row.end, w.group.end, w.group.next, w.group.first = -1, 0, 0, 0, false
	for i := w.floor; i < limit; i++ {
		var set detectorSet
		i, set = rules.seek(w, i, min(limit, mail.start))
		if i == limit {
			break
		}
		m := match{span{start: mail.start, end: mail.end}, spec.EntityEmail, certain}
		if i < mail.start {
			var ok bool
			if m, ok = r.best(src, i, set, until); !ok {
				continue
			}
		}
		if m.end > until {
			limit = min(i, m.start)
			break
		}
		first = min(first, i)
		r.found(src, m, until == runEnded)
		if mail.start < w.floor {
			mail = r.nextEmail(limit)
		}
		i = w.floor - 1
	}
	w.floor = max(w.floor, limit)
	return first
}

// seek returns the first unit from i on, and before limit, with which a match may begin, and
// the detectors to ask about it. It returns limit if there is none.
func (r *Rules) seek(w *window, i, limit int) (at int, set detectorSet) {
	code := w.code[:w.n]
	limit = min(limit, len(code))
	behind := uint8(1)
	if i > 0 && i <= limit {
		behind = r.entry[code[i-1]&127] >> 4
	}
	for ; i < limit; i++ {
		e := r.entry[code[i]&127]
		if e&behind != 0 {
			if e>>4 == entryDigit && behind == entryLetter {
				if end := r.between(code, i); end > i {
					i, behind = end-1, entryDigit
					continue
				}
			}
			if set = r.asked(w, i, behind); set != 0 {
				return i, set
			}
		}
		behind = e >> 4
	}
	return limit, 0
}

// kindOf returns the number of the bit that is set of four.
func kindOf(bit uint8) uint8 { return (bit>>1 - bit>>3) & 3 }

// best asks the detectors of set about a match that begins with unit i. Where only
// the form of the best one is right, a certain one that begins within it is
// waited for, if it begins before unit until; but not within a secret, of which it would
// leave the rest.
func (r *Redactor) best(src []byte, i int, set detectorSet, until int) (match, bool) {
	best, ok := r.longest(src, i, set, r.rules.threshold)
	if !ok || best.score >= certain || secret(best.kind) {
		return best, ok
	}
	for j, end := i+1, min(best.end, until); j < end; j++ {
		if j, set = r.rules.seek(&r.w, j, end); set != 0 {
			if _, ok := r.longest(src, j, set, certain); ok {
				return match{}, false
			}
		}
	}
	return best, true
}

// longest returns the best of the matches that begin with unit i and have at least
// the score.
func (r *Redactor) longest(src []byte, i int, set detectorSet, score uint8) (best match, ok bool) {
	for ; set != 0; set &= set - 1 {
		d := &detectors[bits.TrailingZeros64(set)]
		m, s, found := d.find(&r.w, i)
		if !found || m.start < r.w.floor || r.w.end[m.end-1]-r.w.start[m.start] > maxMatchRaw {
			continue
		}
		if s < certain && score < certain {
			s = r.inContext(src, m.start, d.kind, s)
		}
		if s < score || ok && !best.beaten(m, s) {
			continue
		}
		best, ok = match{m, d.kind, s}, true
	}
	return best, ok
}

// beaten says whether a match wins against one whose detector stands before its own.
func (m *match) beaten(by span, score uint8) bool {
	if (score >= certain) != (m.score >= certain) {
		return score >= certain
	}
	if length := by.end - by.start - m.end + m.start; length != 0 {
		return length > 0
	}
	return score > m.score
}

// found replaces a match and begins to swallow what goes on behind it; ended says that the
// run does not go on.
func (r *Redactor) found(src []byte, m match, ended bool) {
	if m.more != restNone && m.more != restPEM {
		r.w.extend(&m.span, ended)
	}
	if m.more == restNone {
		r.replace(src, m.kind, m.span)
		return
	}
	r.openLong(src, m.kind, m.span)
	r.rest, r.ending = m.more, pemEnd{}
	r.swallowUnits(src)
}
