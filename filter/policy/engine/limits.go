package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// chargeState is what came of a charge.
type chargeState uint8

const (
	chargeTaken     chargeState = iota
	chargeRefused               // the budget is exhausted
	chargeFailed                // the store failed, and the limit is closed
	chargeSkipped               // the store failed, and the limit is open
	chargeGivenBack             // taken, and undone because a later limit refused
	chargeSettled               // taken, and made what the request really cost
	chargeKept                  // taken, and left so because the store failed in the end
	chargeAsked                 // left to the service that keeps the budget
	chargeReported              // asked, and it is known what the service is to be told that it cost
)

// chargeStates are the names of the states. One that is settled was taken: what it
// was settled to says that it is.
var chargeStates = [...]string{"taken", "refused", "failed", "skipped", "givenBack", "taken", "kept", "asked", "asked"}

// charges is what the limits wanted of a request and what came of it.
type charges struct {
	count       int
	prompt      int64 // tokens
	asked       int64 // output cap before it was lowered, none if it was not
	temperature int64 // thousandths
	charge      [spec.MaxModelLimits]bucket.Charge
	result      [spec.MaxModelLimits]bucket.Result
	state       [spec.MaxModelLimits]chargeState
	actual      [spec.MaxModelLimits]int64 // micro-units, of those that are settled
}

// defaultTemperature counts for a request that names none, in thousandths: it is
// the default of the APIs.
const defaultTemperature = 1000

// bytesPerToken is how a body that is not read is counted.
const bytesPerToken = 4

// charge charges all limits that count this request, in order. A refusal gives
// back what earlier ones took.
func (s *Stream) charge() bool {
	if !s.limited() {
		return true
	}
	limits := s.program.modelLimits(s.model)
	now := s.host.Now()
	s.measure()
	for i, m := range limits {
		s.charges.charge[i] = s.price(m)
		key, absent := s.key(&s.program.limits[m.index])
		if absent != none {
			s.giveBack(i, now)
			return s.refuseKey(m, absent)
		}
		s.charges.count = i + 1
		s.charges.charge[i].Key, s.charges.charge[i].AtNs = key, now
		if s.program.limits[m.index].mode != spec.LimitSemantic {
			s.program.override(&s.charges.charge[i])
		}
		if s.program.limits[m.index].served() {
			s.charges.state[i] = chargeAsked
			if !s.presentable(&s.program.limits[m.index]) {
				s.giveBack(i, now)
				return false
			}
			continue
		}
		if !s.take(i, now) {
			return false
		}
		s.lower(limits[i], &s.charges.charge[i])
	}
	s.announceBudget()
	if s.metered() {
		s.settlement.Reserved = addTokens(s.charges.prompt, s.reservedOutput())
	}
	return true
}

// limit returns the limit of a charge.
func (s *Stream) limit(i int) *limit { return &s.program.limits[s.charges.charge[i].Limit] }

// reservedOutput returns how many tokens the answer may have, by the first limit that
// counts them.
func (s *Stream) reservedOutput() int64 {
	for _, m := range s.program.modelLimits(s.model) {
		if l := &s.program.limits[m.index]; l.tokens() {
			return s.outputCap(l)
		}
	}
	return 0
}

// take makes one charge.
func (s *Stream) take(i int, now int64) bool {
	c, state := &s.charges.charge[i], &s.charges.state[i]
	result, err := s.host.Take(c, now)
	s.charges.result[i] = result
	switch {
	case err == nil && result.Allowed:
		*state = chargeTaken
		if c.LeastMicro > 0 {
			c.CostMicro = result.TakenMicro
		}
		return true
	case err == nil:
		*state = chargeRefused
		if c.LeastMicro > 0 { // with this it could do
			c.CostMicro = min(c.CostMicro, c.LeastMicro)
		}
		s.giveBack(i, now)
		return s.refuseBudget(i)
	case s.program.limits[c.Limit].onFailure == spec.FailOpen:
		*state = chargeSkipped
		return true
	}
	*state = chargeFailed
	s.giveBack(i, now)
	name := s.program.doc.Limits[c.Limit].Name
	return s.refuse(&limiterUnusable, "", "The budget ", name, " cannot be checked now. Please try again.")
}

