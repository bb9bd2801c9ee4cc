package engine

import "unicode/utf8"

// utf8Check says of a text in pieces whether it is UTF-8.
type utf8Check struct {
	held [utf8.UTFMax]byte // begin of a character that the last piece cut
	n    int
}

// take takes the next piece.
//
//go:noinline
func (c *utf8Check) take(p []byte) bool {
	for c.n > 0 && len(p) > 0 {
		c.held[c.n] = p[0]
		c.n++
		p = p[1:]
		if !utf8.FullRune(c.held[:c.n]) {
			continue
		}
		valid := utf8.Valid(c.held[:c.n])
		c.n = 0
		if !valid {
			return false
		}
	}
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(p[i]) {
			continue
		}
		if !utf8.FullRune(p[i:]) {
			c.n = copy(c.held[:], p[i:])
			p = p[:i]
		}
		break
	}
	return utf8.Valid(p)
}

// end says whether the text was whole, and makes c ready for another one.
func (c *utf8Check) end() bool {
	whole := c.n == 0
	c.n = 0
	return whole
}
