package redact

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/spec"
)

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
	set := wordSet(1) << kind
	weak := score < r.rules.threshold && score+contextScore >= r.rules.threshold
	if !weak && set&against == 0 {
		return score
	}
	if offset := int(r.w.start[at]); r.wordsAt != offset {
		r.wordsAt, r.near = offset, r.wordsBefore(src, offset)
	}
	switch words := r.words | r.near; {
	case words>>againstShift&set != 0:
		return score - min(score, contextScore)
	case weak && words&set != 0:
		return score + contextScore
	}
	return score
}

// wordsBefore returns the context words before offset at of src, which may be
// negative: a part of what is looked at may be of the past.
func (r *Redactor) wordsBefore(src []byte, at int) wordSet {
	if at >= contextBytes {
		return behind(src[at-contextBytes : at]).words(contextChars)
	}
	b := &r.around // not on the stack: TinyGo would take it from the heap
	now := max(at, 0)
	before := r.past.b[:r.past.n+at-now]
	before = before[max(0, len(before)+now-contextBytes):]
	n := copy(b[:], before)
	n += copy(b[n:], src[:now])
	return behind(b[:n]).words(contextChars)
}

// wordsIn returns the context words in a name.
func wordsIn(name []byte) wordSet {
	return behind(name[max(0, len(name)-contextBytes):]).words(contextBytes)
}

// firstHan is the first of the ideographs.
const firstHan = 0x3400

// behind is what stands before a place; it is read backwards.
type behind []byte

// char returns the last character and goes before it: a letter, folded from full
// width, an ideograph, or a space for any other; 0 if there is none.
func (b *behind) char() uint32 {
	for len(*b) > 0 {
		c, n := b.decode()
		*b = (*b)[:len(*b)-n]
		switch {
		case c|0x20-'a' < 26:
			return c
		case c < 0x80:
			return ' '
		}
		switch f := foldAny(c); {
		case f == codeIgnore:
			continue
		case props[f]&isLetter != 0:
			return uint32(f)
		case c >= firstHan:
			return c
		}
		return ' '
	}
	return 0
}

// decode reads the last character, as itself or as an escape.
func (b behind) decode() (c uint32, size int) {
	n := len(b)
	last := b[n-1]
	if last >= 0x80 {
		for k := n - 1; k >= max(0, n-4); k-- {
			if b[k] >= 0xC0 {
				if r, size := utf8.DecodeRune(b[k:]); size == n-k {
					return uint32(r), size
				}
				break
			}
		}
		return ' ', 1
	}
	if n >= 2 && b[n-2] == '\\' {
		return ' ', 2
	}
	if n >= 6 && b[n-5] == 'u' && b[n-6] == '\\' {
		if c, size := hex4(b[n-6:]); size == 6 {
			return c, 6
		}
	}
	return uint32(last), 1
}
