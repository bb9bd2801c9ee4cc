// Package jsonread reads JSON (RFC 8259) value by value from one slice of bytes, without building a tree and without
// passing numbers through float64. Request bodies of both APIs are read with it, because encoding/json matches field
// names without regard to case, takes the last of two equal keys, rounds large integers and knows no NaN.
//
// It imports the standard library only.
package jsonread

import (
	"fmt"
	"slices"
)

// MaxDepth is the deepest nesting of arrays and objects that a Cursor follows.
const MaxDepth = 64

// MaxKeys is the largest number of keys of an object. Each is remembered while the object is read, which takes many times
// the memory of the document where a stranger sends nothing but keys.
const MaxKeys = 4096

// SyntaxError says what is wrong in a document and at which byte.
type SyntaxError struct {
	// Offset is the index of the offending byte, from 0.
	Offset int
	// Reason is a phrase without the position.
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}

// ValueError says what is wrong with a value that is JSON, but not what should stand there.
type ValueError struct {
	// Offset is the index of a byte of the value, from 0.
	Offset int
	// Reason is a phrase without the position.
	Reason string
}

// Error implements error.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%s (at byte %d)", e.Reason, e.Offset)
}

// Kind is the kind of the value that comes next.
type Kind uint8

// The kinds of value. NotANumber covers the bare words NaN, Infinity and -Infinity, which are not JSON but are what
// Python's json module writes; only Cursor.Float accepts them.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
	NotANumber
)

var kindNames = [...]string{"nothing readable", "an object", "an array", "a string", "a number", "a boolean", "null", "NaN or Infinity"}

// String names the kind as in "an object".
func (k Kind) String() string { return kindNames[k] }

// Cursor is a position in a document. Each read method consumes one value. After an error a Cursor is of no further use.
type Cursor struct {
	b     []byte
	i     int
	depth int
}

// New returns a Cursor at the start of b, which it does not copy.
func New(b []byte) *Cursor { return &Cursor{b: b} }

// Left returns the number of unread bytes.
func (c *Cursor) Left() int { return len(c.b) - c.i }

// Offset returns the index of the next unread byte.
func (c *Cursor) Offset() int { return c.i }

// Errorf returns a ValueError at the Cursor's position.
func (c *Cursor) Errorf(format string, args ...any) error {
	return &ValueError{Offset: c.i, Reason: fmt.Sprintf(format, args...)}
}

func (c *Cursor) syntaxf(format string, args ...any) error {
	return &SyntaxError{Offset: c.i, Reason: fmt.Sprintf(format, args...)}
}

func (c *Cursor) space() {
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

// Kind tells what comes next, without consuming it.
func (c *Cursor) Kind() Kind {
	c.space()
	if c.i >= len(c.b) {
		return Invalid
	}
	switch ch := c.b[c.i]; ch {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	case 'N', 'I':
		return NotANumber
	case '-':
		if c.i+1 < len(c.b) && c.b[c.i+1] == 'I' {
			return NotANumber
		}
		return Number
	default:
		if ch >= '0' && ch <= '9' {
			return Number
		}
		return Invalid
	}
}

func (c *Cursor) expect(want Kind) error {
	got := c.Kind()
	if got == want {
		return nil
	}
	if c.i >= len(c.b) {
		return c.syntaxf("the document ends where %s should be", want)
	}
	if got == Invalid {
		return c.expectValue()
	}
	return c.Errorf("found %s where %s should be", got, want)
}

func (c *Cursor) enter() error {
	if c.depth++; c.depth > MaxDepth {
		return c.syntaxf("nested deeper than %d", MaxDepth)
	}
	c.i++
	c.space()
	return nil
}

// Object reads an object. For each member it calls value with the key; value must consume exactly the member's value.
// A key that occurs twice is an error, because readers disagree about which of the two counts.
func (c *Cursor) Object(value func(key string) error) error {
	if err := c.expect(Object); err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return err
	}
	var seen keys
	for first := true; ; first = false {
		done, err := c.separator('}', first)
		if done || err != nil {
			return err
		}
		at := c.i
		key, err := c.Text()
		if err != nil {
			return err
		}
		if seen.count++; seen.count > MaxKeys {
			return &SyntaxError{Offset: at, Reason: fmt.Sprintf("an object of more than %d keys", MaxKeys)}
		}
		if !seen.add(key) {
			return &SyntaxError{Offset: at, Reason: fmt.Sprintf("the key %q occurs twice", key)}
		}
		if err := c.colon(); err != nil {
			return err
		}
		if err := value(key); err != nil {
			return err
		}
	}
}

