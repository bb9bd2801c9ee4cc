package engine

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Record returns the decision as a compact JSON object. It holds names of the
// policy, numbers and a hash of the tenant, and nothing that a client wrote:
//
//	{"outcome":"forward","model":"m","version":"v2","versionBy":"rule","bucket":17,
//	 "tenant":"9f1b…","promptTokens":12,"counts":{"words":7,"messages":1,"requests":1},
//	 "outputTokens":512,"temperatureMilli":700,
//	 "limits":[{"name":"l","state":"taken","costMicro":3,"capacityMicro":9,"remainingMicro":6,"settledMicro":2}],
//	 "settled":{"by":"usage","inputTokens":10,"cachedTokens":4,"outputTokens":31,"saidInputTokens":10},
//	 "redactions":{"phone":1,"custom_PROJECT":2},"unscanned":true,"answer":"broken"}
//
// and, as evidence (docs/EVIDENCE.md), time, trace, request, peer, operator, evaluation,
// policy, found and values.
//
// askedTokens is the output cap before it was lowered to outputTokens.
// The state of a limit whose budget a service keeps is asked, and its capacity 0.
// stopped says that the stream was ended because the budget did not cover more.
// answer says what went wrong with an answer that was to be redacted: passed, refused,
// broken or blocked.
// outcome is forward or the code of the reply. remainingMicro is what was left after
// the reservation. counts is what the prompt's estimate rests on, by the text class of
// package spec; saidInputTokens is what the answer said of it. Members that do not
// apply are left out, and settled until the stream has ended. The bytes are valid until
// the next call of any method.
func (s *Stream) Record() []byte {
	return append(s.AppendRecord(s.scratch.open()), '}') // behind what edits and reply use
}

// AppendRecord appends the record to b, empty memory of the caller's, without its closing
// bracket: more members may follow.
func (s *Stream) AppendRecord(b []byte) []byte {
	r := recorder{b: b}
	r.text("outcome", s.outcome())
	if s.model >= 0 {
		r.text("model", s.program.doc.Models[s.model].Name)
	}
	if v := max(s.version, s.taken); v >= 0 {
		r.text("version", s.program.doc.Models[s.model].Versions[v])
	}
	if s.bucket >= 0 {
		r.text("versionBy", versionSources[s.versionBy])
		r.number("bucket", int64(s.bucket))
		s.recordTree(&r)
	}
	if s.tenant.n > 0 {
		r.name("tenant")
		r.b = appendHex(r.b, s.tenantHash())
	}
	if s.charges.count > 0 {
		s.recordCharges(&r)
	}
	if s.settlement.Done {
		s.recordSettlement(&r)
	}
	s.recordRedactions(&r)
	if s.unscanned {
		r.name("unscanned")
		r.b = append(r.b, "true"...)
	}
	if fault := s.got.fault; fault != AnswerFine {
		r.text("answer", answerFaults[fault])
	}
	if s.program.Evidence() != spec.EvidenceNone {
		s.recordEvidence(&r)
	}
	return r.b
}

func (s *Stream) outcome() string {
	if s.replied {
		return s.reply.Code
	}
	return "forward"
}

func (s *Stream) recordCharges(r *recorder) {
	c := &s.charges
	r.number("promptTokens", c.prompt)
	s.recordCounts(r)
	r.number("outputTokens", s.reservedOutput())
	if c.asked != none {
		r.number("askedTokens", c.asked)
	}
	r.number("temperatureMilli", c.temperature)
	r.name("limits")
	for i := range c.count {
		r.b = append(r.b, "[,"[min(i, 1)])
		item := recorder{b: r.b}
		item.text("name", s.program.doc.Limits[c.charge[i].Limit].Name)
		item.name("key")
		item.b = appendHex(item.b, c.charge[i].Key)
		item.text("state", chargeStates[c.state[i]])
		item.number("costMicro", c.charge[i].CostMicro)
		item.number("capacityMicro", c.charge[i].Params.CapacityMicro)
		item.number("remainingMicro", c.result[i].RemainingMicro)
		if c.state[i] == chargeSettled || c.state[i] == chargeReported {
			item.number("settledMicro", c.actual[i])
		}
		r.b = append(item.b, '}')
	}
	r.b = append(r.b, ']')
}

func (s *Stream) recordSettlement(r *recorder) {
	r.name("settled")
	item := recorder{b: r.b}
	item.text("by", ways[s.settlement.Way])
	item.number("inputTokens", s.settlement.Input)
	item.number("cachedTokens", s.settlement.Cached)
	item.number("outputTokens", s.settlement.Output)
	if s.settlement.Stopped {
		item.name("stopped")
		item.b = append(item.b, "true"...)
	}
	if said := s.got.scanner.Usage(); said.HasInput {
		item.number("saidInputTokens", said.Input)
	}
	r.b = append(item.b, '}')
}

// recordCounts says what the prompt's estimate rests on, if its text was read.
func (s *Stream) recordCounts(r *recorder) {
	if s.body == bodyNone || s.body == bodyOpaque {
		return
	}
	r.name("counts")
	item := recorder{b: r.b}
	for class, n := range s.in.estimate.Counts() {
		if n > 0 {
			item.number(spec.TextClass(class).String(), n)
		}
	}
	r.b = append(item.b, '}')
}

func (s *Stream) recordRedactions(r *recorder) {
	counts := s.out.counts()
	if counts == (Counts{}) {
		return
	}
	r.name("redactions")
	item := recorder{b: r.b}
	for kind := range redact.Kinds {
		if counts[kind] == 0 {
			continue
		}
		item.begin()
		item.raw(`"`)
		if kind >= int(spec.EntityCustom) {
			item.raw("custom_")
		}
		item.raw(s.FoundName(spec.EntityKind(kind)))
		item.raw(`":`)
		item.b = jsonscan.AppendInt(item.b, int64(counts[kind]))
	}
	r.b = append(item.b, '}')
}

// recorder appends the members of one JSON object, without its closing bracket.
type recorder struct {
	b     []byte
	begun bool
}

// begin begins a member, whose name comes next.
//
//go:noinline
func (r *recorder) begin() {
	if r.begun {
		r.b = append(r.b, ',')
	} else {
		r.b = append(r.b, '{')
	}
	r.begun = true
}

// raw appends a text as it is.
//
//go:noinline
func (r *recorder) raw(text string) { r.b = append(r.b, text...) }

//go:noinline
func (r *recorder) name(name string) {
	r.begin()
	r.b = append(jsonscan.AppendString(r.b, name), ':')
}

//go:noinline
func (r *recorder) text(name, value string) {
	r.name(name)
	r.b = jsonscan.AppendString(r.b, value)
}

//go:noinline
func (r *recorder) number(name string, n int64) {
	r.name(name)
	r.b = jsonscan.AppendInt(r.b, n)
}

const hexDigits = "0123456789abcdef"

// appendHex appends a number as a JSON string of 16 hexadecimal digits.
func appendHex(b []byte, n uint64) []byte {
	return append(appendHexDigits(append(b, '"'), n), '"')
}

// appendHexDigits appends a number as 16 hexadecimal digits.
func appendHexDigits(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}
