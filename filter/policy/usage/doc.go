// Package usage reads from an answer, while it passes, how many tokens it cost:
// from JSON answers, from messages of the Open Inference Protocol over gRPC and from
// streams of server-sent events, of OpenAI's chat and text completions, embeddings and Responses, of Anthropic's messages and
// of whoever speaks their language. Where the answer does not say, it counts the
// text that came.
//
// A Scanner takes the answer in pieces of any size and changes nothing but one
// thing, if it is asked to: it cuts out the event that only exists because the
// gateway, and not the client, asked for the usage. It is a value of fixed size
// and never allocates.
package usage

// Format is how an answer is read.
type Format uint8

// Formats.
const (
	Opaque  Format = iota // not read: its bytes are counted
	JSON                  // one JSON value
	Events                // server-sent events, each with a JSON value
	Message               // a ModelInferResponse of the Open Inference Protocol, over gRPC
)

// Usage is what an answer said about its cost.
type Usage struct {
	Input  int64 // tokens of the prompt, the cached ones among them
	Cached int64 // of these, tokens that the upstream had in a cache
	Output int64 // tokens of the answer

	// HasInput and HasOutput say which of the two were said. Output is only taken
	// from a final report: Anthropic's begins with a provisional one.
	HasInput, HasOutput bool
}

// Passage is what of a piece goes on to the client, in this order: Before, the
// piece up to From, and the piece from To up to its end less Tail. A piece that
// goes on as it is has an empty Passage.
type Passage struct {
	Before   []byte // of earlier pieces, valid until the next call
	From, To int    // what of the piece is cut out
	Tail     int    // how much of its end waits for the next piece
	Stopped  bool   // the Meter wants no more: behind this piece's part comes the end
}

// until makes out the passage of a piece of n bytes of which nothing goes on from at on.
func (p *Passage) until(at, n int) {
	if p.To > 0 && p.To <= at {
		p.Tail = n - at
	} else {
		p.From, p.To, p.Tail = at, n, 0
	}
	p.Stopped = true
}

// Unchanged says whether the piece goes on as it is.
func (p *Passage) Unchanged() bool { return len(p.Before) == 0 && p.To == 0 && p.Tail == 0 }

// holdBytes bounds how much of an event waits until it is known whether the event
// is the one to cut out. The longest beginning of such an event that servers are
// known to write has 400 bytes.
const holdBytes = 1024

// most is the largest number of tokens that is believed.
const most = 1<<40 - 1

// bytesPerToken is how an answer that cannot be read is counted.
const bytesPerToken = 4
