package api

// TokenLimitSpec is a token budget: whom it counts, how much there is, and how
// the cost of a request is counted. Exactly one of Semantic and Tokens is set.
type TokenLimitSpec struct {
	// Models are the models that it counts; default: all.
	Models []ModelRef `yaml:"models,optional"`
	// Key is what shares a bucket; default: one bucket for all.
	Key      []KeySource     `yaml:"key,optional"`
	Semantic *SemanticBudget `yaml:"semantic,optional"`
	Tokens   *TokenBudget    `yaml:"tokens,optional"`
	// OnFailure is what happens while the bucket store cannot be used; default closed.
	OnFailure *Failure `yaml:"onFailure,optional"`
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

// TokenBudget counts plain tokens.
type TokenBudget struct {
	Capacity        int     `yaml:"capacity"`        // tokens
	RefillPerSecond Decimal `yaml:"refillPerSecond"` // tokens
	// DefaultOutput is the output cap of a request that names none; default 512.
	DefaultOutput *int          `yaml:"defaultOutput,optional"`
	Weights       *TokenWeights `yaml:"weights,optional"`
}

// TokenWeights say how many tokens of the budget one token of a kind costs, from
// 0.001 to 1,000; default 1.
type TokenWeights struct {
	Input  *Decimal `yaml:"input,optional"`  // of the prompt
	Cached *Decimal `yaml:"cached,optional"` // of the part of the prompt that the model's server had in a cache
	Output *Decimal `yaml:"output,optional"` // of the answer
}
