package redact

// Codes of units that are not a folded ASCII character.
const (
	codeBreak  byte = 0 // no part of any match
	codeIgnore byte = 1 // does not show
	codeDash   byte = 2 // a dash other than '-': a separator of digits only
)

// Properties of a code.
const (
	isDigit  uint8 = 1 << iota
	isLetter       // ASCII letter
	isHex          // letter a to f
	isLocal        // may stand in the local part of an address
	isRun          // continues a run wherever it stands
	isSep          // separates groups of digits
)

// props maps a code to its properties.
var props = func() (t [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		t[c] = isDigit | isLocal | isRun
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = isLetter | isLocal | isRun
		t[c-'a'+'A'] = isLetter | isLocal | isRun
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c] |= isHex
		t[c-'a'+'A'] |= isHex
	}
	// RFC 5322 atext that occurs in addresses. The rest of it ('=', '/', '&',
	// quotes of code) separates an address from what stands before it far more
	// often than it is part of one.
	for _, c := range "._%+-'~" {
		t[c] = isLocal | isRun
	}
	t['@'] = isRun
	t['-'] |= isSep
	t[' '] = isSep
	t[codeDash] = isSep
	return t
}()

// asciiCode maps a byte to the code of the ASCII character that it is; other
// bytes are breaks.
var asciiCode = func() (t [256]byte) {
	for c := range 128 {
		if props[c] != 0 && byte(c) != codeDash {
			t[c] = byte(c)
		}
	}
	return t
}()

// foldLead marks the first bytes of UTF-8 sequences that may fold to anything
// but codeBreak. All other bytes above ASCII are breaks, one by one.
var foldLead = func() (t [256]bool) {
	for _, c := range []byte{0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xEF, 0xF3} {
		t[c] = true
	}
	return t
}()

// decode reads the character at the front of s, which is not empty. It returns
// its code and its length in raw bytes, or length 0 if s ends before it is
// clear what it is. Malformed input is a break and stays as it is.
func decode(s []byte) (code byte, size int) {
	b := s[0]
	switch {
	case b == '\\':
		return decodeEscape(s)
	case b == '%':
		return decodePercent(s)
	case b < 0x80:
		return asciiCode[b], 1
	case !foldLead[b]:
		return codeBreak, 1
	}
	return decodeUTF8(s)
}

// decodePercent reads a percent-encoded byte (RFC 3986, section 2.1), as text
// that holds URLs does. Letters and digits are never spelled like this, so
// those codes are a '%' before a number; so is %1X, with which every phone
// number begins and no text.
func decodePercent(s []byte) (code byte, size int) {
	value := uint8(0)
	for i := 1; i < 3; i++ {
		if i >= len(s) {
			return codeBreak, 0
		}
		v := hexValue[s[i]]
		if v > 15 || i == 1 && v == 1 {
			return '%', 1
		}
		value = value<<4 | v
	}
	if value >= 0x80 {
		return codeBreak, 3
	}
	code = asciiCode[value]
	if props[code]&(isDigit|isLetter) != 0 {
		return '%', 1
	}
	return code, 3
}

// decodeEscape reads a JSON escape (RFC 8259, section 7). Of the short ones
// none stands for a character that a match may hold.
func decodeEscape(s []byte) (code byte, size int) {
	if len(s) < 2 {
		return codeBreak, 0
	}
	if s[1] != 'u' {
		return codeBreak, 2
	}
	r, size := hex4(s)
	if size != 6 {
		return codeBreak, size
	}
	if r != tagHigh {
		return fold(r), 6
	}
	return decodeTag(s)
}

// tagHigh is the high surrogate of U+E0000 to U+E03FF, tags and variation
// selectors: the only characters above U+FFFF that do not show.
const tagHigh = 0xDB40

func decodeTag(s []byte) (code byte, size int) {
	for i, c := range [2]byte{'\\', 'u'} {
		if len(s) <= 6+i {
			return codeBreak, 0
		}
		if s[6+i] != c {
			return codeBreak, 6
		}
	}
	low, size := hex4(s[6:])
	switch {
	case size == 0:
		return codeBreak, 0
	case size == 6 && low>>10 == 0xDC00>>10:
		return codeIgnore, 12
	}
	return codeBreak, 6
}

// hex4 reads the digits of \uXXXX. The size is 6, 2 where they are malformed,
// and 0 where s ends within them.
func hex4(s []byte) (r uint32, size int) {
	for i := 2; i < 6; i++ {
		if i >= len(s) {
			return 0, 0
		}
		v := hexValue[s[i]]
		if v > 15 {
			return 0, 2
		}
		r = r<<4 | uint32(v)
	}
	return r, 6
}

var hexValue = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xFF
	}
	for i, c := range "0123456789abcdef" {
		t[c] = uint8(i)
	}
	for i, c := range "ABCDEF" {
		t[c] = uint8(10 + i)
	}
	return t
}()

// decodeUTF8 reads a sequence whose first byte is in foldLead.
func decodeUTF8(s []byte) (code byte, size int) {
	n, r := 2, uint32(s[0]&0x1F)
	switch {
	case s[0] >= 0xF0:
		n, r = 4, uint32(s[0]&0x07)
	case s[0] >= 0xE0:
		n, r = 3, uint32(s[0]&0x0F)
	}
	for i := 1; i < n; i++ {
		if i >= len(s) {
			return codeBreak, 0
		}
		if s[i]&0xC0 != 0x80 {
			return codeBreak, i
		}
		r = r<<6 | uint32(s[i]&0x3F)
	}
	if r < 0x80 {
		return codeBreak, n // overlong: no character
	}
	return fold(r), n
}

// fold maps a character to its code, one to one: full-width forms to ASCII
// (U+FF01 to U+FF5E), spaces to a space, dashes to codeDash, and what does not
// show (general category Cf, Default_Ignorable_Code_Point, the enclosing
// keycap) to codeIgnore.
func fold(r uint32) byte {
	switch {
	case r < 0x80:
		return asciiCode[r]
	case r > 0x3000 && r < 0xFE00:
		return codeBreak // Han, Kana, Hangul, surrogates, private use
	case r >= 0xFF01 && r <= 0xFF5E:
		return asciiCode[r-0xFEE0]
	case r >= 0x2000 && r <= 0x206F:
		return foldPunctuation(r)
	}
	switch r {
	case 0x00A0, 0x3000:
		return ' '
	case 0x2212, 0xFE58, 0xFE63:
		return codeDash
	case 0x00AD, 0x034F, 0x061C, 0x180E, 0x20E3, 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB:
		return codeIgnore
	}
	if r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0000 && r <= 0xE0FFF {
		return codeIgnore
	}
	return codeBreak
}

// foldPunctuation folds the block General Punctuation, U+2000 to U+206F.
func foldPunctuation(r uint32) byte {
	switch {
	case r <= 0x200A, r == 0x202F, r == 0x205F:
		return ' '
	case r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060:
		return codeIgnore
	case r <= 0x2015:
		return codeDash
	}
	return codeBreak
}
