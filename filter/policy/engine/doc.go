// Package engine decides about one request at a time: which model and version it
// is for, what it costs and whether the budget allows that, which personal data
// in it is replaced, and what the client is told if it may not pass. It is the one
// entry point to the policy packages for the plugin, the dry run and the tests.
//
// Compile turns a policy document into a Program, which is immutable and shared
// by all streams of a worker. A Stream is the state of one request. It is used as
// follows, and again after Reset:
//
//	s.Reset(program, host)
//	s.Header(name, value)  // each request header, lower-case, :method and :path too
//	s.Headers(end)         // Hold: go on with Body; Forward or Reply: see there
//	s.Body(p, end)         // until it says Forward or Reply
//	s.ResponseHeader(name, value), s.ResponseHeaders(end), s.ResponseBody(p),
//	s.ResponseEnd()        // where Reads says so
//	s.Finish(cause)        // however the stream ends
//	s.Release()
//
// Nothing is allocated while requests pass, once pool and streams are warm. The
// package has no clock and no random numbers: it asks its Host.
package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// Host is what a Stream needs to know from outside. Every call may be dear, so
// each is made only when it matters.
type Host interface {
	// Now returns the time in Unix nanoseconds.
	Now() int64
	// Random returns a random number, without secrecy.
	Random() uint64
	// Keys are the secrets for what is made of personal data. They may change between
	// requests alone.
	Keys() *redact.Keys
	// Peer returns the SPIFFE ID that the downstream proved, nil if it proved none.
	// It is read at once and not kept.
	Peer() []byte
	// Property returns a property of the stream by its path, whose parts are joined by
	// zero bytes; nil if there is none. It is read at once and not kept.
	Property(path string) []byte
	// Store charges budgets.
	bucket.Store
}

// Action says what the caller has to do with the stream.
type Action uint8

// Actions.
const (
	// Hold: nothing goes upstream yet. The bytes given were taken: empty the buffer
	// that they came from.
	Hold Action = iota
	// Forward: apply Edits (the first time), and let headers and body go on. If
	// Rewritten, replace the bytes by those in Held.
	Forward
	// Reply: answer with Reply. After an earlier Forward this cuts the upstream.
	Reply
)

// Op is what an Edit does.
type Op uint8

// Operations on headers.
const (
	Remove Op = iota // all values of the header
	Set              // replace all values by one
	Append           // add one to the values that there are
	Merge            // replace all values by Value and what AppendBaggage takes of them
)

// Edit changes a header. Name and Value are valid until the stream is reset.
type Edit struct {
	Op    Op
	Name  string // lower-case
	Value []byte // of Set and Append
}

// ReplyMessage is a local answer. It is valid until the stream is reset or released.
type ReplyMessage struct {
	Status  int // HTTP status, which gRPC clients do not see
	Headers []Edit
	Body    []byte
	Details string // response code details: weir_ and the code
	Code    string // the error's code (docs/ARCHITECTURE.md), or CodeOK
	GRPC    int32  // status for a gRPC client, who reads Body as its message; NoGRPC for others
}

// NoGRPC stands for no gRPC status.
const NoGRPC = -1

// Headers that the engine sets.
const (
	HeaderModel   = "x-weir-model"
	HeaderBucket  = "x-weir-bucket"
	HeaderVersion = "x-weir-version"
	// HeaderDecision is what was decided, upstream and in the response.
	HeaderDecision = "x-weir-decision"
	// HeaderNameAt says where the model's name stands, for versions that call it
	// otherwise: "/" and the segment of the path, or "from-to/length" in bytes of the
	// body as it goes upstream, with the body's length if it has a content-length.
	HeaderNameAt = "x-weir-name-at"
	// HeaderCoded is set by Envoy on requests whose body it decompresses before.
	HeaderCoded = "x-weir-coded"
)

// headerPrefix begins the headers that no client may send.
const headerPrefix = "x-weir-"

// Headers that trusted peers may send.
const (
	headerTrustedModel       = "x-model"
	headerTrustedMaxTokens   = "x-max-tokens"
	headerTrustedTemperature = "x-temperature"
)

// Counts are the numbers of values replaced, by spec.EntityKind.
type Counts = [redact.Kinds]uint32
