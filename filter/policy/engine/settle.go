package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Cause is why a stream has ended.
type Cause uint8

// Causes.
const (
	CauseEnd      Cause = iota // the response arrived whole
	CauseClient                // the client went away, or nobody knows
	CauseUpstream              // the upstream broke off or took too long
	CauseReply                 // the filter answered instead
)

// Way is what a settlement rests on.
type Way uint8

// Ways.
const (
	WayNone    Way = iota // a rule: there was no output, or nobody knows how much
	WayUsage              // what the answer said about its cost
	WayCounted            // the text that came
)

// ways are the names of the ways.
var ways = [...]string{"none", "usage", "counted"}

// Settlement is what became of the tokens that were reserved for a request.
type Settlement struct {
	Done     bool // there was a reservation, and it is settled
	Way      Way
	Reserved int64 // tokens: the prompt's estimate and the output cap
	Input    int64 // tokens that the request cost
	Cached   int64 // of Input, those that the upstream had in a cache
	Output   int64
	Lowered  bool  // the output cap was lowered to what was left
	Stopped  bool  // the stream was ended because nothing was left
	Unpaid   int64 // tokens beyond what the bucket that was hit worst may owe
}

// Settled returns the tokens that the request cost.
func (s *Settlement) Settled() int64 { return addTokens(s.Input, s.Output) }

// addTokens is a + b, saturating, for a, b >= 0.
func addTokens(a, b int64) int64 {
	const most = 1<<63 - 1
	if a > most-b {
		return most
	}
	return a + b
}

// Settlement returns how the reservation was settled.
func (s *Stream) Settlement() Settlement { return s.settlement }

// Finish settles what was reserved for the request, once: later calls find nothing
// to do. It is called for every end of a stream, before Release.
func (s *Stream) Finish(cause Cause) {
	open := false
	for i := range s.charges.count {
		open = open || s.charges.state[i] == chargeTaken || s.charges.state[i] == chargeAsked
	}
	if !open {
		return
	}
	if s.got.ended {
		cause = CauseEnd
	}
	keep := s.weigh(cause)
	now := s.host.Now()
	for i := range s.charges.count {
		if s.charges.state[i] == chargeTaken || s.charges.state[i] == chargeAsked {
			s.settle(i, cause, keep, now)
		}
	}
	t := &s.settlement
	t.Done, t.Lowered, t.Stopped = s.metered(), s.charges.asked != none, s.got.scanner.Stopped()
}

// weigh finds out what the request cost; keep says that what was reserved is what
// counts. docs/RATIONALE.md has the rules.
func (s *Stream) weigh(cause Cause) (keep bool) {
	a, t := &s.got, &s.settlement
	if cause == CauseReply {
		return false // nothing went upstream
	}
	t.Input = s.charges.prompt
	if a.begun && !a.good || !a.begun && cause == CauseUpstream {
		return false // no model has worked on it
	}
	said := a.scanner.Usage()
	if said.HasInput {
		t.Input, t.Cached = said.Input, said.Cached
	}
	switch {
	case said.HasOutput || s.route.embeds && said.HasInput:
		t.Way, t.Output = WayUsage, said.Output
	case s.route.embeds:
		t.Way = WayCounted
	case cause == CauseClient && !s.in.stream && !a.streams():
		t.Input, t.Cached = s.charges.prompt, 0
		t.Output = max(t.Reserved-t.Input, 0)
		return true
	default:
		t.Way, t.Output = WayCounted, a.scanner.Text()
	}
	return false
}

// settle makes one charge what the request cost. A store that fails here keeps the
// reservation: it flows back with time.
func (s *Stream) settle(i int, cause Cause, keep bool, now int64) {
	c, t, l := &s.charges.charge[i], &s.settlement, s.limit(i)
	actual := c.CostMicro
	switch {
	case l.mode == spec.LimitInFlight || cause == CauseReply:
		actual = 0 // it has ended, or never went upstream
	case l.tokens() && !keep:
		actual = s.cost(s.program.modelLimits(s.model)[i], t.Input, t.Cached, t.Output)
	}
	s.charges.actual[i] = actual
	if l.served() {
		s.charges.state[i] = chargeReported
		return
	}
	unpaid, err := s.host.Settle(c, actual, now)
	if err != nil {
		s.charges.state[i] = chargeKept
		return
	}
	s.charges.state[i] = chargeSettled
	t.Unpaid = max(t.Unpaid, l.inTokens(unpaid))
}

// OpenCharge returns the i-th charge, nil behind the last, and what it costs if nobody
// hears of the stream any more; a charge that is not open has no ticket. A stream of
// events costs what has come of it so far, and everything else what was reserved: the
// model may have done all of its work.
func (s *Stream) OpenCharge(i int) (c *bucket.Charge, spentMicro int64) {
	if i >= s.charges.count {
		return nil, 0
	}
	c = &s.charges.charge[i]
	if s.charges.state[i] != chargeTaken || !s.limit(i).tokens() || !s.got.streams() || !s.got.good {
		return c, c.CostMicro
	}
	said, input := s.got.scanner.Usage(), s.charges.prompt
	if said.HasInput {
		input = said.Input
	}
	return c, s.cost(s.program.modelLimits(s.model)[i], input, said.Cached, max(s.got.scanner.Text(), said.Output))
}
