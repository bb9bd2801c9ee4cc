package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// text reads string content up to the closing quote, the end of p or what is none: what
// stands before that is told of in whatever pieces it comes. The quote itself belongs to
// the structure that follows.
func (s *Scanner) text(p []byte, sink Sink) (int, error) {
	n, bad := s.span(p)
	var err error
	if n > 0 {
		if s.key {
			err = sink.KeyBytes(p[:n])
		} else {
			err = sink.StringBytes(p[:n])
		}
	}
	if err == nil {
		err = bad
	}
	if err != nil || n == len(p) {
		return n, err
	}
	s.state = closing
	if s.key {
		return n, sink.KeyEnd()
	}
	return n, sink.StringEnd()
}

// span returns how many bytes of p are string content: all, or those before the
// closing quote.
func (s *Scanner) span(p []byte) (int, error) {
	i := 0
	for i < len(p) {
		if s.state != inString {
			if err := s.continued(p[i]); err != nil {
				return i, err
			}
			i++
			continue
		}
		i += plain(p[i:])
		if i == len(p) {
			break
		}
		switch c := p[i]; {
		case c == '"':
			return i, nil
		case c == '\\':
			s.state = inEscape
			i++
		case c < ' ':
			return i, ErrControl
		default: // not ASCII
			n := wideRunes(p[i:])
			if n == 0 {
				if !s.beginRune(c) {
					return i, ErrUTF8
				}
				n = 1
			}
			i += n
		}
	}
	return i, nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns how many leading bytes are ASCII that needs no attention, eight
// at a time.
func plain(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		quote, slash := x^('"'*ones), x^('\\'*ones)
		// A byte's high bit is set below where the byte is non-ASCII, below a space,
		// a quote or a backslash. Borrows spoil only bytes above such a one.
		stop := (x | (x - ' '*ones) | (quote - ones) | (slash - ones)) & highs
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(p) && p[i] >= ' ' && p[i] < 0x80 && p[i] != '"' && p[i] != '\\'; i++ {
	}
	return i
}

// wideRunes returns the length of the leading run of complete three-byte
// characters that need no range check (U+1000 to U+CFFF and U+E000 to U+FFFF:
// Han, Kana, most Hangul, full-width forms), 0 if there is none.
func wideRunes(p []byte) int {
	i := 0
	for i+3 <= len(p) && p[i] > 0xE0 && p[i] < 0xF0 && p[i] != 0xED && p[i+1]&0xC0 == 0x80 && p[i+2]&0xC0 == 0x80 {
		i += 3
	}
	return i
}

// beginRune takes the first byte of a UTF-8 sequence (RFC 3629 section 4).
//
//go:noinline
func (s *Scanner) beginRune(c byte) bool {
	s.state, s.lo, s.hi = inRune, 0x80, 0xBF
	switch {
	case c >= 0xC2 && c <= 0xDF:
		s.left = 1
	case c >= 0xE0 && c <= 0xEF:
		s.left = 2
		if c == 0xE0 {
			s.lo = 0xA0 // no overlong form
		} else if c == 0xED {
			s.hi = 0x9F // no surrogate
		}
	case c >= 0xF0 && c <= 0xF4:
		s.left = 3
		if c == 0xF0 {
			s.lo = 0x90
		} else if c == 0xF4 {
			s.hi = 0x8F // nothing above U+10FFFF
		}
	default:
		return false
	}
	return true
}

// continued takes one byte within an escape or a UTF-8 sequence.
//
//go:noinline
func (s *Scanner) continued(c byte) error {
	switch s.state {
	case inEscape:
		switch c {
		case 'u':
			s.state, s.left = inHex, 4
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			s.state = inString
		default:
			return ErrEscape
		}
		return nil
	case inHex:
		if _, ok := hexDigit(c); !ok {
			return ErrEscape
		}
	default: // inRune
		if c < s.lo || c > s.hi {
			return ErrUTF8
		}
		s.lo, s.hi = 0x80, 0xBF
	}
	s.left--
	if s.left == 0 {
		s.state = inString
	}
	return nil
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case isDigit(c):
		return rune(c - '0'), true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10, true
	}
	return 0, false
}
