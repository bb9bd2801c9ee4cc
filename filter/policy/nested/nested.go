// Package nested reads JSON that stands in a JSON string, as the arguments of a tool
// call do, without unescaping the string: of each string in the inner text it hands out
// the raw bytes of the outer one. Bytes that a caller lets through are so on both
// levels what they were.
//
// What does not begin as an object or a list is text and is handed out as one string.
// What begins so and turns out not to be JSON is text from there on.
package nested

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// Sink receives what a Scanner reads. Pass and StringBytes carry all bytes of the outer
// string's raw content, in order and without gaps, valid during the call. An error stops
// the scan and is returned as it is.
type Sink interface {
	// Pass takes bytes outside of the strings of the inner text, keys among them.
	Pass(raw []byte) error
	// StringStart, StringBytes and StringEnd carry a string value: raw content of the
	// outer string, with the escapes of both levels.
	StringStart()
	StringBytes(raw []byte) error
	StringEnd() error
}

// MaxKey bounds the names of members that Key tells.
const MaxKey = 64

// Scanner reads the raw content of one outer string, in pieces of any size. It has fixed
// size and never allocates. Use Reset before each string. What it is given was accepted
// by a jsonscan.Scanner as the content of a string.
type Scanner struct {
	sink Sink
	json jsonscan.Scanner
	mode mode

	// An escape of the outer string, perhaps with the one of its low surrogate.
	escape  [2 * escapeBytes]byte
	escaped int
	outer   jsonscan.Unescaper
	single  [utf8.UTFMax]byte // the character that it stands for
	spelled []byte            // how the character that the inner scanner is given is spelled, nil: as it is
	passed  int               // bytes of what that is given that the sink has

	open  bool // an inner string
	named int
	long  bool // the key is longer than any name
	name  [MaxKey]byte
	key   jsonscan.Unescaper
}

// mode is how the content is read.
type mode uint8

const (
	modeStart mode = iota // white space so far
	modeJSON
	modeText
)

const escapeBytes = 6 // \uXXXX

// Reset makes s ready for a string. Inner texts that nest deeper than maxDepth are text
// from there on.
func (s *Scanner) Reset(maxDepth int) {
	s.json.Reset(maxDepth)
	s.mode, s.escaped, s.open, s.named = modeStart, 0, false, 0
}

// Key returns the name of the inner member whose value is being read, or whose list that
// is. It is empty where there is none and for names longer than MaxKey bytes. It is
// valid until the next call of Bytes.
func (s *Scanner) Key() []byte { return s.name[:s.named] }

// Holding says whether bytes are held back that Bytes was given: of an escape.
func (s *Scanner) Holding() bool { return s.escaped > 0 }

// Bytes reads the next raw bytes of the outer string.
func (s *Scanner) Bytes(raw []byte, sink Sink) error {
	s.sink = sink
	err := s.scan(raw)
	s.sink = nil
	return err
}

// End ends the outer string.
func (s *Scanner) End(sink Sink) error {
	s.sink = sink
	err := s.characters(true) // a high surrogate may wait for its other half
	if err == nil && s.open {
		s.open = false
		err = sink.StringEnd()
	}
	s.sink = nil
	return err
}

func (s *Scanner) scan(raw []byte) error {
	for len(raw) > 0 {
		if s.mode == modeText {
			return s.sink.StringBytes(raw)
		}
		n := 0
		for s.escaped == 0 && n < len(raw) && raw[n] != '\\' {
			n++
		}
		var err error
		if n > 0 {
			err = s.feed(raw[:n], nil)
		} else {
			n, err = s.collect(raw)
		}
		if err != nil {
			return err
		}
		raw = raw[n:]
	}
	return nil
}

// collect takes bytes of an escape and returns how many.
//
//go:noinline
func (s *Scanner) collect(raw []byte) (n int, err error) {
	for n < len(raw) {
		if s.escaped == escapeBytes && raw[n] != '\\' {
			return n, s.characters(true) // no low surrogate follows
		}
		s.escape[s.escaped] = raw[n]
		s.escaped++
		n++
		if s.first(false) > 0 {
			return n, s.characters(false)
		}
	}
	return n, nil
}

