package redact

// at returns the code of unit k, and codeBreak where there is none. It is called in
// many places: a call takes a fifth of the room that its body does.
//
//go:noinline
func (w *window) at(k int) byte {
	if uint(k) >= uint(w.n) {
		return codeBreak
	}
	return w.code[k%maxUnits]
}

// hexAt says whether unit k is a hexadecimal digit.
//
//go:noinline
func (w *window) hexAt(k int) bool { return props[w.at(k)]&(isDigit|isHex) != 0 }

// upperAt returns the code of unit k, a letter in upper case.
//
//go:noinline
func (w *window) upperAt(k int) byte {
	c := w.at(k)
	if props[c]&isLetter != 0 {
		c &^= 0x20
	}
	return c
}

// alone says whether neither a letter nor a digit touches units [start, end).
// Han and all other scripts are boundaries.
func (w *window) alone(start, end int) bool { return !w.alnumAt(start-1) && !w.alnumAt(end) }

// literalFold is literal without regard to case; text is in lower case.
func (w *window) literalFold(i int, text string) bool {
	for k := range len(text) {
		c := w.at(i + k)
		if props[c]&isLetter != 0 {
			c |= 0x20
		}
		if c != text[k] {
			return false
		}
	}
	return true
}

// gapAt says whether unit k may stand between two groups of one number.
func (w *window) gapAt(k int) bool { return w.has(k, isSep) }

// dashAt says whether unit k is a hyphen or another dash.
func (w *window) dashAt(k int) bool { return w.at(k) == '-' || w.at(k) == codeDash }

// isolated says whether the number [start, end) is no part of a longer list of
// groups: no digit stands beyond a gap of one unit on either side.
func (w *window) isolated(start, end int) bool {
	if w.gapAt(start-1) && w.digitAt(start-2) {
		return false
	}
	return !w.gapAt(end) || !w.digitAt(end+1)
}

// while returns the unit behind the units at i that are in a set, at most most.
//
//go:noinline
func (w *window) while(i, most int, set charset) int {
	end := min(i+most, w.n)
	for i < end && set.holds(w.code[i]) {
		i++
	}
	return i
}

// maxToken is the most letters and digits in one identifier: an IBAN of 34.
const maxToken = 34

// token are the letters and digits at a place, letters in upper case, in groups
// that gaps separate.
type token struct {
	n      int
	digits int            // digits among them
	gaps   int            // gaps between them
	mixed  bool           // the gaps differ
	even   bool           // all groups have as many as the first, the last no more
	layout uint32         // lengths of the last six groups, 5 bits each
	char   [maxToken]byte // what they are
	end    int            // unit behind the last
}

// read takes up to most letters and digits from unit i on.
func (t *token) read(w *window, i, most int) { t.take(w, i, most, isDigit|isLetter, maxUnits) }

// readPrinted is read for what has no more than four groups where they differ in length:
// it stops behind those.
func (t *token) readPrinted(w *window, i, most int, wanted uint16) { t.take(w, i, most, wanted, 3) }

// take takes up to most units that have one of the properties, with gaps between
// them, from unit i on, but no more gaps than uneven if the groups differ in length.
func (t *token) take(w *window, i, most int, wanted uint16, uneven int) {
	var gap byte
	code := w.code[:w.n]
	first, n, digits, even, layout := maxToken, t.n, t.digits, true, t.layout
	for {
		from := n
		for n < most && i < len(code) {
			c := code[i]
			p := props[c]
			if p&wanted == 0 {
				break
			}
			if p&isDigit != 0 {
				digits++
			} else {
				c &^= 0x20
			}
			t.char[n] = c
			n++
			i++
		}
		group := n - from
		next := w.skipSep(i)
		if n == most || n == 0 || next == i || next >= len(code) || props[code[next]]&wanted == 0 || !even && t.gaps > uneven {
			even = even && group <= first
			layout = layout<<5 | uint32(group)
			break
		}
		if t.gaps == 0 {
			gap, first = code[i], group
		}
		t.mixed = t.mixed || code[i] != gap
		even = even && group == first
		layout = layout<<5 | uint32(group)
		i = next
		t.gaps++
	}
	t.n, t.digits, t.even, t.layout, t.end = n, digits, even, layout, i
}

// printed says whether the token is in one piece or in groups as people print
// them: with the same gap, and at least three even but for the last one, or in one of two
// layouts that are known.
func (t *token) printed(a, b uint32) bool {
	return t.gaps == 0 || !t.mixed && (t.even && t.gaps > 1 || t.layout == a || t.layout == b)
}

// number returns the value of the n digits from character i on, or -1 if one is
// no digit.
func (t *token) number(i, n int) int {
	v := 0
	for _, c := range t.char[i : i+n] {
		if c-'0' > 9 {
			return -1
		}
		v = v*10 + int(c-'0')
	}
	return v
}

// hit is a match of the units [start, end).
func hit(start, end int, score uint8) (span, uint8, bool) {
	return span{start: start, end: end}, score, true
}

// hitRest is a match that goes on behind end.
func hitRest(start, end int, score uint8, more rest) (span, uint8, bool) {
	return span{start: start, end: end, more: more}, score, true
}

// miss is what a detector that finds nothing returns.
func miss() (span, uint8, bool) { return span{}, 0, false }

// bracket returns the unit of a '(' right before unit i that may belong to a
// match there, or i.
func (w *window) bracket(i int) int {
	if i > w.floor && w.at(i-1) == '(' {
		return i - 1
	}
	return i
}