// giveBack undoes the charges before the i-th. A store that fails here keeps the
// tokens: they flow back with time.
func (s *Stream) giveBack(i int, now int64) {
	for j := range i {
		if s.charges.state[j] == chargeAsked {
			s.charges.state[j] = chargeGivenBack
		}
		if s.charges.state[j] != chargeTaken {
			continue
		}
		if _, err := s.host.Settle(&s.charges.charge[j], 0, now); err == nil {
			s.charges.state[j] = chargeGivenBack
		}
	}
}

// measure puts together what the costs are computed from. What the body names is
// what the model's server obeys; a trusted peer fills in what it does not name.
func (s *Stream) measure() {
	c := &s.charges
	switch s.body {
	case bodyNone:
		c.prompt = 0
	case bodyOpaque:
		c.prompt = ceilDiv(s.received, bytesPerToken)
	default:
		c.prompt = s.in.estimate.Tokens(s.prices())
	}
	switch {
	case s.route.embeds:
		c.temperature = 0
	case s.in.temperature >= 0:
		c.temperature = s.in.temperature
	case s.facts.hasHeat:
		c.temperature = s.facts.temperature
	default:
		c.temperature = defaultTemperature
	}
}

// prices says how many tokens of the model a text is; nil: as of any model.
func (s *Stream) prices() *spec.Estimate {
	if s.model < 0 {
		return nil
	}
	return s.program.doc.Models[s.model].Estimate
}

// outputCap returns how many tokens the answer may have at most.
func (s *Stream) outputCap(l *limit) int64 {
	switch {
	case s.route.embeds:
		return 0
	case s.in.output >= 0:
		return s.in.output * s.in.choices
	case s.facts.hasTokens:
		return s.facts.maxTokens * s.in.choices
	}
	return l.defaultOutput * s.in.choices
}

// price returns what one limit wants of this request, without its bucket.
func (s *Stream) price(m modelLimit) bucket.Charge {
	l := &s.program.limits[m.index]
	c := bucket.Charge{Limit: int(m.index), Params: l.params, Shared: l.shared}
	if !l.tokens() {
		c.CostMicro = bucket.Micro
		return c
	}
	c.CostMicro = s.cost(m, s.charges.prompt, 0, s.outputCap(l))
	if l.leastOutput > 0 && s.lowerable() {
		c.LeastMicro = s.cost(m, s.charges.prompt, 0, l.leastOutput*s.in.choices)
	}
	if l.mode != spec.LimitSemantic {
		return c
	}
	if m.entry >= 0 {
		c.Params = l.sized[m.entry]
	}
	if s.facts.hasTokens {
		semantic, name := s.weights(m)
		c.Params = bucket.SemanticParams(&semantic, name, s.facts.maxTokens)
	}
	return c
}

// cost returns what so many tokens cost in a limit, in micro-units.
func (s *Stream) cost(m modelLimit, prompt, cached, output int64) int64 {
	if s.program.limits[m.index].mode != spec.LimitSemantic {
		return bucket.TokenCost(&s.program.doc.Limits[m.index].Tokens, prompt, cached, output)
	}
	semantic, name := s.weights(m)
	return bucket.SemanticCost(&semantic, name, prompt, output, s.charges.temperature)
}

// weights returns the numbers of the semantic mode with the model's entry alone,
// and its name; without an entry there is none.
func (s *Stream) weights(m modelLimit) (semantic spec.Semantic, name string) {
	semantic = s.program.doc.Limits[m.index].Semantic
	if m.entry < 0 {
		semantic.Models = nil
		return semantic, ""
	}
	semantic.Models = semantic.Models[m.entry : m.entry+1]
	return semantic, semantic.Models[0].Model
}

// inTokens converts micro-units of a bucket into the tokens that they stand for, at
// temperature 0 where that matters.
func (l *limit) inTokens(micro int64) int64 { return scaled(max(micro, 0), l.perUnit, bucket.Micro) }
