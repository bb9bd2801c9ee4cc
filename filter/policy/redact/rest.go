package redact

// rest is a class of characters that go on with a match behind its end.
type rest uint8

const (
	restNone  rest = iota
	restKey        // [A-Za-z0-9_-]
	restJWT        // those and '.': RFC 7515, compact serialization
	restToken      // those and "~+/=": token68 of RFC 9110, section 11.2
	restPEM        // RFC 7468, up to the line that ends the block
)

// holds says whether the class has a code.
func (c rest) holds(code byte) bool {
	if props[code]&(isDigit|isLetter) != 0 {
		return true
	}
	switch code {
	case '-', '_':
		return true
	case '.':
		return c >= restJWT
	case '~', '+', '/', '=':
		return c == restToken
	}
	return false
}

// extend lengthens a match over the units that go on with it, as far as a match may
// reach; ended says that the run does not go on. Where it ends in the window, dots at its end belong to the text.
func (w *window) extend(m *span, ended bool) {
	least := m.end
	for m.end < w.n && m.end-m.start < maxMatch && w.end[m.end]-w.start[m.start] <= maxMatchRaw && m.more.holds(w.code[m.end]) {
		m.end++
	}
	if ended && m.end == w.n || m.end < w.n && !m.more.holds(w.code[m.end]) {
		for m.end > least && w.code[m.end-1] == '.' {
			m.end--
		}
		m.more = restNone
	}
}

// swallowUnits swallows the units of the window from the floor on that go on with
// the open match, and closes it where one does not.
func (r *Redactor) swallowUnits(src []byte) {
	w := &r.w
	first, open := w.floor, true
	for open && w.floor < w.n {
		code := w.code[w.floor]
		if r.rest == restPEM {
			if !pemHolds(code) {
				open = false
				break
			}
			open = !r.ending.ends(code)
		} else if !r.rest.holds(code) {
			open = false
			break
		}
		w.floor++
	}
	if w.floor > first {
		end := int(w.end[w.floor-1])
		r.swallow(src[r.from:end])
		r.from = end
	}
	if !open {
		r.endRest()
	}
}

// endRest closes the open match, if there is one.
func (r *Redactor) endRest() {
	if r.rest != restNone {
		r.rest = restNone
		r.closeLong()
	}
}

// swallowPEM swallows what is in a PEM block from offset i of src on, and returns
// where it ends or src does not go on.
func (r *Redactor) swallowPEM(src []byte, i int) int {
	first := i
	for i < len(src) {
		code, size := decode(src[i:])
		if size == 0 {
			break
		}
		white := code == codeBreak && (src[i] <= ' ' || src[i] == '%' || src[i] == '\\' && (size < 2 || src[i+1] != '"'))
		if !white && !pemHolds(code) {
			r.swallow(src[first:i])
			r.from = i
			r.endRest()
			return i
		}
		i += size
		if r.ending.ends(code) {
			r.swallow(src[first:i])
			r.from = i
			r.endRest()
			return i
		}
	}
	r.swallow(src[first:i])
	r.from = i
	return i
}

// pemHolds says whether a code stands in a PEM block, the headers of RFC 1421 in
// it included. Line ends are breaks.
func pemHolds(code byte) bool {
	return props[code]&(isDigit|isLetter) != 0 || code == codeIgnore || code == ' ' || code == '+' || code == '/' || code == '=' || code == '-' || code == ':'
}

// pemEnd recognizes the end of a PEM block: twice five dashes.
type pemEnd struct {
	dashes, groups uint8
}

// ends reads a code. It says whether it is the last one of the block.
func (e *pemEnd) ends(code byte) bool {
	if code != '-' {
		e.dashes = 0
		return false
	}
	if e.dashes++; e.dashes == 5 {
		e.groups++
	}
	return e.groups == 2
}
