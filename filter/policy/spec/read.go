package spec

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// reader walks over one JSON text that a Scanner has accepted, so it checks types
// and names and no syntax. The first problem stays in err and ends every loop.
type reader struct {
	trail
	text []byte
	at   int
}

// nesting of a document: the deepest is limits[].semantic.models[].model.
const maxNesting = 8

// newReader checks the syntax of a whole text.
func newReader(text []byte) *reader {
	r := &reader{text: text}
	if len(text) > MaxDocumentBytes {
		r.fail("the document is larger than " + decimal(MaxDocumentBytes) + " bytes")
		return r
	}
	var s jsonscan.Scanner
	s.Reset(maxNesting)
	err := s.Scan(text, skip{})
	if err == nil {
		err = s.Close(skip{})
	}
	if err != nil {
		r.fail("malformed JSON at byte " + decimal(s.Offset()) + ": " + err.Error())
	}
	return r
}

// peek returns the next byte that is not white space.
func (r *reader) peek() byte {
	for r.text[r.at] <= ' ' {
		r.at++
	}
	return r.text[r.at]
}

// expect says whether a value of the type that starts with c comes next.
func (r *reader) expect(c byte, kind string) bool {
	if r.err == nil && r.peek() != c {
		r.fail("must be " + kind)
	}
	return r.err == nil
}

// fields are the names of all fields of a document, so that one is found without
// memory for its name and seen twice by a bit.
var fields = [...]string{
	"aliases", "baseMilli", "capacity", "defaultKMilli", "defaultOutput", "entities", "floorMilli", "header", "holdLimit",
	"kMilli", "key", "kind", "limits", "maxDepth", "maxTokens", "mode", "model", "models", "name", "onFailure", "overflow",
	"record", "redactions", "refillMilli", "rules", "salt", "semantic", "settings", "tenantHeader", "tokens", "tokensPerUnit",
	"trustedPeers", "userHeader", "value", "version", "versionHeader", "versions", "workerHoldLimit",
}

// object calls field for every member. Field reads the value, or returns false for
// a name that it does not know.
func (r *reader) object(field func(name string) bool) {
	if !r.expect('{', "an object") {
		return
	}
	r.at++
	var seen uint64
	for r.err == nil && r.peek() != '}' {
		if r.text[r.at] == ',' {
			r.at++
		}
		raw, escaped := r.raw()
		r.peek()
		r.at++ // the colon
		name, bit := known(raw)
		if bit == 0 {
			name = unescaped(raw, escaped)
			_, bit = known([]byte(name))
		}
		r.in(name)
		if seen&bit != 0 {
			r.fail("stands here twice")
		} else if !field(name) {
			r.fail("unknown field")
		}
		r.out()
		seen |= bit
	}
	r.at++
}

// known returns the field of this name and its bit, 0 if there is none.
func known(raw []byte) (name string, bit uint64) {
	for i, f := range fields {
		if len(f) == len(raw) && equal(raw, f) {
			return f, 1 << i
		}
	}
	return "", 0
}

func equal(b []byte, s string) bool {
	for i, c := range b {
		if c != s[i] {
			return false
		}
	}
	return true
}

// list reads an array whose items are read by item.
func list[T any](r *reader, item func(r *reader, v *T)) []T {
	if !r.expect('[', "a list") {
		return nil
	}
	r.at++
	var all []T
	for r.err == nil && r.peek() != ']' {
		if r.text[r.at] == ',' {
			r.at++
		}
		var v T
		r.item(len(all))
		item(r, &v)
		r.out()
		all = append(all, v)
	}
	r.at++
	return all
}

func (r *reader) strings() []string {
	return list(r, func(r *reader, v *string) { *v = r.string() })
}

func (r *reader) string() string {
	if !r.expect('"', "a string") {
		return ""
	}
	return unescaped(r.raw())
}

// raw reads the string that comes next, and says whether there are escapes in it.
func (r *reader) raw() (content []byte, escaped bool) {
	r.peek()
	r.at++
	start := r.at
	for ; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	r.at++
	return r.text[start : r.at-1], escaped
}

func unescaped(raw []byte, escaped bool) string {
	if !escaped {
		return string(raw)
	}
	var u jsonscan.Unescaper
	text, _ := u.Append(make([]byte, 0, len(raw)), raw)
	text, _ = u.Finish(text)
	return string(text)
}

// enum reads a name of an enumeration.
func enum[T any](r *reader, parse func(string) (T, error)) T {
	name := r.string()
	if r.err != nil {
		var zero T
		return zero
	}
	v, err := parse(name)
	if e, ok := err.(*Error); ok {
		r.fail(e.Problem)
	}
	return v
}

func (r *reader) bool() bool {
	if r.err != nil {
		return false
	}
	switch r.peek() {
	case 't':
		r.at += len("true")
		return true
	case 'f':
		r.at += len("false")
		return false
	}
	r.fail("must be true or false")
	return false
}

// integer reads a whole number that fits into an int64.
func (r *reader) integer() int64 {
	if r.err != nil {
		return 0
	}
	negative := r.peek() == '-'
	if negative {
		r.at++
	}
	if r.text[r.at]-'0' > 9 {
		r.fail("must be a whole number")
		return 0
	}
	var n int64
	for ; r.at < len(r.text) && r.text[r.at]-'0' <= 9; r.at++ {
		d := int64(r.text[r.at] - '0')
		if n > (1<<63-1-d)/10 {
			r.fail("is too large a number")
			return 0
		}
		n = n*10 + d
	}
	if c := r.text[r.at]; c == '.' || c|0x20 == 'e' {
		r.fail("must be a whole number")
	}
	if negative {
		return -n
	}
	return n
}

// size reads a whole number that fits into an int of 32 bits, which is what an
// int is inside the wasm module.
func (r *reader) size() int {
	n := r.integer()
	if n < -1<<31 || n > 1<<31-1 {
		r.fail("is too large a number")
		return 0
	}
	return int(n)
}

// skip is a sink that wants nothing.
type skip struct{}

func (skip) Structure([]byte) error   { return nil }
func (skip) Begin(bool, int) error    { return nil }
func (skip) End(int) error            { return nil }
func (skip) KeyStart() error          { return nil }
func (skip) KeyBytes([]byte) error    { return nil }
func (skip) KeyEnd() error            { return nil }
func (skip) StringStart() error       { return nil }
func (skip) StringBytes([]byte) error { return nil }
func (skip) StringEnd() error         { return nil }
func (skip) Scalar([]byte) error      { return nil }
func (skip) ScalarEnd() error         { return nil }
