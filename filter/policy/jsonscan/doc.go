// Package jsonscan is a resumable JSON tokenizer (RFC 8259). It takes a text in
// pieces of any size and hands a Sink the spans of the raw bytes, so that the
// spans put end to end are the text itself: whatever a sink does not change
// stays as the client wrote it, white space and duplicate keys included.
//
// A Scanner is a value of fixed size that never allocates. It is stricter than
// the grammar alone: nesting is bounded, and a string must be valid UTF-8 (a
// lone surrogate may stand only as an escape). The rest is the grammar: control
// characters inside strings, a leading byte order mark and bytes after the value
// are refused.
//
// The package imports encoding/binary, math/bits and unicode/utf8 only: it runs
// inside the wasm module.
package jsonscan

// Sink receives what a Scanner reads. An error stops the scan and is returned by
// Scan as it is. Spans are valid only during the call.
//
// Structure, KeyBytes, StringBytes and Scalar carry the bytes, in order and
// without gaps; the other methods are events between them. A string or scalar
// that crosses a piece's end arrives in several spans.
type Sink interface {
	// Structure takes bytes outside of keys, strings and scalars: brackets,
	// commas, colons, white space and the quotes around strings.
	Structure(raw []byte) error
	// Begin says that an object or array was opened; the outermost has depth 1.
	// Its bracket may reach Structure later.
	Begin(object bool, depth int) error
	// End says that the container of this depth was closed.
	End(depth int) error

	// KeyStart, KeyBytes and KeyEnd carry the content of an object's key.
	KeyStart() error
	KeyBytes(raw []byte) error
	KeyEnd() error

	// StringStart, StringBytes and StringEnd carry the content of a string value,
	// without its quotes and with its escapes.
	StringStart() error
	StringBytes(raw []byte) error
	StringEnd() error

	// Scalar and ScalarEnd carry a number, true, false or null.
	Scalar(raw []byte) error
	ScalarEnd() error
}

// MaxDepth is the deepest nesting that a Scanner can be told to accept.
const MaxDepth = 512

// Error is why a text was refused. Scanner.Offset says where.
type Error uint8

// Reasons to refuse a text.
const (
	ErrSyntax   Error = iota + 1 // a byte that the grammar does not allow here
	ErrDepth                     // nested deeper than the limit
	ErrUTF8                      // a string that is not valid UTF-8
	ErrControl                   // an unescaped control character in a string
	ErrEscape                    // an escape that JSON does not have
	ErrTrailing                  // bytes after the value
	ErrEnd                       // the text ended inside the value
)

// Error says the reason in words that fit into an answer to the client.
func (e Error) Error() string {
	switch e {
	case ErrSyntax:
		return "unexpected character"
	case ErrDepth:
		return "nested too deep"
	case ErrUTF8:
		return "string is not valid UTF-8"
	case ErrControl:
		return "control character in a string"
	case ErrEscape:
		return "unknown escape in a string"
	case ErrTrailing:
		return "more bytes after the JSON value"
	case ErrEnd:
		return "unexpected end of the JSON text"
	}
	return "malformed JSON"
}
