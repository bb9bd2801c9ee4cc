package engine

import (
	"github.com/weirmesh/weir/filter/policy/oip"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// rpcAnswer holds the message of an answer over gRPC until it is whole, because its
// begin says how long it is, and then lets it out redacted.
type rpcAnswer struct {
	on       bool
	done     bool
	restorer redact.Restorer
}

// beginMessage makes the answer a message that is rewritten.
func (s *Stream) beginMessage() {
	s.rpcAnswer.on, s.rpcAnswer.done = true, false
	s.rpc.scanner.Reset(oip.Answer)
	s.out.release()
}

// passMessage takes the next bytes of the message, and lets all of it go on when it is
// whole.
func (s *Stream) passMessage(p []byte, out Output) {
	before := s.out.held.Len()
	err := s.rpc.scanner.Scan(p, &s.rpcAnswer)
	if err == nil {
		err = s.out.held.Append(p)
	}
	if err == nil && s.rpc.scanner.Close() == nil {
		err = s.rewriteMessage()
		s.rpcAnswer.done = err == nil
	}
	switch {
	case s.out.session.Blocked():
		s.got.fault = AnswerBlocked
	case err == nil && !s.rpcAnswer.done:
		return
	case err == nil:
	case s.redaction().OnFailure == spec.FailOpen:
		s.got.fault, s.unscanned, s.got.rewriting = AnswerPassed, true, false
	default:
		s.got.fault = AnswerBroken
	}
	if s.got.fault < AnswerRefused {
		taken := s.out.held.Len() - before // of p; a message that was rewritten has all of it
		s.letMessage(out)
		if err != nil {
			_ = out.Write(p[taken:])
		}
	}
	s.out.release()
}

// endMessage is called when no more comes: what is held is no whole message.
func (s *Stream) endMessage(out Output) {
	switch {
	case s.rpcAnswer.done || s.out.held.Len() == 0:
	case s.redaction().OnFailure == spec.FailOpen:
		s.got.fault, s.unscanned = AnswerPassed, true
		s.letMessage(out)
	default:
		s.got.fault = AnswerBroken
	}
	s.out.release()
}

// letMessage lets what is held go on.
func (s *Stream) letMessage(out Output) {
	for i := range s.out.held.Blocks() {
		_ = out.Write(s.out.held.Block(i))
	}
}

// rewriteMessage redacts the message that is held.
func (s *Stream) rewriteMessage() error {
	p, b := &s.out, &s.rpcBody
	p.keepCounts()
	*b = rpcBody{redactor: &p.redactor, scanner: &s.rpc.scanner, out: &p.raw, restorer: &s.rpcAnswer.restorer}
	b.restorer.Reset(&p.session, b, 0)
	p.redactor.Reset(s.answerRules(), &p.session, b.restorer)
	err := b.scanner.Rewrite(b.out)
	if err == nil {
		err = p.reread(b)
	}
	b.scanner.Rewrote()
	p.replaced(err == nil && (p.redactor.Edited() || p.session.HasTokens()))
	return err
}

// Start is part of oip.Sink, like the methods below: until the message is whole, nothing
// of it matters but where it ends.
func (*rpcAnswer) Start(oip.Field) {}

// Bytes skips a text.
func (*rpcAnswer) Bytes([]byte) {}

// End ends it.
func (*rpcAnswer) End() error { return nil }

// Parameter skips a parameter.
func (*rpcAnswer) Parameter([]byte, *oip.Value) error { return nil }
