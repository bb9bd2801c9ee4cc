// Package tokens estimates how many tokens a model's tokenizer makes of a
// prompt, without the tokenizer.
//
// It counts what byte-pair and word-piece vocabularies cut text into, by class: words
// of ASCII letters and, of long ones, their pieces; numbers in groups of up to three
// digits, punctuation in pairs, runs of white space as one; Han characters, letters of
// other alphabets, other characters. How many tokens of a model one of a class is, is
// a number of the policy, fitted to what the model said that requests cost. So the
// same counts serve every model, and a model may be known after the text was read.
package tokens

import "github.com/weirmesh/weir/filter/policy/spec"

const milli = 1000

// class is what a byte, or the character that it begins, counts as. The first are
// those of the text classes that make runs of more than one byte.
type class uint8

const (
	word  = class(spec.ClassWords)   // ASCII letter
	digit = class(spec.ClassNumbers) // ASCII digit
	punct = class(spec.ClassMarks)   // other visible ASCII
	space = class(spec.ClassSpaces)  // white space and control characters
	runs  = space + 1                // the classes above make runs

	escape = runs + iota // backslash; what these are, the next bytes tell
	lead                 // first byte of a UTF-8 sequence
	cont                 // its other bytes
)

// Counts are how many of each class a text has.
type Counts [spec.TextClasses]int64

// Estimator counts the strings that it is given, in chunks cut anywhere. It is a
// value; the zero value is ready. It takes raw JSON string content and understands
// its escapes; malformed input is counted, not refused.
type Estimator struct {
	counts Counts
	run    int64 // length of the current run
	class  class // of the current run; any one if that has no length
	// partial is how far a character that is not complete has been read.
	partial partial
}

// partial is the state of reading an escape or a UTF-8 sequence.
type partial struct {
	kind class  // escape or lead; 0: nothing is open
	need uint8  // bytes to come; 0 in an escape whose letter is to come
	r    uint32 // code point so far
}

// Request counts the request itself.
func (e *Estimator) Request() { e.counts[spec.ClassRequests]++ }

// Message counts a message.
func (e *Estimator) Message() { e.counts[spec.ClassMessages]++ }

// StringStart begins a string.
func (e *Estimator) StringStart() { e.StringEnd() }

// StringEnd ends a string; a character that was cut off by it counts nothing.
func (e *Estimator) StringEnd() {
	e.begin(word)
	e.partial = partial{}
}

// Counts returns what was counted so far.
func (e *Estimator) Counts() Counts {
	c := *e
	c.begin(word)
	return c.counts
}

// Tokens returns the estimate for all strings so far, rounded up. Without prices
// those of spec.DefaultEstimate count.
func (e *Estimator) Tokens(prices *spec.Estimate) int64 {
	counts := e.Counts()
	return counts.Tokens(prices)
}

// Tokens is how many tokens so many of each class are, rounded up. Without prices
// those of spec.DefaultEstimate count.
func (c *Counts) Tokens(prices *spec.Estimate) int64 {
	if prices == nil {
		prices = &spec.DefaultEstimate
	}
	sum := int64(milli - 1)
	for i, n := range c {
		sum += n * int64(prices[i])
	}
	return sum / milli
}

// Bytes counts the next raw bytes of a string.
func (e *Estimator) Bytes(raw []byte) {
	i := 0
	for i < len(raw) {
		if e.partial.kind != 0 {
			i = e.finish(raw, i)
			continue
		}
		switch c := classes[raw[i]]; c {
		case escape:
			i = e.escape(raw, i)
		case lead:
			i = e.sequence(raw, i)
		case cont:
			e.char(0xFFFD)
			i++
		default:
			if c != e.class {
				e.begin(c)
			}
			i = e.extend(raw, i, c)
		}
	}
}

