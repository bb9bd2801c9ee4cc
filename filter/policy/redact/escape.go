package redact

// decodeEscape reads a JSON escape (RFC 8259, section 7). A string may itself
// hold JSON, whose escapes begin with a backslash that is escaped: the character
// behind it belongs to it as well. In text that is no JSON a backslash may stand
// before anything: what is no escape is a break of the backslash alone.
func decodeEscape(s []byte) (code byte, size int) {
	if len(s) < 2 {
		return codeBreak, 0
	}
	switch s[1] {
	case '/':
		return '/', 2
	case '\\':
		return decodeInner(s, 2)
	case 'u':
		if code, size = decodeUnicode(s, 1); size != 2 {
			return code, size
		}
	case '"', 'b', 'f', 'n', 'r', 't':
		return codeBreak, 2
	}
	return codeBreak, 1
}

// decodeInner reads an escape whose backslash is the first n bytes of s. What
// is no escape is a break of the backslash alone.
func decodeInner(s []byte, n int) (code byte, size int) {
	if len(s) == n {
		return codeBreak, 0
	}
	switch s[n] {
	case 'b', 'f', 'n', 'r', 't':
		return codeBreak, n + 1
	case '/':
		return '/', n + 1
	case 'u':
		if code, size = decodeUnicode(s, n); size != 2 {
			return code, size
		}
	case '\\':
		if n == 2 {
			return decodeInmost(s)
		}
	}
	return codeBreak, n
}

// decodeInmost reads what begins with three backslashes: one more and uXXXX are a
// character in JSON in JSON, which is not to be torn apart. Of all else the first two are
// a break.
func decodeInmost(s []byte) (code byte, size int) {
	const begin = `\\\\u`
	for i := 3; i < len(begin); i++ {
		if i == len(s) {
			return codeBreak, 0
		}
		if s[i] != begin[i] {
			return codeBreak, 2
		}
	}
	return decodeUnicode(s, 4)
}

// decodeUnicode reads uXXXX behind a backslash that is the first n bytes of s,
// and the second half of a surrogate pair if it is the first one of such. The
// size is 2 where the digits are malformed.
func decodeUnicode(s []byte, n int) (code byte, size int) {
	r, size := hex4(s[n-1:])
	switch {
	case size != 6:
		return codeBreak, size
	case r == '\\' && n == 1:
		return decodeInner(s, 6)
	case r>>10 != 0xD800>>10 || n > 2:
		return fold(r), n + 5
	}
	high := n + 5
	for i := range n + 1 { // the next one is spelled alike
		if len(s) == high+i {
			return codeBreak, 0
		}
		if s[high+i] != s[i] {
			return codeBreak, high
		}
	}
	low, size := hex4(s[high+n-1:])
	switch {
	case size == 0:
		return codeBreak, 0
	case size == 6 && low>>10 == 0xDC00>>10:
		return foldWide(0x10000 + (r&0x3FF)<<10 + low&0x3FF), 2 * high
	}
	return codeBreak, high
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
