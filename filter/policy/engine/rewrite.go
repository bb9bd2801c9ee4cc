package engine

import (
	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/usage"
)

// Codes of what is said instead of answers.
const (
	CodeUnreadableAnswer = "unreadable_answer"
	CodeBlockedAnswer    = "blocked_answer"
)

var (
	unreadableAnswer = refusal{502, typeServer, CodeUnreadableAnswer, "weir_unreadable_answer"}
	blockedAnswer    = refusal{403, typeRequest, CodeBlockedAnswer, "weir_blocked_answer"}
)

// AnswerFault is what went wrong with an answer that was to be redacted.
type AnswerFault uint8

// Faults.
const (
	AnswerFine    AnswerFault = iota
	AnswerPassed              // it, or a part, went on unread, as the policy wants it
	AnswerRefused             // it could not be read; the client got an error instead
	AnswerBroken              // it could not be read from somewhere on, and ended there
	AnswerBlocked             // it held a value that may not pass at all, and ended there
)

// answerFaults are the names of the faults in the record.
var answerFaults = [...]string{"", "passed", "refused", "broken", "blocked"}

// AnswerFault returns what went wrong with the answer.
func (s *Stream) AnswerFault() AnswerFault { return s.got.fault }

// Output takes what of an answer goes on to the client, in order. It must not keep
// what it is given.
type Output = redact.Output

// Share gives the stream what the streams of a worker have in common. It is called
// before the first Reset; a stream without it has its own.
func (s *Stream) Share(desk *answer.Desk) { s.desk = desk }

// answerRules returns what an answer of the model is redacted by, nil if it is not.
func (s *Stream) answerRules() *redact.Rules {
	if i := s.program.models[s.model].redaction; i >= 0 {
		return s.program.answers[i]
	}
	return nil
}

// Rewrites says whether the answer is to be changed: redacted, or given the caller's
// values back.
func (s *Stream) Rewrites() bool {
	return s.model >= 0 && (s.answerRules() != nil || s.out.session.HasTokens())
}

// mayRewrite is Rewrites before the request was read.
func (s *Stream) mayRewrite() bool {
	r := s.redaction()
	return r != nil && (s.answerRules() != nil || r.Restores())
}

// Waits says whether the answer's headers are to wait for the first of its body, which
// may turn it into an error. It is called after ResponseHeaders.
func (s *Stream) Waits() bool {
	return s.got.rewriting && s.got.format != usage.Events && (s.redaction().OnFailure == spec.FailClosed || s.redaction().Blocks())
}

// Streams says whether the answer is a stream of events.
func (s *Stream) Streams() bool { return s.got.streams() }

// beginRewriting makes the answer one that is rewritten. It returns false if it is
// refused instead.
func (s *Stream) beginRewriting() bool {
	a, r := &s.got, s.redaction()
	s.rpcAnswer.on = a.format == usage.Message && !a.encoded
	if s.rpcAnswer.on {
		if s.route.inference { // other methods have no texts of people
			a.rewriting = true
			s.beginMessage()
		}
		return true
	}
	format, ok := answerFormat(view(a.contentType.bytes()), a.format)
	if a.encoded || a.contentType.over || !ok {
		if r.OnFailure == spec.FailOpen && !(a.encoded && r.Encodings == spec.EncodingsRefuse) {
			a.fault, s.unscanned = AnswerPassed, true
			return true
		}
		a.fault = AnswerRefused
		return false
	}
	if s.desk == nil {
		s.desk = &answer.Desk{}
	}
	a.rewriting, a.text, s.plain.text.n = true, format == answer.Text, 0
	s.rewriter.Reset(&answer.Options{
		Desk: s.desk, Format: format, Rules: s.answerRules(), Session: &s.out.session, Hold: r.Hold(),
		Guess: true, Open: r.OnFailure == spec.FailOpen,
	})
	a.described.removeFrom(&s.response, 0)
	return true
}