// extend reads the run of class c at i to its end, and the words behind a word
// and a single space, which counts nothing, right away.
func (e *Estimator) extend(raw []byte, i int, c class) int {
	for {
		j := i + 1
		for j < len(raw) && classes[raw[j]] == c {
			j++
		}
		e.run += int64(j - i)
		if c != word || j+1 >= len(raw) || raw[j] != ' ' || classes[raw[j+1]] != word {
			return j
		}
		e.begin(word)
		i = j + 1
	}
}

// begin closes the current run and begins one of class c.
func (e *Estimator) begin(c class) {
	if e.run < shortRun {
		r := shortRuns[e.class][e.run]
		e.counts[e.class] += int64(r.units)
		e.counts[spec.ClassPieces] += int64(r.pieces)
	} else {
		e.counts[e.class] += units(e.class, e.run)
		e.counts[spec.ClassPieces] += pieces(e.class, e.run)
	}
	e.class, e.run = c, 0
}

// hanRun returns the end of the common Han characters, U+4E00 to U+9FFF, that begin at
// i and are complete.
func hanRun(raw []byte, i int) int {
	for ; i+3 <= len(raw); i += 3 {
		a, b, c := raw[i], raw[i+1], raw[i+2]
		if a-0xE4 > 0xE9-0xE4 || b&0xC0 != 0x80 || c&0xC0 != 0x80 || a == 0xE4 && b < 0xB8 {
			break
		}
	}
	return i
}

// sequence reads the UTF-8 sequence at i, or begins to.
func (e *Estimator) sequence(raw []byte, i int) int {
	if end := hanRun(raw, i); end > i {
		if e.run > 0 {
			e.begin(word)
		}
		e.counts[spec.ClassHan] += int64(end-i) / 3
		return end
	}
	b := raw[i]
	if b>>4 == 0xE && i+3 <= len(raw) && classes[raw[i+1]] == cont && classes[raw[i+2]] == cont {
		e.char(uint32(b&0x0F)<<12 | uint32(raw[i+1]&0x3F)<<6 | uint32(raw[i+2]&0x3F))
		return i + 3
	}
	e.partial = partial{kind: lead, need: 1, r: uint32(b & 0x1F)}
	if b >= 0xE0 {
		e.partial.need, e.partial.r = 2, uint32(b&0x0F)
	}
	if b >= 0xF0 {
		e.partial.need, e.partial.r = 3, uint32(b&0x07)
	}
	return i + 1
}

// escape reads the escape at i, or begins to.
func (e *Estimator) escape(raw []byte, i int) int {
	if i+6 <= len(raw) && raw[i+1] == 'u' {
		a, b, c, d := hex[raw[i+2]], hex[raw[i+3]], hex[raw[i+4]], hex[raw[i+5]]
		if a|b|c|d < 16 {
			e.char(uint32(a)<<12 | uint32(b)<<8 | uint32(c)<<4 | uint32(d))
			return i + 6
		}
	}
	e.partial = partial{kind: escape}
	return i + 1
}

// finish reads the byte at i as part of the open character. A byte that cannot
// be one ends the character and is read again.
func (e *Estimator) finish(raw []byte, i int) int {
	p := &e.partial
	b := raw[i]
	switch {
	case p.kind == lead && classes[b] == cont:
		p.r = p.r<<6 | uint32(b&0x3F)
	case p.kind == escape && p.need > 0 && hex[b] < 16:
		p.r = p.r<<4 | uint32(hex[b])
	case p.kind == escape && p.need == 0:
		e.short(b)
		return i + 1
	default:
		e.partial = partial{}
		e.char(0xFFFD)
		return i
	}
	if p.need--; p.need == 0 {
		r := p.r
		e.partial = partial{}
		e.char(r)
	}
	return i + 1
}

// short reads the letter of an escape.
func (e *Estimator) short(b byte) {
	if b == 'u' {
		e.partial = partial{kind: escape, need: 4}
		return
	}
	e.partial = partial{}
	switch b {
	case 'n', 'r', 't', 'b', 'f':
		e.one(space)
		e.run++ // a line break is a token even where it stands alone
	default:
		e.one(punct)
	}
}
