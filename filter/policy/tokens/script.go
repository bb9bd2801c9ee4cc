package tokens

import "github.com/weirmesh/weir/filter/policy/spec"

// classes maps a raw byte to its class.
var classes = func() (t [256]class) {
	for b := range t {
		switch c := byte(b); {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			t[b] = word
		case c >= '0' && c <= '9':
			t[b] = digit
		case c == '\\':
			t[b] = escape
		case c <= ' ' || c == 0x7F:
			t[b] = space
		case c >= 0xC0:
			t[b] = lead
		case c >= 0x80:
			t[b] = cont
		default:
			t[b] = punct
		}
	}
	return t
}()

// hex maps a hexadecimal digit to its value and all else to 255.
var hex = func() (t [256]uint8) {
	for b := range t {
		t[b] = 255
	}
	for i := range 10 {
		t['0'+i] = uint8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = uint8(10+i), uint8(10+i)
	}
	return t
}()

// units is how many of its class a run of n characters is.
func units(c class, n int64) int64 {
	switch {
	case n == 0:
		return 0
	case c == word:
		return 1
	case c == digit:
		return (n + 2) / 3
	case c == punct:
		return (n + 1) / 2
	case n > 1:
		return 1
	}
	return 0 // a single space belongs to the word behind it
}

// pieces is how many pieces a run has beyond its unit.
func pieces(c class, n int64) int64 {
	if c == word && n >= 7 {
		return (n+1)/4 - 1
	}
	return 0
}

// shortRun bounds the runs that are looked up.
const shortRun = 32

// shortRuns are units and pieces of the runs that are looked up.
var shortRuns = func() (t [runs][shortRun]struct{ units, pieces uint8 }) {
	for c := range runs {
		for n := range shortRun {
			t[c][n].units, t[c][n].pieces = uint8(units(c, int64(n))), uint8(pieces(c, int64(n)))
		}
	}
	return t
}()

// one counts one character of an ASCII class.
func (e *Estimator) one(c class) {
	if c != e.class {
		e.begin(c)
	}
	e.run++
}

// char counts one character by its code point; a surrogate is half of one.
func (e *Estimator) char(r uint32) {
	if r < 0x80 {
		if c := classes[r]; c != escape {
			e.one(c)
			return
		}
		e.one(punct)
		return
	}
	if e.run > 0 {
		e.begin(word)
	}
	switch {
	case r >= 0x4E00 && r <= 0x9FFF, r >= 0x3400 && r <= 0x4DBF, r >= 0xF900 && r <= 0xFAFF, r >= 0x20000 && r <= 0x3FFFF:
		e.counts[spec.ClassHan]++
	case r < 0x2000:
		e.counts[spec.ClassLetters]++
	case r >= 0xD800 && r <= 0xDFFF:
		e.counts[spec.ClassEmoji]++
	case r >= 0x10000:
		e.counts[spec.ClassEmoji] += 2
	default:
		e.counts[spec.ClassWide]++
	}
}
