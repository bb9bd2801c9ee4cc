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

// scan decides the units before limit: matches that begin there are replaced.
func (r *Redactor) scan(src []byte, limit int) {
	w := &r.w
	if r.rest != restNone {
		r.swallowUnits(src)
	}
	mail := r.nextEmail(limit)
	r.wordsAt, w.row = -1, row{}
	for i := w.floor; i < limit; i++ {
		if i = w.inside(i, min(limit-1, mail.start)); i >= mail.start {
			r.found(src, match{span{start: mail.start, end: mail.end}, spec.EntityEmail, certain})
		} else if set := r.asked(i); set == 0 {
			continue
		} else if m, ok := r.best(src, i, set); ok {
			r.found(src, m)
		} else {
			continue
		}
		if mail.start < w.floor {
			mail = r.nextEmail(limit)
		}
		i = w.floor - 1
	}
	w.floor = max(w.floor, limit)
}

// inside returns the first unit from i on, or limit if that comes first, that is no letter
// behind a letter or a digit: no match begins there.
func (w *window) inside(i, limit int) int {
	for i > 0 && i < limit && props[w.code[i%maxUnits]]&isLetter != 0 && props[w.code[(i-1)%maxUnits]]&(isLetter|isDigit) != 0 {
		i++
	}
	return i
}

// asked returns the detectors to ask about a match that begins with unit i.
func (r *Redactor) asked(i int) detectorSet {
	w := &r.w
	set := r.rules.begin[w.code[i]&127]
	after := uint16(0)
	if i > 0 {
		before := w.code[i-1]
		after = props[before] & (isDigit | isLetter)
		switch before {
		case '+':
			after = afterSign
		case ':', '-':
			if before == w.code[i] {
				return 0 // the first one of them was asked about
			}
		}
	}
	if set &= r.rules.behind[after]; set == 0 {
		return 0
	}
	if set &= r.rules.second[w.at(i+1)&127]; set == 0 {
		return 0
	}
	if set &= r.rules.whole[min(w.n-i, mostUnits)]; set == 0 {
		return 0
	}
	end := i
	switch p := props[w.code[i]]; {
	case p&isDigit != 0:
		end = w.groupEnd(i)
		if set &= r.rules.byLength[min(end-i, 31)]; set&r.rules.grouped != 0 && end-i < longGroup {
			set &= r.rules.groups[end-i][w.nextGroup(end)] | ^r.rules.grouped
		}
		if set&r.rules.number != 0 {
			set &= r.rules.enough[w.joined(i)]
		}
	case p&isLetter == 0:
		return set
	case !w.serial(i):
		set &^= r.rules.serial
	}
	if set&^r.rules.formed[anyBuild] != 0 {
		set &^= r.misshapen(i, end)
	}
	return set
}

// nextGroup returns how many digits stand behind separators at i, which is behind
// digits, but no more than mostGroup.
func (w *window) nextGroup(i int) int {
	next := w.skipSep(i)
	if next == i {
		return 0
	}
	end := next
	for end-next < mostGroup && w.digitAt(end) {
		end++
	}
	return end - next
}

// misshapen returns the detectors whose build the letters and digits at unit i do not
// have, of which end is behind the first ones.
func (r *Redactor) misshapen(i, end int) (set detectorSet) {
	w := &r.w
	for end < w.n && end-i <= longLength && props[w.code[end]]&(isDigit|isLetter) != 0 {
		end++
	}
	length, next, formed := end-i, w.at(end), &r.rules.formed
	if next != '.' && next != ':' || w.fraction(i) {
		set |= formed[dotBuild]
	}
	if (length != 2 || next != '-' && next != ':') && (length != 4 || next != '.') {
		set |= formed[pairBuild]
	}
	if next != '+' && next != '/' && length != longLength {
		set |= formed[longBuild]
	}
	set |= r.unprinted(length, end)
	if w.has(i-1, isSep) && w.inRow(i) {
		set |= formed[rowBuild] | formed[vinBuild] | formed[usccBuild]
	}
	return set
}

// unprinted returns the detectors of codes that are not in one piece, nor in groups as
// these are printed: even ones, or two of lengths that are known. The first group of
// letters and digits ends before unit end.
func (r *Redactor) unprinted(length, end int) (set detectorSet) {
	formed := &r.rules.formed
	if length != tokenLength {
		set = formed[vinBuild]
	}
	if length != usccLength {
		set |= formed[usccBuild]
	}
	if second := r.w.skipSep(end); second > end && length <= usccLength/2 {
		k := second
		for k-second <= usccLength && r.w.alnumAt(k) {
			k++
		}
		switch second = k - second; {
		case second == length:
			return 0
		case length == 3 && second == 6, length == 9 && second == 8:
			set &^= formed[vinBuild]
		case length == 2 && second == 6, length == 8 && second == 10:
			set &^= formed[usccBuild]
		}
	}
	return set
}

// serial says whether a digit follows the letters at unit i, of which there are at most
// three, perhaps behind separators.
func (w *window) serial(i int) bool {
	end := min(i+4, w.n)
	for i < end && props[w.code[i]]&isLetter != 0 {
		i++
	}
	return i < end && w.digitAt(w.skipSep(i))
}

// row is a row of digits with nothing but separators between them.
type row struct {
	at, end int // the digits from unit at on, which ends before unit end,
	left    int // are so many
}

// joined returns how many digits stand at unit i with nothing but separators between
// them, but no more than mostDigits. Rows are counted once, as i goes on.
func (w *window) joined(i int) int {
	r := &w.row
	if i < r.at || i >= r.end {
		*r = row{at: i}
		for next := i; ; next = w.skipSep(r.end) {
			r.end = w.groupEnd(next)
			if r.end == next {
				break
			}
			r.left += r.end - next
		}
	}
	for ; r.at < i; r.at++ {
		if props[w.code[r.at]]&isDigit != 0 {
			r.left--
		}
	}
	return min(r.left, mostDigits)
}

// best asks the detectors of set about a match that begins with unit i. Where only
// the form of the best one is right, a certain one that begins within it is
// waited for.
func (r *Redactor) best(src []byte, i int, set detectorSet) (match, bool) {
	best, ok := r.longest(src, i, set, r.rules.threshold)
	if !ok || best.score >= certain {
		return best, ok
	}
	for j := i + 1; j < best.end; j++ {
		if set := r.asked(j); set != 0 {
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

// found replaces a match and begins to swallow what goes on behind it.
func (r *Redactor) found(src []byte, m match) {
	if m.more != restNone && m.more != restPEM {
		r.w.extend(&m.span)
	}
	if m.more == restNone {
		r.replace(src, m.kind, m.span)
		return
	}
	r.openLong(src, m.kind, m.span)
	r.rest, r.ending = m.more, pemEnd{}
	r.swallowUnits(src)
}
