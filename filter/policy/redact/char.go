package redact

// What foldChar returns for what is no character.
const (
	charNone   rune = -1 // malformed: no part of any match
	charHidden rune = -2 // does not show
)

// FoldChar returns the character in whose place a user's words and patterns see one: an
// ASCII one for full-width forms, digits of all scripts, spaces and dashes, any other as
// it is. It says whether it shows at all.
func FoldChar(char rune) (folded rune, shown bool) {
	folded = shownAs(char)
	return folded, folded != charHidden
}

// shownAs is FoldChar with charHidden for what does not show.
func shownAs(char rune) rune {
	switch {
	case char < 0x80, char >= 0x3100 && char < 0xA000:
		return char
	case char >= 0xFF01 && char <= 0xFF5E:
		return char - 0xFEE0
	}
	switch code := foldAny(uint32(char)); {
	case code == codeIgnore:
		if isMark(uint32(char)) && char != 0x034F && char != 0x20E3 {
			return char // it makes another word
		}
		return charHidden
	case code == codeDash:
		return '-'
	case code >= ' ' && code < 0x7F:
		return rune(code)
	}
	return char
}

// foldChar reads the character at the front of s, of JSON string content, and folds it.
// The size is its length in raw bytes, 0 if s ends before it is clear what it is.
func foldChar(s []byte) (char rune, size int) {
	switch {
	case len(s) == 0:
		return charNone, 0
	case s[0] == '\\':
		char, size = escapedChar(s)
	case s[0] < 0x80:
		return rune(s[0]), 1
	default:
		char, size = wideChar(s)
	}
	if char < 0x80 {
		return char, size
	}
	return shownAs(char), size
}

// wideChar reads a character of UTF-8 that is not ASCII.
func wideChar(s []byte) (char rune, size int) {
	n, least := 2, rune(0x80)
	char = rune(s[0] & 0x1F)
	switch {
	case s[0] < 0xC2 || s[0] > 0xF4:
		return charNone, 1
	case s[0] >= 0xF0:
		n, least, char = 4, 0x10000, rune(s[0]&0x07)
	case s[0] >= 0xE0:
		n, least, char = 3, 0x800, rune(s[0]&0x0F)
	}
	for i := 1; i < n; i++ {
		if i >= len(s) {
			return charNone, 0
		}
		if s[i]&0xC0 != 0x80 {
			return charNone, i
		}
		char = char<<6 | rune(s[i]&0x3F)
	}
	if char < least || char > 0x10FFFF || char>>11 == 0xD800>>11 {
		return charNone, n
	}
	return char, n
}

// escapedChar reads a JSON escape, or one within JSON that stands in the string: its
// backslash is escaped itself. Any other backslash is one.
func escapedChar(s []byte) (char rune, size int) {
	n := 1 // of the backslashes
	if len(s) > 1 && s[1] == '\\' {
		n = 2
	}
	if len(s) == n {
		return charNone, 0
	}
	switch c := s[n]; {
	case c == 'u':
		return escapedUnicode(s, n)
	case c == '/':
		return '/', n + 1
	case c == 'n' || c == 'r' || c == 't' || c == 'b' || c == 'f':
		return ' ', n + 1
	case c == '\\' && n == 2:
		return inmostChar(s)
	case n == 2:
		return '\\', 2
	case c == '"':
		return '"', 2
	}
	return '\\', 1 // in text that is no JSON
}

// inmostChar reads what begins with three backslashes: one more and uXXXX are a character
// in JSON in JSON. Of all else the first two are a backslash.
func inmostChar(s []byte) (char rune, size int) {
	switch _, size = decodeInmost(s); size {
	case 0:
		return charNone, 0
	case 2:
		return '\\', 2
	}
	return escapedUnicode(s, 4)
}

// escapedUnicode reads uXXXX behind n backslashes, twice for a surrogate pair.
func escapedUnicode(s []byte, n int) (char rune, size int) {
	first, digits := hex4(s[n-1:])
	switch {
	case digits == 0:
		return charNone, 0
	case digits != 6:
		return charNone, n
	case first>>10 != 0xD800>>10:
		return rune(first), n + 5
	}
	high := n + 5
	for i := range n + 1 { // the second half is spelled alike
		if len(s) == high+i {
			return charNone, 0
		}
		if s[high+i] != s[i] {
			return charNone, high
		}
	}
	second, digits := hex4(s[high+n-1:])
	switch {
	case digits == 0:
		return charNone, 0
	case digits == 6 && second>>10 == 0xDC00>>10:
		return rune(0x10000 + (first&0x3FF)<<10 + second&0x3FF), 2 * high
	}
	return charNone, high
}

// wordChar says whether a character makes a word with those beside it: ASCII letters and
// digits, and those of U+00C0 to U+07FF (Latin, Greek, Cyrillic, Hebrew, Arabic). In
// other scripts words stand side by side without a mark.
func wordChar(char rune) bool {
	return char >= 0xC0 && char < 0x800 || uint32(char)-'0' < 10 || uint32(char|0x20)-'a' < 26
}

// What a raw byte that is not decoded says of the word at its end.
const (
	wordEnds uint8 = iota
	wordGoesOn
	wordAsBefore // within a character
)

// wordByte is wordChar by the first byte of a character.
var wordByte = func() (t [256]uint8) {
	for b := range t {
		switch {
		case b >= 0x80 && b < 0xC0:
			t[b] = wordAsBefore
		case b >= 0xC3 && b < 0xE0, b < 0x80 && wordChar(rune(b)):
			t[b] = wordGoesOn
		}
	}
	return t
}()
