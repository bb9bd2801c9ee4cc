package spec

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// reader walks over one JSON text that a Scanner has accepted, so it checks types
// and names and no syntax. The first problem stays in err and ends every loop.
//
// It works in the filter's small heap, which never shrinks: lists are counted before
// they are made, strings and lists of strings share pieces of memory, and objects
// are read without closures.
type reader struct {
	trail
	text    []byte
	at      int
	objects [maxNesting]object // that one is in
	depth   int                // how many
	member  string             // name of the member whose value comes next
	letters []byte             // a piece for strings to come: what is free of it
	slots   []string           // one for lists of strings
	tables  *Tables            // for automata
}

// Sizes of the pieces. A small string of its own would take twice its length. But
// TinyGo's collector walks from every pointer to the begin of the piece that it
// points into, so pieces of the size of the document would take it seconds.
const (
	letterPiece = 2 << 10
	slotPiece   = 256
)

// nesting of a document: the deepest is limits[].semantic.models[].model.
const maxNesting = 8

// newReader checks the syntax of a whole text.
func newReader(text []byte, tables *Tables) *reader {
	r := &reader{text: text, tables: tables}
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
//
//go:noinline
func (r *reader) peek() byte {
	for r.text[r.at] <= ' ' {
		r.at++
	}
	return r.text[r.at]
}

// expect says whether a value of the type that starts with c comes next.
//
//go:noinline
func (r *reader) expect(c byte, kind string) bool {
	if r.err == nil && r.peek() != c {
		r.fail("must be " + kind)
	}
	return r.err == nil
}

// fields are the names of all fields of a document, so that one is found without
// memory for its name and seen twice by its index.
var fields = [...]string{
	"aliases", "baseMilli", "cachedMilli", "capacity", "defaultKMilli", "defaultOutput", "entities", "estimate", "evidence", "floorMilli", "graceMs", "grpc", "hash",
	"header", "holdLimit", "inFlight", "inputMilli", "kMilli", "key", "kind", "lease", "leastOutput", "limits", "maxDepth", "maxTokens", "missing", "mode",
	"model", "models", "name", "onFailure", "outputMilli", "overflow", "overrides", "per", "record", "redactions", "refillMilli", "renames", "requests",
	"rules", "salt", "scope", "semantic", "settings", "stop", "tenantHeader", "tokens", "tokensPerUnit", "window",
	"trustedPeers", "userHeader", "value", "version", "versionHeader", "versions", "workerHoldLimit",
	"attributes", "trees", "threshold", "skip", "holdBytes", "encodings", "directions", "shape", "basis",
	"custom", "automaton", "partOfWord",
}

// object is an object that is being read.
type object struct {
	in   bool // the trail is in one of its members
	seen [(len(fields) + 63) / 64]uint64
}

// object begins an object; a loop over next reads its members.
//
//go:noinline
func (r *reader) object() {
	r.objects[r.depth] = object{}
	r.depth++
	if r.expect('{', "an object") {
		r.at++
	}
}

// next goes on to the value of the next member, which is read or found unknown. It
// says whether there is one and all is well; if not, the object is over.
//
//go:noinline
func (r *reader) next() bool {
	o := &r.objects[r.depth-1]
	if o.in {
		r.out()
		o.in = false
	}
	if r.err == nil && r.peek() != '}' {
		o.in = true
		if i := r.name(); i >= 0 {
			if o.seen[i/64]>>(i%64)&1 != 0 {
				r.fail("stands here twice")
				return r.next()
			}
			o.seen[i/64] |= 1 << (i % 64)
		}
		return true
	}
	r.at++
	r.depth--
	return false
}

// name reads the name of a member, goes into it and returns the field's index, or -1.
//
//go:noinline
func (r *reader) name() (field int) {
	if r.text[r.at] == ',' {
		r.at++
	}
	raw, escaped := r.raw()
	r.peek()
	r.at++ // the colon
	if field = known(raw); field >= 0 {
		r.member = fields[field]
	} else {
		r.member = r.keep(unescape(raw, escaped))
		field = known([]byte(r.member))
	}
	r.in(r.member)
	return field
}

// unknown refuses the member that the trail is in.
//
//go:noinline
func (r *reader) unknown() { r.fail("unknown field") }

// known returns the index of the field of this name, -1 if there is none.
//
//go:noinline
func known(raw []byte) int {
	for i, f := range fields {
		if len(f) == len(raw) && equal(raw, f) {
			return i
		}
	}
	return -1
}

func equal(b []byte, s string) bool {
	for i, c := range b {
		if c != s[i] {
			return false
		}
	}
	return true
}

// list reads a list of at most high items, each by item, into the memory of old if
// it is enough.
func list[T any](r *reader, old []T, high int, item func(r *reader, v *T)) []T {
	n := r.list(high)
	if n > cap(old) {
		old = make([]T, n)
	}
	return fill(r, old[:n], item)
}

//go:noinline
func (r *reader) strings(high int) []string {
	return fill(r, r.cut(r.list(high)), func(r *reader, v *string) { *v = r.string() })
}

// list begins a list and returns how many items it has.
//
//go:noinline
func (r *reader) list(high int) int {
	if !r.expect('[', "a list") {
		return 0
	}
	r.at++
	n := r.count()
	r.atMost(n, high)
	if r.err != nil {
		return 0
	}
	return n
}

// count returns how many items are left of the list that one is in.
//
//go:noinline
func (r *reader) count() int {
	if r.peek() == ']' {
		return 0
	}
	n, depth := 1, 0
	for at := r.at; ; at++ {
		switch r.text[at] {
		case '"':
			at = r.closing(at + 1)
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return n
			}
			depth--
		case ',':
			if depth == 0 {
				n++
			}
		}
	}
}

