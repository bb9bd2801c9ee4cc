package redact

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// kindSet is a set of kinds.
type kindSet uint32

const (
	contextChars = 30  // characters before a match in which a context word counts
	contextBytes = 192 // bytes that they may take
)

// past keeps the bytes of a string that stand before the source.
type past struct {
	n int
	b [2 * contextBytes]byte
}

// add appends what goes by.
func (p *past) add(b []byte) {
	if len(b) >= contextBytes {
		p.n = copy(p.b[:], b[len(b)-contextBytes:])
		return
	}
	if p.n+len(b) > len(p.b) {
		p.n = copy(p.b[:], p.b[p.n-contextBytes:p.n])
	}
	p.n += copy(p.b[p.n:], b)
}

// inContext returns the score of a match at unit at, given that of its form, with the
// words before it and in the name of the string's key.
func (r *Redactor) inContext(src []byte, at int, kind spec.EntityKind, score uint8) uint8 {
	set := kindSet(1) << kind
	if score < r.rules.threshold && score+contextScore >= r.rules.threshold {
		if (r.words|r.wordsBefore(src, int(r.w.start[at])))&set != 0 {
			return score + contextScore
		}
	}
	return score
}

// firstHan is the first of the ideographs.
const firstHan = 0x3400

// behind reads characters backwards.
type behind struct {
	src, past []byte // past stands before src
	left      int    // bytes that may still be read
}

// at returns the i-th byte before the place, from 1 on, or 0.
func (b *behind) at(i int) byte {
	switch n := len(b.src); {
	case i > b.left:
		return 0
	case i <= n:
		return b.src[n-i]
	default:
		return b.past[len(b.past)+n-i]
	}
}

// skip goes n bytes back.
func (b *behind) skip(n int) {
	b.left -= n
	k := min(n, len(b.src))
	b.src = b.src[:len(b.src)-k]
	b.past = b.past[:len(b.past)-(n-k)]
}

// char returns the character before the place and goes there: a letter, folded from
// full width, an ideograph, or a space for any other; 0 if there is none.
func (b *behind) char() uint32 {
	for b.left > 0 {
		c, n := b.decode()
		b.skip(min(n, b.left))
		switch {
		case c >= 0x80 && foldAny(c) == codeIgnore:
			continue
		case c >= 0xFF01 && c <= 0xFF5E:
			c -= 0xFEE0
		case c >= 0x80 && c < firstHan:
			return ' '
		}
		if c|0x20-'a' < 26 || c >= firstHan {
			return c
		}
		return ' '
	}
	return 0
}

// decode reads the character before the place, as itself or as an escape.
func (b *behind) decode() (c uint32, n int) {
	if last := b.at(1); last < 0x80 {
		if b.at(5) == 'u' && b.at(6) == '\\' {
			if c, ok := b.hex(); ok {
				return c, 6
			}
		}
		if b.at(2) == '\\' {
			return ' ', 2
		}
		return uint32(last), 1
	}
	var s [4]byte
	for n = 1; n <= 4 && n <= b.left; n++ {
		s[4-n] = b.at(n)
		if s[4-n] >= 0xC0 {
			r, size := utf8.DecodeRune(s[4-n:])
			if size == n {
				return uint32(r), n
			}
			break
		}
	}
	return ' ', 1
}

// hex returns the four digits before the place as a number.
func (b *behind) hex() (c uint32, ok bool) {
	for i := 4; i > 0; i-- {
		v := hexValue[b.at(i)]
		if v > 15 {
			return 0, false
		}
		c = c<<4 | uint32(v)
	}
	return c, true
}
