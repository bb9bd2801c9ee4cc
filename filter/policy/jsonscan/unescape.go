package jsonscan

import "unicode/utf8"

// Unescaper turns the raw content of a JSON string, in pieces of any size, into
// the text that it stands for. The zero value is ready; a lone surrogate becomes
// U+FFFD. Content that no Scanner accepted gives some text, never a panic.
type Unescaper struct {
	state state // inString (0 counts as such), inEscape, inHex
	left  uint8
	code  rune
	high  rune // a high surrogate that waits for its other half
}

// Reset makes u ready for the next string.
func (u *Unescaper) Reset() { *u = Unescaper{} }

// Append appends the text of raw to dst and returns it. It never grows dst
// beyond its capacity: full says that the text did not fit, and then the rest of
// this string is to be given up.
//
//go:noinline
func (u *Unescaper) Append(dst, raw []byte) (out []byte, full bool) {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case u.state == inEscape || u.state == inHex:
			dst, full = u.escaped(dst, c)
			i++
		case c == '\\':
			u.state = inEscape
			i++
		default:
			n := i + 1
			for n < len(raw) && raw[n] != '\\' {
				n++
			}
			if dst, full = u.flush(dst, 0); !full {
				dst, full = appendWithin(dst, raw[i:n])
			}
			i = n
		}
		if full {
			return dst, true
		}
	}
	return dst, false
}

// Finish ends the string: it appends what a surrogate without its other half
// stands for.
func (u *Unescaper) Finish(dst []byte) (out []byte, full bool) {
	return u.flush(dst, 0)
}

// escaped takes one byte after a backslash.
//
//go:noinline
func (u *Unescaper) escaped(dst []byte, c byte) ([]byte, bool) {
	if u.state == inEscape {
		if c == 'u' {
			u.state, u.left, u.code = inHex, 4, 0
			return dst, false
		}
		u.state = inString
		return u.emit(dst, simpleEscape(c))
	}
	d, _ := hexDigit(c)
	u.code = u.code<<4 | d
	u.left--
	if u.left > 0 {
		return dst, false
	}
	u.state = inString
	return u.emit(dst, u.code)
}

func simpleEscape(c byte) rune {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return rune(c)
}

// emit appends a character that an escape stands for, putting surrogates together.
func (u *Unescaper) emit(dst []byte, r rune) ([]byte, bool) {
	const highMin, lowMin, lowMax = 0xD800, 0xDC00, 0xDFFF
	if r >= lowMin && r <= lowMax && u.high != 0 {
		r = 0x10000 + (u.high-highMin)<<10 + (r - lowMin)
		u.high = 0
		return appendRune(dst, r)
	}
	if r >= highMin && r < lowMin {
		return u.flush(dst, r)
	}
	dst, full := u.flush(dst, 0)
	if full {
		return dst, true
	}
	return appendRune(dst, r)
}

// flush appends a waiting high surrogate as U+FFFD; next waits after it.
//
//go:noinline
func (u *Unescaper) flush(dst []byte, next rune) ([]byte, bool) {
	waiting := u.high
	u.high = next
	if waiting == 0 {
		return dst, false
	}
	return appendRune(dst, utf8.RuneError)
}

func appendRune(dst []byte, r rune) ([]byte, bool) {
	var b [utf8.UTFMax]byte
	return appendWithin(dst, b[:utf8.EncodeRune(b[:], r)])
}

//go:noinline
func appendWithin(dst, p []byte) ([]byte, bool) {
	if cap(dst)-len(dst) < len(p) {
		return dst, true
	}
	return append(dst, p...), false
}
