package api

// TokenLimitSpec is a budget: whom it counts, what it counts, and how much there is.
// Each of Semantic or Tokens, Requests, InFlight and Quota is a limit of its own; at
// least one is set, and a request must be within all that are.
type TokenLimitSpec struct {
	// Models are the models that it counts; default: all.
	Models []ModelRef `yaml:"models,optional"`
	// Key is what shares a bucket; default: one bucket for all.
	Key []KeyPart `yaml:"key,optional"`
	// Missing is what becomes of a request that has no value for a part of the key:
	// share a bucket with all others without (the default), or refuse, with 401.
	Missing *Missing `yaml:"missing,optional"`

	Semantic *SemanticBudget `yaml:"semantic,optional"`
	Tokens   *TokenBudget    `yaml:"tokens,optional"`
	Requests *Rate           `yaml:"requests,optional"`
	InFlight *InFlight       `yaml:"inFlight,optional"`
	Quota    *Quota          `yaml:"quota,optional"`
	// Overrides are keys that have numbers of their own; all others have those above.
	Overrides []Override `yaml:"overrides,optional"`
	// OnFailure is what happens while the bucket store cannot be used; default closed.
	OnFailure *Failure `yaml:"onFailure,optional"`
	// Scope is local, the default: each Envoy has the whole budget. With shared, all
	// Envoys of the xds-server together have it; see docs/LIMITS.md.
	Scope *Scope `yaml:"scope,optional"`
	// Backend is what keeps the budget: weir, the default, or ratelimit, the service that
	// the Gateways name in rateLimit. That counts Tokens and Requests alone, in windows of
	// the second, minute, hour or day that they name; without a rate its own configuration
	// says how much there is. See docs/LIMITS.md.
	Backend *Backend `yaml:"backend,optional"`
	// Shortage is what is done where the budget is too small for the answer; default
	// nothing: requests that may cost more than is left are refused, and what an
	// answer costs beyond its reservation is owed.
	Shortage *Shortage `yaml:"shortage,optional"`
}

// Shortage is what is done where a budget is too small for an answer. Both settings
// change what clients see, so both are off by default.
type Shortage struct {
	// LowerCap lowers the output cap in the request to what the budget still holds, so
	// that the model ends the answer itself; default false. A request without a cap
	// gets one where DefaultOutput does not fit.
	LowerCap *bool `yaml:"lowerCap,optional"`
	// LeastOutput is how many tokens a choice the cap is lowered to at least: a request
	// for which there are fewer left is refused; default 16. With LowerCap only.
	LeastOutput *int `yaml:"leastOutput,optional"`
	// Stop ends a stream of events when the budget does not cover more of it, with a
	// last chunk as the model's server writes it where a cap is reached; default false.
	Stop *bool `yaml:"stop,optional"`
	// Grace is how long the model's server may go on after that, unheard, before it is
	// cut off: 0s to 10m, default 2s. With Stop only.
	Grace *Duration `yaml:"grace,optional"`
}

// SemanticBudget counts weight units by model, output cap and temperature:
//
//	capacity = max(floor, base x maxTokens / tokensPerUnit)
//	refill   = refill x capacity per second
//	cost     = (prompt + output cap) / tokensPerUnit x (1 + sensitivity x temperature / 2)
type SemanticBudget struct {
	Floor                         *Decimal        `yaml:"floor,optional"`                         // units; default 20
	Refill                        *Decimal        `yaml:"refill,optional"`                        // share of the capacity per second; default 0.3
	TokensPerUnit                 *int            `yaml:"tokensPerUnit,optional"`                 // default 512
	MaxTokens                     *int            `yaml:"maxTokens,optional"`                     // sizes the bucket; default 512
	DefaultOutput                 *int            `yaml:"defaultOutput,optional"`                 // output cap of a request that names none; default 512
	DefaultTemperatureSensitivity *Decimal        `yaml:"defaultTemperatureSensitivity,optional"` // of a model without an entry; default 1.0
	Models                        []SemanticModel `yaml:"models,optional"`                        // gpt-4, llama3-70b and phi-3 are known
}

// SemanticModel is how much room a model gets and how its cost grows with temperature.
type SemanticModel struct {
	Model                  ModelRef `yaml:"model"`
	Base                   Decimal  `yaml:"base"` // units
	TemperatureSensitivity Decimal  `yaml:"temperatureSensitivity"`
}

// Rate is how much flows into a bucket, and how much it holds: exactly one of the first
// four is set.
type Rate struct {
	PerSecond *Decimal `yaml:"perSecond,optional"`
	PerMinute *Decimal `yaml:"perMinute,optional"`
	PerHour   *Decimal `yaml:"perHour,optional"`
	PerDay    *Decimal `yaml:"perDay,optional"`
	// Burst is what a full bucket holds; default: what flows in during the second,
	// minute, hour or day.
	Burst *int `yaml:"burst,optional"`
}

// TokenBudget counts plain tokens; the first fields are those of a Rate.
type TokenBudget struct {
	PerSecond *Decimal `yaml:"perSecond,optional"`
	PerMinute *Decimal `yaml:"perMinute,optional"`
	PerHour   *Decimal `yaml:"perHour,optional"`
	PerDay    *Decimal `yaml:"perDay,optional"`
	Burst     *int     `yaml:"burst,optional"`
	// DefaultOutput is the output cap of a request that names none; default 512.
	DefaultOutput *int          `yaml:"defaultOutput,optional"`
	Weights       *TokenWeights `yaml:"weights,optional"`
}

// Rate is the rate of the budget.
func (b *TokenBudget) Rate() *Rate {
	return &Rate{PerSecond: b.PerSecond, PerMinute: b.PerMinute, PerHour: b.PerHour, PerDay: b.PerDay, Burst: b.Burst}
}

// TokenWeights say how many tokens of the budget one token of a kind costs, from
// 0.001 to 1,000; default 1.
type TokenWeights struct {
	Input  *Decimal `yaml:"input,optional"`  // of the prompt
	Cached *Decimal `yaml:"cached,optional"` // of the part of the prompt that the model's server had in a cache
	Output *Decimal `yaml:"output,optional"` // of the answer
}

// InFlight is how many requests may be under way at a time.
type InFlight struct {
	Max int `yaml:"max"`
	// Lease is how long a request is counted if its end is never seen, because a
	// worker failed: at least this, at most twice. A request that really takes longer
	// is no longer counted. Default 10m.
	Lease *Duration `yaml:"lease,optional"`
}

// Quota is an amount that is renewed at fixed times only; at least one of the first
// two is set. Who has used it up is told not to try again.
type Quota struct {
	Tokens   *int   `yaml:"tokens,optional"`
	Requests *int   `yaml:"requests,optional"`
	Per      Period `yaml:"per"`
}

// Override is numbers of its own for one key, in place of the limit's. What it does
// not name stays as it is for everybody.
type Override struct {
	// Key is a value for each part of the limit's key, in its order. An API key is
	// given as the SHA-256 of the key, in hexadecimal digits.
	Key      []string          `yaml:"key"`
	Tokens   *Rate             `yaml:"tokens,optional"`
	Requests *Rate             `yaml:"requests,optional"`
	InFlight *InFlightOverride `yaml:"inFlight,optional"`
	Quota    *QuotaOverride    `yaml:"quota,optional"`
}

// InFlightOverride is how many requests of one key may be under way at a time.
type InFlightOverride struct {
	Max int `yaml:"max"`
}

// QuotaOverride is how much one key has in each period.
type QuotaOverride struct {
	Tokens   *int `yaml:"tokens,optional"`
	Requests *int `yaml:"requests,optional"`
}