// closing returns where the string ends whose content begins at at.
func (r *reader) closing(at int) int {
	for ; r.text[at] != '"'; at++ {
		if r.text[at] == '\\' {
			at++
		}
	}
	return at
}

// fill reads the items of a list that was begun; an empty one is nil.
func fill[T any](r *reader, all []T, item func(r *reader, v *T)) []T {
	for i := range all {
		if r.err != nil {
			return nil
		}
		if r.peek() == ',' {
			r.at++
		}
		r.item(i)
		item(r, &all[i])
		r.out()
	}
	if r.err == nil {
		r.peek()
		r.at++
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// cut takes a list of n strings from a piece.
//
//go:noinline
func (r *reader) cut(n int) []string {
	if n > slotPiece/4 {
		return make([]string, n)
	}
	if n > len(r.slots) {
		r.slots = make([]string, slotPiece)
	}
	all := r.slots[:n:n]
	r.slots = r.slots[n:]
	return all
}

// keep copies a string into a piece.
//
//go:noinline
func (r *reader) keep(s []byte) string {
	if len(s) > letterPiece/4 {
		return string(s)
	}
	if len(s) > len(r.letters) {
		r.letters = make([]byte, letterPiece)
	}
	copied := r.letters[:copy(r.letters, s)]
	r.letters = r.letters[len(copied):]
	return unsafe.String(unsafe.SliceData(copied), len(copied))
}

//go:noinline
func (r *reader) string() string {
	if !r.expect('"', "a string") {
		return ""
	}
	return r.keep(unescape(r.raw()))
}

// raw reads the string that comes next, and says whether there are escapes in it.
//
//go:noinline
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

func unescape(raw []byte, escaped bool) []byte {
	if !escaped {
		return raw
	}
	var u jsonscan.Unescaper
	text, _ := u.Append(make([]byte, 0, len(raw)), raw)
	text, _ = u.Finish(text)
	return text
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

//go:noinline
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
//
//go:noinline
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
//
//go:noinline
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
