// Package oip reads messages of the Open Inference Protocol's gRPC service as they
// pass: frames of gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)
// around protocol buffers (https://protobuf.dev/programming-guides/encoding/), in
// pieces of any size. It finds the names of model and version, the parameters of the
// request and the texts of BYTES tensors, and skips all else.
//
// A Scanner is a value of fixed size that never allocates, and it copies nothing but
// what is named and short. It is stricter than a parser must be: a name or parameter
// that stands in a message twice is refused, because it would be a way around what
// the first one says, and groups, which no version of the protocol has, are refused.
//
// A message that was read can be rewritten: read once more, with all its bytes let out
// but for texts and strings, which the sink lets out as it likes. All lengths around
// them are corrected. Those come out one byte wider than they were, because they come
// out before what they count: varints may have leading zeros.
package oip

// Service begins the paths of the protocol's methods.
const Service = "/inference.GRPCInferenceService/"

// Kind is what a message is.
type Kind uint8

// Kinds of messages.
const (
	Empty   Kind = iota // nothing of it matters: ServerLiveRequest and its like
	Named               // ModelReadyRequest, ModelMetadataRequest
	Request             // ModelInferRequest
	Answer              // ModelInferResponse
)

// Field is a text in a message that a Sink is shown.
type Field uint8

// Fields.
const (
	Model   Field = iota // name of the model
	Version              // its version
	Text                 // an element of a BYTES tensor
	Param                // the string of a parameter; only while a message is rewritten
)

// Sink receives what a Scanner finds. An error ends the scan. Spans are valid only
// during the call.
type Sink interface {
	// Start, Bytes and End carry a text, in any number of pieces, none for an empty
	// one.
	Start(f Field)
	Bytes(p []byte)
	End() error
	// Parameter is a parameter of the whole message, after its end. The name is cut
	// at maxName bytes and then no name that matters.
	Parameter(name []byte, v *Value) error
}

// ValueKind is the type of a parameter's value.
type ValueKind uint8

// Types of values.
const (
	None ValueKind = iota // the parameter has no value
	Bool
	Int
	Uint
	Double
	String
)

// Value is a parameter's value, valid during the call.
type Value struct {
	Kind ValueKind
	Bits uint64 // of all but String: 0 or 1, two's complement, the number, IEEE 754
	Text []byte // of String
	Over bool   // the string is longer than MaxText; Text is its begin
}

// MaxText bounds the strings of parameters, in bytes.
const MaxText = 512

// maxName is longer than every parameter that matters.
const maxName = 32

// Error is why a message was refused. Scanner.Offset says where.
type Error uint8

// Reasons to refuse a message.
const (
	ErrFlag       Error = iota + 1 // the first byte of a frame is neither 0 nor 1
	ErrCompressed                  // the frame is compressed
	ErrTruncated                   // the body ends within a message
	ErrMissing                     // there is no message
	ErrSecond                      // bytes follow the one message
	ErrVarint                      // a number of more than 64 bits
	ErrTag                         // a field of number 0 or of a type that there is not
	ErrLength                      // a field that is longer than what it stands in
	ErrTwice                       // a name or parameter stands there twice
	ErrTensors                     // more tensors than a message that is rewritten may have
)

var reasons = [...]string{
	"", "the frame begins with neither 0 nor 1", "the frame is compressed", "it ends too early", "there is none",
	"more bytes follow it", "a number is too long", "a field has no valid type", "a field is longer than what it stands in",
	"a field that may stand there once stands there twice", "it has more than 64 tensors",
}

// Error is the reason as a part of a sentence about the message.
func (e Error) Error() string { return reasons[e] }
