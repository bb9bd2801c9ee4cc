package bucket

import "github.com/weirmesh/weir/filter/policy/spec"

// thousand converts a spec number in thousandths into micro-units.
const thousand = 1000

// SemanticParams sizes the bucket of a model in weight units:
//
//	capacity = max(floor, base x maxTokens / tokensPerUnit)
//	refill   = refill x capacity per second
//
// maxTokens comes from a trusted peer; 0 or less means that none was given and
// the policy's own number holds. A model without an entry gets the floor. Both
// numbers are rounded down to a micro-unit and saturate.
func SemanticParams(s *spec.Semantic, model string, maxTokens int64) Params {
	if maxTokens <= 0 {
		maxTokens = s.MaxTokens
	}
	capacity := satMul(s.FloorMilli, thousand)
	if m := semanticModel(s, model); m != nil {
		sized := mulDiv(satMul(m.BaseMilli, thousand), max(maxTokens, 0), max(s.TokensPerUnit, 1))
		capacity = max(capacity, sized)
	}
	return Params{
		CapacityMicro:     capacity,
		RefillMicroPerSec: mulDiv(capacity, max(s.RefillMilli, 0), thousand),
	}
}

// SemanticCost is the price of one request in micro weight units:
//
//	(prompt + output) / tokensPerUnit x (1 + k x temperature / 2)
//
// prompt is the estimated number of prompt tokens, output the output cap (the
// caller puts s.DefaultOutput in where the request names none) and tempMilli
// the temperature in thousandths. The product is rational; it is rounded once,
// up, so that a request is never charged less than the formula says.
func SemanticCost(s *spec.Semantic, model string, prompt, output, tempMilli int64) int64 {
	k := s.DefaultKMilli
	if m := semanticModel(s, model); m != nil {
		k = m.KMilli
	}
	// 1 + k*t/2 with k and t in thousandths is (2e6 + k*t) / 2e6. The micro of
	// the result cancels a million of it: cost = tokens * (2e6 + k*t) / (2 * tokensPerUnit).
	heat := addSat(2*Micro, satMul(k, tempMilli))
	tokens := addSat(max(prompt, 0), max(output, 0))
	return mulDivUp(tokens, heat, satMul(2, max(s.TokensPerUnit, 1)))
}

// TokenParams sizes a bucket that counts plain tokens.
func TokenParams(t *spec.Tokens) Params {
	return RateParams(&spec.Rate{Capacity: t.Capacity, RefillMilli: t.RefillMilli, Per: t.Per, Window: t.Window})
}

// RateParams sizes a bucket that counts things. Its refill is rounded to the nearest
// micro-unit a second, so it is right to 0.05 units a day.
func RateParams(r *spec.Rate) Params {
	per := max(r.Per, 1)
	refill := mulDiv(addSat(satMul(r.RefillMilli, thousand), per/2), 1, per)
	if r.RefillMilli > 0 {
		refill = max(refill, 1)
	}
	return Params{
		CapacityMicro:     satMul(r.Capacity, Micro),
		RefillMicroPerSec: refill,
		WindowNs:          satMul(r.Window, second),
	}
}

// FlightParams sizes a count of what is in flight.
func FlightParams(f *spec.InFlight) Params {
	return Params{CapacityMicro: satMul(f.Capacity, Micro), LeaseNs: satMul(f.Lease, second)}
}

// TokenCost is the price of one request in micro-tokens: its prompt, of which
// the cached tokens have a price of their own, and its output, each by its
// weight.
func TokenCost(t *spec.Tokens, prompt, cached, output int64) int64 {
	cached = min(max(cached, 0), max(prompt, 0))
	input := satMul(max(prompt, 0)-cached, weight(t.InputMilli))
	input = addSat(input, satMul(cached, weight(t.CachedMilli)))
	return addSat(input, satMul(max(output, 0), weight(t.OutputMilli)))
}

// weight is a weight of a token in micro-tokens; 0 stands for 1.
func weight(milli int64) int64 {
	if milli == 0 {
		return Micro
	}
	return satMul(milli, thousand)
}

func semanticModel(s *spec.Semantic, model string) *spec.SemanticModel {
	for i := range s.Models {
		if s.Models[i].Model == model {
			return &s.Models[i]
		}
	}
	return nil
}

// satMul is a*b, saturating; negative factors count as zero.
func satMul(a, b int64) int64 {
	return mulDiv(max(a, 0), max(b, 0), 1)
}
