package jsonread

import (
	"errors"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Int reads an integer that fits into the given number of bits (8, 16, 32 or 64), exactly. A fraction or an exponent is
// an error, even where its value is whole.
func (c *Cursor) Int(bits int) (int64, error) {
	at, lit, err := c.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(lit, 10, bits)
	if err != nil {
		return 0, integerError(at, lit, err)
	}
	return v, nil
}

// Uint reads an integer from 0 that fits into the given number of bits, exactly.
func (c *Cursor) Uint(bits int) (uint64, error) {
	at, lit, err := c.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(lit, 10, bits)
	if err != nil {
		return 0, integerError(at, lit, err)
	}
	return v, nil
}

func integerError(at int, lit string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return &ValueError{Offset: at, Reason: clip(lit) + " is out of range"}
	}
	return &ValueError{Offset: at, Reason: clip(lit) + " is not an integer of this type"}
}

// Float reads a number with the given number of bits (32 or 64). Besides JSON numbers it takes NaN, Infinity and
// -Infinity, bare (as Python's json module writes them) or as strings (as the JSON form of protocol buffers has them).
func (c *Cursor) Float(bits int) (float64, error) {
	switch c.Kind() {
	case NotANumber:
		return c.notANumber()
	case String:
		return c.quotedFloat()
	}
	at, lit, err := c.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(lit, bits)
	if err != nil {
		return 0, &ValueError{Offset: at, Reason: clip(lit) + " is out of range"}
	}
	return v, nil
}

func (c *Cursor) quotedFloat() (float64, error) {
	at := c.i
	s, err := c.Text()
	if err != nil {
		return 0, err
	}
	inner := Cursor{b: []byte(s)}
	if inner.Kind() == NotANumber {
		if v, err := inner.notANumber(); err == nil && inner.i == len(s) {
			return v, nil
		}
	}
	return 0, &ValueError{Offset: at, Reason: `found a string where a number should be (only "NaN", "Infinity" and "-Infinity" may be strings)`}
}

func (c *Cursor) notANumber() (float64, error) {
	switch c.b[c.i] {
	case 'N':
		return math.NaN(), c.word("NaN")
	case 'I':
		return math.Inf(1), c.word("Infinity")
	default:
		return math.Inf(-1), c.word("-Infinity")
	}
}

// number reads a number and returns its text. The text shares the document's memory, which nobody changes.
func (c *Cursor) number() (at int, lit string, err error) {
	if err := c.expect(Number); err != nil {
		return c.i, "", err
	}
	at = c.i
	b, err := c.literal()
	if err != nil {
		return at, "", err
	}
	return at, unsafe.String(unsafe.SliceData(b), len(b)), nil
}

// literal consumes a number as RFC 8259, section 6, spells it.
func (c *Cursor) literal() ([]byte, error) {
	start := c.i
	if c.at('-') {
		c.i++
	}
	if c.at('0') {
		c.i++
	} else if c.digits() == 0 {
		return nil, c.syntaxf("expected a digit")
	}
	if c.at('.') {
		c.i++
		if c.digits() == 0 {
			return nil, c.syntaxf("expected a digit after the decimal point")
		}
	}
	if c.at('e') || c.at('E') {
		c.i++
		if c.at('+') || c.at('-') {
			c.i++
		}
		if c.digits() == 0 {
			return nil, c.syntaxf("expected a digit in the exponent")
		}
	}
	return c.b[start:c.i], nil
}

func (c *Cursor) at(ch byte) bool { return c.i < len(c.b) && c.b[c.i] == ch }

func (c *Cursor) digits() int {
	start := c.i
	for c.i < len(c.b) && c.b[c.i]-'0' <= 9 {
		c.i++
	}
	return c.i - start
}

// Text reads a string and returns its value. Invalid UTF-8 and lone surrogates are errors.
func (c *Cursor) Text() (string, error) {
	if err := c.expect(String); err != nil {
		return "", err
	}
	start := c.i + 1
	end, plain, err := c.textEnd()
	if err != nil {
		return "", err
	}
	raw := c.b[start:end]
	c.i = end + 1
	if plain {
		return string(raw), nil
	}
	return c.unescape(raw, start)
}

func (c *Cursor) skipText() error {
	_, err := c.Text()
	return err
}

// textEnd finds the closing quote of the string at the Cursor and checks control characters and UTF-8.
func (c *Cursor) textEnd() (end int, plain bool, err error) {
	plain = true
	ascii := true
	i := c.i + 1
	for ; i < len(c.b) && c.b[i] != '"'; i++ {
		switch ch := c.b[i]; {
		case ch == '\\':
			plain = false
			i++
		case ch < 0x20:
			return 0, false, &SyntaxError{Offset: i, Reason: "a control character in a string"}
		case ch >= utf8.RuneSelf:
			ascii = false
		}
	}
	if i >= len(c.b) {
		return 0, false, &SyntaxError{Offset: len(c.b), Reason: "the document ends inside a string"}
	}
	if !ascii && !utf8.Valid(c.b[c.i+1:i]) {
		return 0, false, c.syntaxf("a string that is not UTF-8")
	}
	return i, plain, nil
}

func (c *Cursor) unescape(raw []byte, base int) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		r, n, reason := escape(raw[i:])
		if reason != "" {
			return "", &SyntaxError{Offset: base + i, Reason: reason}
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	return string(out), nil
}

// escape decodes the escape sequence that b starts with and returns its length, or the reason why it is none.
func escape(b []byte) (r rune, n int, reason string) {
	if len(b) < 2 {
		return 0, 0, "an unfinished escape"
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(from) {
		if b[1] == from[i] {
			return rune(to[i]), 2, ""
		}
	}
	if b[1] != 'u' {
		return 0, 0, "an unknown escape"
	}
	r, ok := hex4(b[2:])
	if !ok {
		return 0, 0, `\u without four hexadecimal digits`
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, ""
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hex4(b[8:]); ok {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				return full, 12, ""
			}
		}
	}
	return 0, 0, "a lone surrogate"
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, ch := range b[:4] {
		switch {
		case ch-'0' <= 9:
			r = r<<4 | rune(ch-'0')
		case ch|0x20-'a' <= 5:
			r = r<<4 | rune(ch|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