// answerFormat says how an answer of this content-type is rewritten.
func answerFormat(contentType string, format usage.Format) (f answer.Format, ok bool) {
	switch format {
	case usage.JSON:
		return answer.JSON, true
	case usage.Events:
		return answer.Events, looksASCII(contentType)
	case usage.Message:
		return 0, false
	}
	for _, lines := range [...]string{"application/x-ndjson", "application/jsonl"} {
		if len(contentType) >= len(lines) && equalFold(contentType[:len(lines)], lines) {
			return answer.Lines, true
		}
	}
	return answer.Text, len(contentType) >= 5 && equalFold(contentType[:5], "text/") && looksASCII(contentType)
}

// RefuseAnswer replaces an answer that cannot be read, of which the client has nothing.
func (s *Stream) RefuseAnswer() *ReplyMessage {
	if s.got.fault == AnswerBlocked {
		return s.insist(&blockedAnswer, blockedText)
	}
	return s.insist(&unreadableAnswer, unreadableText)
}

const (
	unreadableText = "The model's answer cannot be read, so it cannot be redacted."
	blockedText    = "The model's answer holds personal data that may not pass."
)

// pass lets a part of the answer go on, redacted.
func (s *Stream) pass(p []byte, out Output) {
	switch a := &s.got; {
	case len(p) == 0 || a.fault >= AnswerRefused:
	case a.rewriting && s.rpcAnswer.on:
		s.passMessage(p, out)
	case a.rewriting && a.text && !s.plain.text.take(p) && s.unreadableText():
	case a.rewriting:
		s.rewriter.Write(p, out)
		s.judgeRewriting(out)
	default:
		_ = out.Write(p)
	}
}

// unreadableText is called when an answer of text turns out to be none in UTF-8. It says
// whether nothing of it goes on any more.
//
//go:noinline
func (s *Stream) unreadableText() bool {
	s.got.text = false
	if s.redaction().OnFailure == spec.FailOpen {
		s.got.fault, s.unscanned = AnswerPassed, true
		return false
	}
	s.got.fault = AnswerBroken
	return true
}

// endRewriting lets go on what was held back of an answer that has ended.
func (s *Stream) endRewriting(out Output) {
	if a := &s.got; a.rewriting && a.fault < AnswerRefused {
		if s.rpcAnswer.on {
			s.endMessage(out)
			return
		}
		if a.text && !s.plain.text.end() && s.unreadableText() {
			return
		}
		s.rewriter.End(out)
		s.judgeRewriting(out)
		s.rewriter.Release()
		a.rewriting = false
	}
}

// judgeRewriting looks whether the answer could be read so far. A stream of events that
// could not ends with an event that says so.
func (s *Stream) judgeRewriting(out Output) {
	a, why := &s.got, s.rewriter.Problem()
	switch {
	case why == answer.None:
		return
	case why == answer.Blocked:
		a.fault = AnswerBlocked
	case s.redaction().OnFailure == spec.FailOpen:
		a.fault, s.unscanned = AnswerPassed, true
		return
	default:
		a.fault = AnswerBroken
	}
	if a.format == usage.Events {
		_ = out.Write(s.errorEvent(s.rewriter.Between()))
	}
}

// errorEvent is the event that ends a stream that may not go on; between says that the
// one before it is complete.
func (s *Stream) errorEvent(between bool) []byte {
	why, message := &unreadableAnswer, unreadableText
	if s.got.fault == AnswerBlocked {
		why, message = &blockedAnswer, blockedText
	}
	gap := ""
	if !between {
		gap = "\n\n"
	}
	switch s.api() {
	case apiMessages:
		return s.compose(gap, "event: error\ndata: "+`{"type":"error","error":{"type":"`, why.anthropicType(), `","message":"`, message, `"}}`+"\n\n")
	case apiResponses:
		return s.compose(gap, "event: error\ndata: "+`{"type":"error","param":null,"code":"`, why.code, `","message":"`, message, `"}`+"\n\n")
	}
	return s.compose(gap, `data: {"error":{"message":"`, message, `","type":"`, why.kind, `","param":null,"code":"`, why.code, `"}}`+"\n\ndata: [DONE]\n\n")
}

// compose puts texts together, valid until the next call of any method.
//
//go:noinline
func (s *Stream) compose(parts ...string) []byte {
	b := s.scratch.open()
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}
