package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// announceBudget tells an admitted client of the limits that it will reach first: of
// those that count tokens, and of those that count requests, the one with the smallest
// part left.
func (s *Stream) announceBudget() {
	s.budgetHeaders(s.tightest(true), s.tightest(false))
}

// tightest returns the charge that is nearest to the end of its budget among those
// that were taken and count tokens, or requests; none if there is none.
func (s *Stream) tightest(tokens bool) int {
	tightest, least := none, int64(0)
	for i := range s.charges.count {
		c, r, l := &s.charges.charge[i], &s.charges.result[i], s.limit(i)
		if s.charges.state[i] != chargeTaken || l.tokens() != tokens || l.mode == spec.LimitInFlight {
			continue
		}
		part := scaled(r.RemainingMicro, 1<<30, max(c.Params.CapacityMicro, 1))
		if tightest == none || part < least {
			tightest, least = i, part
		}
	}
	return tightest
}

// budgetHeaders adds x-ratelimit-* of two charges, as OpenAI's servers send them. A
// budget of tokens alone is one of requests too: of how many like this one it holds.
// The other way round nothing is known, and nothing said.
func (s *Stream) budgetHeaders(tokens, requests int) {
	request := int64(bucket.Micro)
	if requests == none && tokens != none {
		requests = tokens
		request = max(s.charges.charge[tokens].CostMicro, bucket.Micro/s.limit(tokens).perUnit, 1)
	}
	if requests != none {
		s.response.set("x-ratelimit-limit-requests", s.scratch.integer(s.charges.charge[requests].Params.CapacityMicro/request))
	}
	if tokens != none {
		s.response.set("x-ratelimit-limit-tokens", s.scratch.integer(s.limit(tokens).inTokens(s.charges.charge[tokens].Params.CapacityMicro)))
	}
	if requests != none {
		s.response.set("x-ratelimit-remaining-requests", s.scratch.integer(s.charges.result[requests].RemainingMicro/request))
	}
	if tokens != none {
		s.response.set("x-ratelimit-remaining-tokens", s.scratch.integer(s.limit(tokens).inTokens(s.charges.result[tokens].RemainingMicro)))
	}
	s.resetHeader("x-ratelimit-reset-requests", requests)
	s.resetHeader("x-ratelimit-reset-tokens", tokens)
}

// resetHeader says when the bucket of a charge will be full, if ever.
func (s *Stream) resetHeader(name string, i int) {
	if i != none && s.charges.result[i].ResetNs < forever {
		s.response.set(name, s.scratch.duration(s.charges.result[i].ResetNs))
	}
}

// forever is the time after which a bucket without refill is full.
const forever = 1<<63 - 1

// What a limit counts, as refusals call it.
var counted = [...]string{
	spec.LimitSemantic: "tokens", spec.LimitTokens: "tokens", spec.LimitRequests: "requests", spec.LimitInFlight: "requests in flight",
}

// refuseBudget answers 429 in the form of OpenAI's servers.
func (s *Stream) refuseBudget(i int) bool {
	if s.replied {
		return false
	}
	c, r, l := &s.charges.charge[i], &s.charges.result[i], s.limit(i)
	name, model := s.program.doc.Limits[c.Limit].Name, s.program.doc.Models[s.model].Name
	refusal, what := &overBudget, counted[l.mode]
	if !l.tokens() {
		refusal = &overRequests
	}
	capacity := l.inTokens(c.Params.CapacityMicro)
	limit := view(s.scratch.integer(capacity))
	used := view(s.scratch.integer(max(capacity-l.inTokens(r.RemainingMicro), 0)))
	wanted := view(s.scratch.integer(l.inTokens(c.CostMicro)))
	switch {
	case c.CostMicro > c.Params.CapacityMicro:
		s.refuse(refusal, "", "Request too large for ", model, " on ", what, " (", name, "): Limit ", limit,
			", Requested ", wanted, ". Shorten the prompt or lower the output cap.")
		s.replyHeader("x-should-retry", noRetry)
	case c.Params.WindowNs > 0:
		reset := view(s.scratch.duration(r.WaitNs))
		s.refuse(&overQuota, "", "You exceeded your quota for ", model, " on ", what, " (", name, "): Limit ", limit,
			", Used ", used, ", Requested ", wanted, ". It is renewed in ", reset, ".")
		s.replyHeader("x-should-retry", noRetry)
	case r.Never:
		s.refuse(refusal, "", "Rate limit reached for ", model, " on ", what, " (", name, "): Limit ", limit,
			", Used ", used, ", Requested ", wanted, ". This budget does not refill.")
		s.replyHeader("x-should-retry", noRetry)
	default:
		wait := view(s.scratch.duration(r.WaitNs))
		s.refuse(refusal, "", "Rate limit reached for ", model, " on ", what, " (", name, "): Limit ", limit,
			", Used ", used, ", Requested ", wanted, ". Please try again in ", wait, ".")
		s.replyHeader("retry-after", s.scratch.integer(ceilDiv(r.WaitNs, second)))
		s.replyHeader("retry-after-ms", s.scratch.integer(ceilDiv(r.WaitNs, millisecond)))
	}
	s.refusalHeaders(i)
	s.reply.Headers = s.response.all()
	return false
}

// refusalHeaders adds x-ratelimit-* of the limit that refused, and of the nearest one
// that counts the other thing: which may come later, and is looked at without a charge.
func (s *Stream) refusalHeaders(i int) {
	tokens, requests := none, none
	for j := range s.program.modelLimits(s.model) {
		l := &s.program.limits[s.program.modelLimits(s.model)[j].index]
		switch {
		case l.served() || l.mode == spec.LimitInFlight || l.tokens() == s.limit(i).tokens() && j != i:
		case l.tokens() && (tokens == none) && s.peek(j, i):
			tokens = j
		case !l.tokens() && (requests == none) && s.peek(j, i):
			requests = j
		}
	}
	s.budgetHeaders(tokens, requests)
}

// peek says whether the result of charge j is known, when charge i was refused. A
// later one is asked for nothing, which says how full its bucket is.
func (s *Stream) peek(j, i int) bool {
	if j <= i {
		return true
	}
	m := s.program.modelLimits(s.model)[j]
	c := s.price(m)
	key, absent := s.key(&s.program.limits[m.index])
	if absent != none {
		return false
	}
	c.Key, c.AtNs = key, s.charges.charge[i].AtNs
	if s.program.limits[m.index].mode != spec.LimitSemantic {
		s.program.override(&c)
	}
	s.charges.charge[j] = c
	c.CostMicro = 0
	result, err := s.host.Take(&c, c.AtNs)
	s.charges.result[j] = result
	return err == nil
}
