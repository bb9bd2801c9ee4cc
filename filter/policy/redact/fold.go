package redact

// Codes of units that are not a folded ASCII character.
const (
	codeBreak    byte = 0 // no part of any match
	codeIgnore   byte = 1 // does not show
	codeDash     byte = 2 // a dash other than '-': a separator
	codeDot      byte = 3 // a dot in the middle of the line: a separator
	codePlate    byte = 4 // the province on a licence plate
	codePlateEnd byte = 5 // the last character of special plates
)

// Properties of a code.
const (
	isDigit  uint16 = 1 << iota
	isLetter        // ASCII letter
	isUpper         // of which those in upper case
	isHex           // letter a to f
	isLocal         // may stand in the local part of an address
	isRun           // continues a run wherever it stands
	isSep           // separates groups of digits
	isStart         // only begins a run
	isUser          // besides those, may stand in the userinfo of a URL
)

// isJoined are the properties between which separators may stand.
const isJoined = isDigit | isUpper

// props maps a code to its properties.
var props = func() (t [256]uint16) {
	for c := '0'; c <= '9'; c++ {
		t[c] = isDigit | isLocal | isRun
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = isLetter | isLocal | isRun
		t[c-'a'+'A'] = isLetter | isUpper | isLocal | isRun
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
	for _, c := range "@:/=" {
		t[c] = isRun
	}
	for _, c := range " ().-/_" {
		t[c] |= isSep
	}
	for _, c := range "!$&*,;()" { // RFC 3986, sub-delims
		t[c] |= isUser
	}
	t['('] |= isStart
	t[codeDash] = isSep
	t[codeDot] = isSep
	t[codePlate] = isStart
	return t
}()

// asciiCode maps a byte to the code of the ASCII character that it is; other
// bytes are breaks.
var asciiCode = func() (t [256]byte) {
	for c := range 128 {
		if props[c] != 0 && c >= ' ' {
			t[c] = byte(c)
		}
	}
	return t
}()

// foldLead marks the first bytes of UTF-8 sequences that may fold to anything
// but codeBreak. All other bytes above ASCII are breaks, one by one.
var foldLead = func() (t [256]bool) {
	for _, c := range []byte{0xC2, 0xCC, 0xCD, 0xD8, 0xD9, 0xDB, 0xDF, 0xE0, 0xE1, 0xE2, 0xE3, 0xEA, 0xEF, 0xF0, 0xF3} {
		t[c] = true
	}
	return t
}()

// isHan says whether b begins a character of U+4000 to U+9FFF, of which some
// stand on licence plates. The search for runs passes over them.
func isHan(b byte) bool { return b >= 0xE4 && b <= 0xE9 }

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
	case !foldLead[b] && !isHan(b):
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
	return foldAny(r), n
}

// foldAny maps any character to its code.
func foldAny(r uint32) byte {
	if r > 0xFFFF {
		return foldWide(r)
	}
	return fold(r)
}

// decoded marks the bytes with which a character begins that takes more of them, or
// a break.
var decoded = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x80 || c == '%' || c == '\\'
	}
	return t
}()

// fold maps a character of the basic plane to its code, one to one: full-width
// forms to ASCII (U+FF01 to U+FF5E), decimal digits of all scripts to ASCII
// digits, spaces to a space, dashes to codeDash, dots in the middle of the line
// to codeDot, and what does not show (general category Cf,
// Default_Ignorable_Code_Point) or is a mark to codeIgnore.
func fold(r uint32) byte {
	switch {
	case r < '\b', r > '\r' && r < ' ', r >= 0x7F && r < 0xA0 && r != 0x85:
		return codeIgnore // controls, but for those that break a line or move on in it
	case r < 0x80:
		return asciiCode[r]
	case r > 0x3100 && r < 0xA000:
		return foldHan(r)
	case r >= 0xAC00 && r < 0xFE00:
		return codeBreak // Hangul, surrogates, private use
	case r >= 0xFF01 && r <= 0xFF5E:
		return asciiCode[r-0xFEE0]
	case r >= 0x2000 && r <= 0x206F:
		return foldPunctuation(r)
	case r >= 0xFE00 && r <= 0xFE0F, isMark(r):
		return codeIgnore
	}
	switch r {
	case 0x00A0, 0x1680, 0x3000:
		return ' '
	case 0x2212, 0xFE58, 0xFE63, 0x058A, 0x301C, 0x30A0:
		return codeDash
	case 0x00B7, 0x2219, 0x22C5, 0x30FB, 0xFF65:
		return codeDot
	case 0x2215:
		return '/'
	case 0x00AD, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFA, 0xFFFB:
		return codeIgnore
	}
	return foldDigit(r)
}

// isMark says whether a character is drawn over the one before it: combining marks that
// belong to no script, as for struck out or underlined text.
func isMark(r uint32) bool {
	return r>>4 >= 0x30 && r>>4 <= 0x36 || r>>4 >= 0x20D && r>>4 <= 0x20F || r>>4 == 0xFE2
}

// foldWide maps a character above the basic plane to its code.
func foldWide(r uint32) byte {
	switch {
	case r >= 0xE0000 && r <= 0xE0FFF, r >= 0x1BCA0 && r <= 0x1BCA3, r >= 0x1D173 && r <= 0x1D17A:
		return codeIgnore // tags, variation selectors, controls of shorthand and music
	case r >= 0x1D7CE && r <= 0x1D7FF:
		return '0' + byte((r-0x1D7CE)%10) // mathematical digits in five styles
	case r >= 0x1F000 && r < 0x1FBF0:
		return codeBreak // emoji
	}
	return foldDigit(r)
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
	case r == 0x2022, r == 0x2027:
		return codeDot
	case r == 0x2044:
		return '/'
	}
	return codeBreak
}

// zeros are the digits zero of all scripts, general category Nd, in order; the
// nine others follow each. ASCII, full-width and mathematical ones are no part.
var zeros = [...]uint32{
	0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20,
	0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0,
	0xA9F0, 0xAA50, 0xABF0, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0,
	0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1E140, 0x1E2F0,
	0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
}

// foldDigit folds a decimal digit; other characters are breaks.
func foldDigit(r uint32) byte {
	if r < 0x800 { // Arabic, Persian, N'Ko
		switch {
		case r-0x660 < 10:
			return '0' + byte(r-0x660)
		case r-0x6F0 < 10:
			return '0' + byte(r-0x6F0)
		case r-0x7C0 < 10:
			return '0' + byte(r-0x7C0)
		}
		return codeBreak
	}
	low, high := 0, len(zeros) // zeros before low are not above r
	for low < high {
		if mid := (low + high) / 2; zeros[mid] <= r {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low > 0 && r-zeros[low-1] < 10 {
		return '0' + byte(r-zeros[low-1])
	}
	return codeBreak
}

// foldHan folds the characters that stand on licence plates: the provinces', and
// those behind the number of vehicles for training, of Hong Kong and so on.
func foldHan(r uint32) byte {
	switch r {
	case 0x3164:
		return codeIgnore // Hangul filler
	case '挂', '学', '警', '港', '澳':
		return codePlateEnd
	}
	if provinceAt[r%provinceSlots] == uint16(r) {
		return codePlate
	}
	return codeBreak
}

// provinceSlots is the least number by which the remainders of all in provinceAt
// differ.
const provinceSlots = 221

// provinceAt holds the first characters of licence plates (GA 36), 使 and 领 of
// embassies and consulates among them.
var provinceAt = func() (t [provinceSlots]uint16) {
	for _, c := range "京沪津渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领" {
		t[c%provinceSlots] = uint16(c)
	}
	return t
}()
