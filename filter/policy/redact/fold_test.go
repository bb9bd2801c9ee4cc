package redact

import (
	"fmt"
	"testing"
	"unicode"
	"unicode/utf16"
)

// All decimal digits fold to theirs, all format characters to nothing and no other
// letter or number to a code, in UTF-8 and as escapes.
func TestFoldAll(t *testing.T) {
	for c := rune(0x80); c <= unicode.MaxRune; c++ {
		if unicode.Is(unicode.Cs, c) {
			continue
		}
		want, free := codeBreak, false
		switch {
		case unicode.Is(unicode.Nd, c):
			want = '0' + byte(digitValue(c))
		case unicode.Is(unicode.Cf, c) && (c < 0x600 || c > 0x605) && c != 0x6DD && c != 0x70F && (c < 0x890 || c > 0x891) && c != 0x8E2 && (c < 0x110BD || c > 0x110CD) && (c < 0x13430 || c > 0x1343F):
			want = codeIgnore
		case c >= 0x300 && c <= 0x36F, c >= 0x20D0 && c <= 0x20F0, c >= 0xFE20 && c <= 0xFE2F:
			want = codeIgnore
		case unicode.IsLetter(c) && !unicode.Is(unicode.Han, c) && (c < 0xFF01 || c > 0xFF5E) && c != 0x115F && c != 0x1160 && c != 0xFFA0 && c != 0x3164:
		default:
			free = true
		}
		for _, s := range []string{string(c), escaped(c)} {
			code, size := decode([]byte(s + "x"))
			if !free && code != want || code != codeBreak && size != len(s) {
				t.Errorf("%q (%U): code %d of %d bytes, want %d", s, c, code, size, want)
			}
		}
	}
}

// digitValue is the value of a decimal digit: a script's stand in a row.
func digitValue(c rune) int {
	for _, r := range unicode.Nd.R16 {
		if c >= rune(r.Lo) && c <= rune(r.Hi) {
			return int(c-rune(r.Lo)) % 10
		}
	}
	for _, r := range unicode.Nd.R32 {
		if c >= rune(r.Lo) && c <= rune(r.Hi) {
			return int(c-rune(r.Lo)) % 10
		}
	}
	return -1
}

func escaped(c rune) string {
	if high, low := utf16.EncodeRune(c); high != unicode.ReplacementChar {
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, c)
}