// first returns the length of the first character in the escape, 0 if it may go on;
// final says that nothing follows.
func (s *Scanner) first(final bool) int {
	e := s.escape[:s.escaped]
	switch {
	case len(e) < 2:
		return 0
	case e[1] != 'u':
		return 2
	case len(e) < escapeBytes:
		return 0
	case !surrogate(e, "89ab"), len(e) > escapeBytes+1 && e[escapeBytes+1] != 'u':
		return escapeBytes
	case len(e) == len(s.escape):
		if surrogate(e[escapeBytes:], "cdef") {
			return len(e)
		}
		return escapeBytes
	case final && len(e) == escapeBytes:
		return escapeBytes
	}
	return 0
}

// surrogate says whether the escape \uXXXX is one whose second digit is one of these.
func surrogate(e []byte, digits string) bool {
	if e[2]|0x20 != 'd' {
		return false
	}
	for i := range len(digits) {
		if e[3]|0x20 == digits[i] || e[3] == digits[i] {
			return true
		}
	}
	return false
}

// characters feeds those that the escape stands for.
func (s *Scanner) characters(final bool) error {
	for {
		n := s.first(final)
		if n == 0 {
			return nil
		}
		s.outer.Reset()
		text, _ := s.outer.Append(s.single[:0], s.escape[:n])
		text, _ = s.outer.Finish(text)
		if err := s.feed(text, s.escape[:n]); err != nil {
			return err
		}
		s.escaped = copy(s.escape[:], s.escape[n:s.escaped])
	}
}

// feed gives bytes of the inner text to its scanner: those of the outer string, or a
// character that is spelled as an escape there.
func (s *Scanner) feed(text, spelled []byte) error {
	s.spelled, s.passed = spelled, 0
	for i := 0; s.mode == modeStart && i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
		case '{', '[':
			s.mode = modeJSON
		default:
			return s.giveUp(text, i)
		}
	}
	before := s.json.Offset()
	err := s.json.Scan(text, (*inner)(s))
	if _, broken := err.(jsonscan.Error); broken {
		return s.giveUp(text, int(s.json.Offset()-before))
	}
	return err
}

// giveUp goes over to text at the byte of text that was refused. In a string, that goes
// on.
func (s *Scanner) giveUp(text []byte, refused int) error {
	s.mode = modeText
	if s.open {
		return s.sink.StringBytes(s.raw(text[s.passed:]))
	}
	if err := s.sink.Pass(s.raw(text[s.passed:refused])); err != nil {
		return err
	}
	s.open, s.named = true, 0
	s.sink.StringStart()
	return s.sink.StringBytes(s.raw(text[refused:]))
}

// raw returns the bytes of the outer string that stand for the next bytes of the inner
// text. All bytes of one character come at once, or the first of them stands for all.
func (s *Scanner) raw(text []byte) []byte {
	first := s.passed == 0 && len(text) > 0
	s.passed += len(text)
	switch {
	case s.spelled == nil:
		return text
	case first:
		return s.spelled
	}
	return nil
}

// inner is the Scanner as the sink of the inner text.
type inner Scanner

// pass lets bytes through that are no part of a string.
//
//go:noinline
func (s *inner) pass(text []byte) error {
	return s.sink.Pass((*Scanner)(s).raw(text))
}

func (s *inner) Structure(text []byte) error { return s.pass(text) }
func (s *inner) Scalar(text []byte) error    { return s.pass(text) }
func (s *inner) ScalarEnd() error            { return nil }
func (s *inner) Begin(bool, int) error       { return nil }

func (s *inner) End(int) error {
	s.named = 0
	return nil
}

func (s *inner) KeyStart() error {
	s.named, s.long = 0, false
	s.key.Reset()
	return nil
}

func (s *inner) KeyBytes(text []byte) error {
	if !s.long {
		name, full := s.key.Append(s.name[:s.named], text)
		s.named, s.long = len(name), full
	}
	return s.pass(text)
}

func (s *inner) KeyEnd() error {
	if !s.long {
		name, full := s.key.Finish(s.name[:s.named])
		s.named, s.long = len(name), full
	}
	if s.long {
		s.named = 0
	}
	return nil
}

func (s *inner) StringStart() error {
	s.open = true
	s.sink.StringStart()
	return nil
}

func (s *inner) StringBytes(text []byte) error {
	return s.sink.StringBytes((*Scanner)(s).raw(text))
}

func (s *inner) StringEnd() error {
	s.open = false
	return s.sink.StringEnd()
}
