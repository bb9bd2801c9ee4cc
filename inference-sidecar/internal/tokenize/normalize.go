package tokenize

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalize cleans text as BertNormalizer does: control characters go, white space becomes a space, Chinese characters
// get spaces around them, and, for an uncased vocabulary, accents are stripped and letters lowered.
func normalize(text string, lowercase bool) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/2)
	for _, r := range text {
		switch {
		case isControl(r):
		case isSpace(r):
			b.WriteByte(' ')
		case isChinese(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	if !lowercase {
		return b.String()
	}
	return strings.Map(lowerWithoutMark, norm.NFD.String(b.String()))
}

// lowerWithoutMark drops non-spacing marks, which is what is left of accents after canonical decomposition.
func lowerWithoutMark(r rune) rune {
	if r < 0x80 {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}
	if unicode.Is(unicode.Mn, r) {
		return -1
	}
	return unicode.ToLower(r)
}

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// isControl tells whether r is dropped: control and format characters (the zero-width joiner among them), private use,
// and U+FFFD, which stands for bytes that could not be read. Vertical tab, form feed and U+0085 are dropped, not spaces.
func isControl(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return false
	case r < 0x80:
		return r < 0x20 || r == 0x7f
	}
	return r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// isChinese tells whether r is in one of the blocks that BERT tokenises character by character. Kana and Hangul are not.
func isChinese(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4dbf, r >= 0x4e00 && r <= 0x9fff, r >= 0xf900 && r <= 0xfaff:
		return true
	case r >= 0x20000 && r <= 0x2a6df, r >= 0x2a700 && r <= 0x2b81f, r >= 0x2b920 && r <= 0x2ceaf, r >= 0x2f800 && r <= 0x2fa1f:
		// The block from U+2B820 begins at U+2B920 here, as in the tokenizers library with which models are trained.
		return true
	}
	return false
}

// isPunct counts all of ASCII that is neither letter, digit, space nor control, such as $ and +, besides Unicode's P.
func isPunct(r rune) bool {
	if r < 0x80 {
		return r > ' ' && r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' && r < 0x7f
	}
	return unicode.IsPunct(r)
}