// Array reads an array and calls element for each element with its index; element must consume exactly that element.
func (c *Cursor) Array(element func(i int) error) error {
	if err := c.expect(Array); err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		done, err := c.separator(']', i == 0)
		if done || err != nil {
			return err
		}
		if err := element(i); err != nil {
			return err
		}
	}
}

// separator consumes the end of the container (done) or the comma before all elements but the first.
func (c *Cursor) separator(end byte, first bool) (done bool, err error) {
	c.space()
	if c.i >= len(c.b) {
		return false, c.syntaxf("the document ends inside an array or object")
	}
	switch {
	case c.b[c.i] == end:
		c.i++
		c.depth--
		return true, nil
	case first:
		return false, nil
	case c.b[c.i] != ',':
		return false, c.syntaxf("expected ',' or %q", end)
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == end {
		return false, c.syntaxf("a comma before %q", end)
	}
	return false, nil
}

func (c *Cursor) colon() error {
	c.space()
	if c.i >= len(c.b) || c.b[c.i] != ':' {
		return c.syntaxf("expected ':' after a key")
	}
	c.i++
	return nil
}

// Bool reads true or false.
func (c *Cursor) Bool() (bool, error) {
	if err := c.expect(Bool); err != nil {
		return false, err
	}
	if c.b[c.i] == 't' {
		return true, c.word("true")
	}
	return false, c.word("false")
}

// Null reads null.
func (c *Cursor) Null() error {
	if err := c.expect(Null); err != nil {
		return err
	}
	return c.word("null")
}

func (c *Cursor) word(w string) error {
	if len(c.b)-c.i < len(w) || string(c.b[c.i:c.i+len(w)]) != w {
		return c.syntaxf("expected %s", w)
	}
	c.i += len(w)
	return nil
}

// Skip consumes the next value, whatever it is, checks its syntax and returns its bytes.
func (c *Cursor) Skip() ([]byte, error) {
	kind := c.Kind()
	start := c.i
	var err error
	switch kind {
	case Object:
		err = c.Object(func(string) error { _, err := c.Skip(); return err })
	case Array:
		err = c.Array(func(int) error { _, err := c.Skip(); return err })
	case String:
		err = c.skipText()
	case Number:
		_, err = c.literal()
	case Bool:
		_, err = c.Bool()
	case Null:
		err = c.Null()
	case NotANumber:
		_, err = c.notANumber()
	default:
		err = c.expectValue()
	}
	if err != nil {
		return nil, err
	}
	return c.b[start:c.i], nil
}

func (c *Cursor) expectValue() error {
	if c.i >= len(c.b) {
		return c.syntaxf("the document ends where a value should be")
	}
	return c.syntaxf("no value starts with %q", c.b[c.i])
}

// End checks that nothing but white space is left.
func (c *Cursor) End() error {
	c.space()
	if c.i < len(c.b) {
		return c.syntaxf("something follows the end of the document")
	}
	return nil
}

// keys is a set that costs nothing for the few keys of an ordinary object and stays linear for a stranger's.
type keys struct {
	few   []string
	many  map[string]struct{}
	count int
}

func (k *keys) add(key string) bool {
	const few = 16
	if k.many == nil && len(k.few) < few {
		if slices.Contains(k.few, key) {
			return false
		}
		k.few = append(k.few, key)
		return true
	}
	if k.many == nil {
		k.many = make(map[string]struct{}, 2*few)
		for _, s := range k.few {
			k.many[s] = struct{}{}
		}
	}
	if _, dup := k.many[key]; dup {
		return false
	}
	k.many[key] = struct{}{}
	return true
}
