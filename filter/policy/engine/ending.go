package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// ending is how far the reservation of a stream of events goes, and how far it has
// been ended for want of more.
type ending struct {
	covered int64 // output tokens that are reserved
	step    int64 // of closing
	more    bucket.Charge
}

// extension is how many tokens more are reserved at a time for a stream that goes on
// beyond its reservation: each time costs two host calls.
const extension = 64

// capSlack is the part of an output cap by which the text may seem longer than it: the
// text is estimated, and a server that keeps to the cap must not be cut off.
const capSlack = 4

// watch says whether the answer, a stream of events, is to end when the budget does not
// cover more of it, and makes that so.
func (s *Stream) watch() bool {
	if s.api() == apiOther {
		return false
	}
	e := &s.ending
	e.covered = none
	for i := range s.charges.count {
		if l := &s.program.limits[s.charges.charge[i].Limit]; s.stops(i) && (e.covered == none || s.outputCap(l) < e.covered) {
			e.covered = s.outputCap(l)
		}
	}
	if e.covered == none {
		return false
	}
	bound := e.covered
	if s.in.output >= 0 || s.facts.hasTokens {
		bound = addTokens(bound, bound/capSlack)
	}
	s.got.scanner.Watch(s, bound, s.in.choices)
	return true
}

// stops says whether the i-th charge is one for which a stream ends.
func (s *Stream) stops(i int) bool {
	return s.charges.state[i] == chargeTaken && s.program.limits[s.charges.charge[i].Limit].stop
}

// More reserves more for a stream with so many tokens of text, and returns how many are
// covered then. It is part of usage.Meter.
func (s *Stream) More(text int64) int64 {
	now, covered := s.host.Now(), int64(1<<63-1)
	for i := range s.charges.count {
		if s.stops(i) {
			covered = min(covered, s.cover(i, text, now))
		}
	}
	if e := &s.ending; covered > e.covered {
		s.settlement.Reserved = addTokens(s.settlement.Reserved, covered-e.covered)
		e.covered = covered
	}
	return covered
}

// cover makes the i-th charge pay for the text and an extension, and returns for how
// much it pays then.
func (s *Stream) cover(i int, text, now int64) int64 {
	c, m := &s.charges.charge[i], s.program.modelLimits(s.model)[i]
	want := addTokens(text, extension)
	more := &s.ending.more
	*more = *c
	more.CostMicro = s.cost(m, s.charges.prompt, 0, want) - c.CostMicro
	more.LeastMicro = s.cost(m, s.charges.prompt, 0, text) - c.CostMicro
	if more.CostMicro <= 0 {
		return want
	}
	more.LeastMicro = max(more.LeastMicro, 1)
	result, err := s.host.Take(more, now)
	switch {
	case err == nil && result.Allowed:
		c.CostMicro += result.TakenMicro
		c.Ticket = more.Ticket
	case err != nil && s.program.limits[c.Limit].onFailure == spec.FailOpen:
		return want
	}
	return s.affordable(m, c.CostMicro, want)
}

// faultGraceMs is how long the upstream of an answer that has ended by a fault may go on.
const faultGraceMs = 2000

// Stopped says whether the stream was ended because the budget does not cover more.
func (s *Stream) Stopped() bool { return s.got.scanner.Stopped() }

// GraceNs returns how long the upstream of a stream that was stopped may go on, in
// nanoseconds: as long as the most patient limit allows, and after a fault in the answer
// long enough for the client to hear of it.
func (s *Stream) GraceNs() int64 {
	grace := int64(0)
	if s.got.fault >= AnswerBroken {
		grace = faultGraceMs
	}
	for i := range s.charges.count {
		grace = max(grace, s.program.doc.Limits[s.charges.charge[i].Limit].Shortage.GraceMs)
	}
	return grace * millisecond
}

// closing returns the next event of those that end a stream that was stopped, nil after
// the last. It is valid until the next call of any method.
func (s *Stream) closing() []byte {
	e, a := &s.ending, s.api()
	e.step++
	switch a {
	case apiChat, apiText:
		for ; e.step <= s.in.choices; e.step++ {
			if !s.got.scanner.Finished(e.step - 1) {
				return s.lastChunk(a, e.step-1)
			}
		}
		return s.closingMark(e.step - s.in.choices)
	case apiResponses:
		if e.step == 1 {
			return s.lastResponse()
		}
		return s.closingMark(e.step - 1)
	}
	if e.step == 1 && s.got.scanner.Block() < 0 {
		e.step++
	}
	return s.lastMessage(e.step)
}

// closingMark is what ends a stream of OpenAI's, the first time. Clients of the other
// APIs know no such event, but those that read on until the connection closes, as
// OpenAI's own do, stop at it.
func (s *Stream) closingMark(step int64) []byte {
	if step > 1 {
		return nil
	}
	return append(s.scratch.open(), "data: [DONE]\n\n"...)
}

// lastChunk ends a choice of a chat or text completion as a server does at its cap.
func (s *Stream) lastChunk(a api, choice int64) []byte {
	b := append(s.scratch.open(), "data: "...)
	object, empty := "chat.completion.chunk", `,"delta":{}`
	if a == apiText {
		object, empty = "text_completion", `,"text":""`
	}
	b = s.head(b, object, "created")
	b = append(b, `,"choices":[{"index":`...)
	b = append(jsonscan.AppendInt(b, choice), empty...)
	return append(b, `,"logprobs":null,"finish_reason":"length"}]}`+"\n\n"...)
}

// head begins an object with what the chunks before it say of the answer.
func (s *Stream) head(b []byte, object, created string) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, s.got.scanner.ID()...)
	b = append(b, `","object":"`...)
	b = append(b, object...)
	b = append(b, `","`...)
	b = append(b, created...)
	b = append(b, `":`...)
	b = jsonscan.AppendInt(b, s.got.scanner.Created())
	b = append(b, `,"model":"`...)
	if model := s.got.scanner.Model(); len(model) > 0 {
		b = append(b, model...)
	} else {
		b = jsonscan.AppendEscaped(b, s.program.doc.Models[s.model].Name)
	}
	return append(b, '"')
}

// lastResponse ends an answer of the Responses API. Its output stands in the events
// before it alone.
func (s *Stream) lastResponse() []byte {
	b := append(s.scratch.open(), "event: response.incomplete\ndata: "+`{"type":"response.incomplete","sequence_number":`...)
	b = jsonscan.AppendInt(b, s.got.scanner.Sequence()+1)
	b = append(b, `,"response":`...)
	b = s.head(b, "response", "created_at")
	return append(b, `,"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"error":null,"output":[],"usage":null}}`+"\n\n"...)
}

// lastMessage is the step-th event of the end of one of Anthropic's messages.
func (s *Stream) lastMessage(step int64) []byte {
	b := s.scratch.open()
	switch step {
	case 1:
		b = append(b, "event: content_block_stop\ndata: "+`{"type":"content_block_stop","index":`...)
		b = jsonscan.AppendInt(b, s.got.scanner.Block())
		return append(b, "}\n\n"...)
	case 2:
		b = append(b, "event: message_delta\ndata: "+`{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":`...)
		b = jsonscan.AppendInt(b, s.got.scanner.Passed())
		return append(b, "}}\n\n"...)
	case 3:
		return append(b, "event: message_stop\ndata: "+`{"type":"message_stop"}`+"\n\n"...)
	}
	return s.closingMark(step - 3)
}
