// Package tokens estimates how many tokens a model's tokenizer makes of a
// prompt, without the tokenizer.
//
// The estimate follows how byte-pair vocabularies cut text: words of ASCII
// letters in pieces of four, the first of up to six, numbers in groups of up to
// three digits, punctuation in pairs, runs of white space as one, a Han
// character as a little more than one token and a letter of another alphabet
// as half of one.
// It is meant for reserving a budget: cheap, free of surprises, and within a
// third for ordinary text; what a model then reports corrects it.
package tokens

// Prices in hundredths of a token.
const (
	centi       = 100
	priceHan    = 110
	priceScript = 50  // a letter of an alphabet other than ASCII's
	priceWide   = 100 // punctuation and symbols above ASCII, Kana, Hangul
	priceEmoji  = 200
	// priceMessage is what a chat template wraps around a message: the roles'
	// marks.
	priceMessage = 400
)

// class is what a byte, or the character that it begins, counts as.
type class uint8

const (
	none  class = iota // start of a string
	word               // ASCII letter
	digit              // ASCII digit
	punct              // other visible ASCII
	space              // white space and control characters
	wide               // a character above ASCII, priced at once

	runs // the classes above make runs; what those below are, the next bytes tell

	escape // backslash
	lead   // first byte of a UTF-8 sequence
	cont   // its other bytes
)

// Estimator counts the tokens of the strings that it is given, in chunks cut
// anywhere. It is a value; the zero value is ready. It takes raw JSON string
// content and understands its escapes; malformed input is counted, not refused.
type Estimator struct {
	centis int64
	run    int64 // length of the current run
	class  class // of the current run
	// partial is how far a character that is not complete has been read.
	partial partial
}

// partial is the state of reading an escape or a UTF-8 sequence.
type partial struct {
	kind class  // escape, lead, or none: nothing is open
	need uint8  // bytes to come; 0 in an escape whose letter is to come
	r    uint32 // code point so far
}

// Message counts what a chat template adds to one message.
func (e *Estimator) Message() { e.centis += priceMessage }

// StringStart begins a string.
func (e *Estimator) StringStart() { e.StringEnd() }

// StringEnd ends a string; a character that was cut off by it counts nothing.
func (e *Estimator) StringEnd() {
	e.begin(none)
	e.partial = partial{}
}

// Tokens returns the estimate for all strings so far, rounded up.
func (e *Estimator) Tokens() int64 {
	c := *e
	c.begin(none)
	return (c.centis + centi - 1) / centi
}

// Bytes counts the next raw bytes of a string.
func (e *Estimator) Bytes(raw []byte) {
	i := 0
	for i < len(raw) {
		if e.partial.kind != none {
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
// and a single space, which costs nothing, right away.
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
		e.centis += int64(runPrices[e.class][e.run])
	} else {
		e.centis += runPrice(e.class, e.run)
	}
	e.class, e.run = c, 0
}

// sequence reads the UTF-8 sequence at i, or begins to.
func (e *Estimator) sequence(raw []byte, i int) int {
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
