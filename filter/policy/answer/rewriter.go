package answer

import (
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// Output takes what goes on, in order. It must not keep p.
type Output = redact.Output

// Rewriter rewrites one answer. Use Bind once and Reset before each answer; Release
// gives back what it holds.
type Rewriter struct {
	rules   *redact.Rules
	session *redact.Session
	desk    *Desk
	out     Output
	format  Format
	hold    int
	open    bool // what cannot be read goes on as it is
	ids     bool // no string is left alone
	opening opening
	problem Problem
	whole   bool // what goes on waits until its event is whole

	// Of a stream.
	frame frameReader
	held  hold.Buffer // an event of which the end is still to come
	lanes [MaxLanes]*lane
	count int
	clock uint32
	serials

	// Of what is read string by string as it comes.
	reader reader
}

// Bind has the Rewriter hold events in pool.
func (r *Rewriter) Bind(pool *hold.Pool) { r.held.Init(pool, maxEvent) }

// Options say how an answer is rewritten.
type Options struct {
	Desk    *Desk // of the worker
	Format  Format
	Rules   *redact.Rules   // nil: nothing is redacted
	Session *redact.Session // of the request
	Hold    int             // most raw bytes of a text that are held back
	// Guess reads as Events what is said to be another format and begins like them.
	Guess bool
	// Open lets what cannot be read go on as it is. Otherwise nothing goes on behind
	// it, and Problem says why.
	Open bool
	// Identifiers has identifiers and words of the protocol read as well, outside of
	// streams: of a document of which nobody knows that it is an API's.
	Identifiers bool
}

// Reset makes r ready for an answer.
func (r *Rewriter) Reset(o *Options) {
	r.Release()
	r.desk, r.hold, r.ids = o.Desk, o.Hold, o.Identifiers
	r.rules, r.session, r.format, r.open, r.problem, r.clock = o.Rules, o.Session, o.Format, o.Open, None, 0
	r.serials, r.opening = serials{}, opening{known: !o.Guess || o.Format == Events || o.Format == Lines}
	r.frame.reset()
	r.reader.reset(r)
}

// Release gives back what is held, and forgets the rules.
func (r *Rewriter) Release() {
	for r.count > 0 {
		r.drop(r.count - 1)
	}
	r.held.Release()
	r.rules, r.session, r.out, r.whole = nil, nil, nil, false
	r.reader.text.release()
}

// Problem says why the answer could not be rewritten. Unless it is to go on as it is,
// nothing goes on behind it.
func (r *Rewriter) Problem() Problem { return r.problem }

// Write takes the next piece of the answer and writes what of it goes on to out.
func (r *Rewriter) Write(p []byte, out Output) {
	if r.stopped() || len(p) == 0 {
		return
	}
	r.out = out
	if !r.opening.known {
		p = r.guess(p)
	}
	r.read(p)
	r.out = nil
}

func (r *Rewriter) read(p []byte) {
	if r.format != Text {
		p = r.skipMark(p)
	}
	switch {
	case len(p) == 0:
	case r.format == Events, r.format == Lines:
		r.stream(p)
	default:
		r.reader.read(p)
	}
}

// End ends the answer, and writes what is still held back.
func (r *Rewriter) End(out Output) {
	if r.stopped() {
		return
	}
	r.out = out
	r.opened()
	switch r.format {
	case Events, Lines:
		r.endStream()
	default:
		r.reader.end()
	}
	r.out = nil
}

// Holding says whether something is held back of what was written: of a text, or of an
// event that has not ended.
func (r *Rewriter) Holding() bool {
	if r.held.Len() > 0 || r.opening.waits() || r.reader.text.holding() {
		return true
	}
	for _, l := range r.lanes[:r.count] {
		if l.holding() {
			return true
		}
	}
	return false
}

// Whole says whether the answer ended where it might, and nothing of it is held back: that
// its JSON is complete, or that its stream has ended its events, and has said of all of
// its texts that they end. It is called in place of End.
func (r *Rewriter) Whole() bool {
	v := &r.reader
	switch {
	case v.raw:
		return true
	case r.format == JSON:
		return v.begun && v.scanner.Close(v) == nil
	case r.format == Text:
		return !v.text.holding()
	}
	return r.count == 0 && r.held.Len() == 0 && !r.frame.long
}

// Between says whether what was written last was an event to its end.
func (r *Rewriter) Between() bool { return !r.frame.long }

// stopped says whether nothing goes on any more.
//
//go:noinline
func (r *Rewriter) stopped() bool { return r.problem != None && !(r.open && r.problem != Blocked) }

// fail notes why the answer, or a part of it, cannot be rewritten. It returns whether
// it goes on as it is.
func (r *Rewriter) fail(why Problem) bool {
	if r.problem == None || why == Blocked {
		r.problem = why
	}
	return !r.stopped()
}

// blocked says whether a value was found that may not pass, and ends the answer then.
func (r *Rewriter) blocked() bool {
	if r.rules == nil || !r.session.Blocked() {
		return false
	}
	r.fail(Blocked)
	return true
}

// outlet is a Rewriter as the output of its redactors.
type outlet Rewriter

// Write is part of redact.Output.
func (o *outlet) Write(p []byte) error {
	(*Rewriter)(o).emit(p)
	return nil
}

// emit lets bytes out. What takes them keeps its own errors.
//
//go:noinline
func (r *Rewriter) emit(p []byte) {
	switch {
	case r.whole:
		r.desk.line = append(r.desk.line, p...)
	case len(p) > 0:
		_ = r.out.Write(p)
	}
}
