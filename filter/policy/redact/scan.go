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
	w := &r.w
	first = w.n
	if r.rest != restNone {
		r.swallowUnits(src)
	}
	mail := r.nextEmail(limit)
	r.wordsAt, w.row = -1, row{}
	for i := w.floor; i < limit; i++ {
		i = r.rules.skipInside(w, i, min(limit-1, mail.start))
		m := match{span{start: mail.start, end: mail.end}, spec.EntityEmail, certain}
		if i < mail.start {
			set := r.asked(i)
			if set == 0 {
				continue
			}
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

// skipInside passes over units with which no match begins, from i on but not beyond limit:
// most letters and digits within a token.
func (r *Rules) skipInside(w *window, i, limit int) int {
	if i == 0 {
		return 0
	}
	before := w.code[(i-1)%maxUnits]
	for i < limit {
		c := w.code[i%maxUnits]
		if r.begin[c&127]&r.behind[props[before]&(isDigit|isLetter)] != 0 || before == '+' {
			break
		}
		before = c
		i++
	}
	return i
}

// asked returns the detectors to ask about a match that begins with unit i.
func (r *Redactor) asked(i int) detectorSet {
	w := &r.w
	set := r.rules.mayBegin(w, i)
	if set == 0 {
		return 0
	}
	second := codeBreak
	if i+1 < w.n {
		second = w.code[(i+1)%maxUnits]
	}
	if set &= r.rules.second[second&127] & r.rules.whole[min(w.n-i, mostUnits)]; set == 0 {
		return 0
	}
	end := i
	switch p := props[w.code[i]]; {
	case p&isDigit != 0:
		end = w.groupEnd(i)
		if set = r.counted(set, i, end); set == 0 {
			return 0
		}
	case p&isLetter == 0:
		return set
	case set&r.rules.serial != 0:
		if digit := w.serial(i); digit == 0 {
			set &^= r.rules.serial
		} else if set&r.rules.inSeries != 0 {
			set &= r.rules.enough[w.joined(digit)]
		}
	}
	if set&^r.rules.formed[anyBuild] != 0 {
		set &^= r.misshapen(set, i, end)
	}
	return set
}

// mayBegin returns the detectors of matches that may begin with unit i, by that and what
// stands before it alone.
func (r *Rules) mayBegin(w *window, i int) detectorSet {
	set := r.begin[w.code[i%maxUnits]&127]
	if i == 0 {
		return set & r.behind[0]
	}
	before := w.code[(i-1)%maxUnits]
	after := props[before] & (isDigit | isLetter)
	switch before {
	case '+':
		after = afterSign
	case ':', '-':
		if before == w.code[i%maxUnits] {
			return 0 // the first one of them was asked about
		}
	}
	return set & r.behind[after]
}

// counted returns those of a set of detectors that may find a match at unit i, by the
// digits there, which end before unit end, and behind them.
func (r *Redactor) counted(set detectorSet, i, end int) detectorSet {
	w, rules := &r.w, r.rules
	if set &= rules.byLength[min(end-i, 31)]; set == 0 {
		return 0
	}
	next := w.nextGroup(end)
	if end-i < longGroup {
		set &= rules.groups[end-i][next] | ^rules.grouped
	}
	if next == 0 {
		return set & (rules.enough[min(end-i, mostDigits)] | rules.inSeries)
	}
	if set&rules.rowed != 0 && w.has(i-1, isSep) && w.inRow(i) {
		set &^= rules.rowed
	}
	if set&rules.number != 0 {
		set &= rules.enough[w.joined(i)] | rules.inSeries
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

// misshapen returns those of a set of detectors whose build the letters and digits at unit
// i do not have, of which end is behind the first ones.
func (r *Redactor) misshapen(set detectorSet, i, end int) (not detectorSet) {
	w := &r.w
	for end < w.n && end-i <= longLength && props[w.code[end%maxUnits]]&(isDigit|isLetter) != 0 {
		end++
	}
	length, next, formed := end-i, codeBreak, &r.rules.formed
	if end < w.n {
		next = w.code[end%maxUnits]
	}
	if next != '.' && next != ':' || w.fraction(i) {
		not |= formed[dotBuild]
	}
	if (length != 2 || next != '-' && next != ':') && (length != 4 || next != '.') {
		not |= formed[pairBuild]
	}
	if next != '+' && next != '/' && length != longLength {
		not |= formed[longBuild]
	}
	if set&(formed[vinBuild]|formed[usccBuild]) != 0 {
		not |= r.unprinted(length, end)
	}
	if set&^not&r.rules.rowed != 0 && w.has(i-1, isSep) && w.inRow(i) {
		not |= r.rules.rowed
	}
	return not
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

// serial returns the first digit behind the letters at unit i, of which there are at most
// three, perhaps behind separators, and 0 if there is none.
func (w *window) serial(i int) int {
	end := min(i+4, w.n)
	for i < end && props[w.code[i%maxUnits]]&isLetter != 0 {
		i++
	}
	if i == end {
		return 0
	}
	if i = w.skipSep(i); !w.digitAt(i) {
		return 0
	}
	return i
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
// waited for, if it begins before unit until.
func (r *Redactor) best(src []byte, i int, set detectorSet, until int) (match, bool) {
	best, ok := r.longest(src, i, set, r.rules.threshold)
	if !ok || best.score >= certain {
		return best, ok
	}
	for j := i + 1; j < min(best.end, until); j++ {
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
