package engine

import (
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/oip"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// rpcBody lets a message of the Open Inference Protocol out with its texts and strings
// redacted. It is the sink of the scanner that reads the message once more.
type rpcBody struct {
	redactor *redact.Redactor
	scanner  *oip.Scanner
	out      *hold.Buffer
	restorer *redact.Restorer // of an answer, nil in requests
	field    oip.Field
	err      error
}

// Write is what the redactor lets out.
func (b *rpcBody) Write(p []byte) error { return b.out.Append(p) }

// Start is part of oip.Sink, like the methods below.
func (b *rpcBody) Start(f oip.Field) {
	b.field = f
	if f == oip.Text || f == oip.Param {
		name := b.scanner.Name()
		if f == oip.Text {
			name = nil
		}
		b.redactor.Key(name)
		b.redactor.StringStart()
	}
}

// Bytes redacts texts and lets names through.
func (b *rpcBody) Bytes(p []byte) {
	err := b.err
	switch {
	case err != nil:
	case b.field == oip.Text || b.field == oip.Param:
		err = b.redactor.Bytes(p)
	default:
		err = b.out.Append(p)
	}
	b.err = err
}

// End ends a text.
func (b *rpcBody) End() error {
	if b.err == nil && (b.field == oip.Text || b.field == oip.Param) {
		b.err = b.redactor.StringEnd()
		if b.err == nil && b.restorer != nil {
			b.err = b.restorer.End()
		}
	}
	return b.err
}

// Parameter has been read before.
func (b *rpcBody) Parameter([]byte, *oip.Value) error { return nil }

// rewritesRPC says whether the request's message is to be redacted, for which it has to be
// held whole: its begin says how long it is.
func (s *Stream) rewritesRPC() bool {
	return s.body == bodyGRPC && s.route.inference && s.modelRules() != nil
}

// redactRPC redacts a message that is held whole, if rules ask for it.
func (s *Stream) redactRPC() bool {
	if !s.rewritesRPC() {
		return true
	}
	p, rules := &s.out, s.modelRules()
	p.redact(rules)
	b := &s.rpcBody
	*b = rpcBody{redactor: &p.redactor, scanner: &s.rpc.scanner, out: &p.raw}
	p.redactor.Reset(rules.values, &p.session, b)
	p.redactor.Escapes(0)
	err := b.scanner.Rewrite(b.out)
	if err == nil {
		err = p.reread(b)
	}
	b.scanner.Rewrote()
	p.replaced(err == nil && p.redactor.Edited())
	return err == nil || s.refuseBody(err)
}

// read reads a piece of the message once more.
func (b *rpcBody) read(p []byte) error { return b.scanner.Scan(p, b) }
