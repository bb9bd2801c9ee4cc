package engine

import "github.com/weirmesh/weir/filter/policy/spec"

// param is a top-level member of a body that matters here.
type param uint8

const (
	paramNone param = iota
	paramModel
	paramUser
	paramStream
	paramN
	paramTemperature
	paramMaxTokens
	paramMaxCompletionTokens
	paramMaxOutputTokens
	paramStreamOptions
	paramMetadata
	paramCount

	paramIncludeUsage = paramCount // a member of paramStreamOptions
)

// Names of the parameters. Three are the output cap in the three forms of the OpenAI
// API.
var paramNames = [paramCount + 1]string{
	"", "model", "user", "stream", "n", "temperature", "max_tokens", "max_completion_tokens", "max_output_tokens",
	"stream_options", "metadata", "stream_options.include_usage",
}

// What the parameters must be. null is the same as leaving one out.
var paramTypes = [paramCount + 1]string{
	"", "must be a string", "must be a string", "must be true or false",
	"must be a whole number from 1 to 128", "must be a number from 0 to 2",
	"must be a whole number below 2147483648", "must be a whole number below 2147483648", "must be a whole number below 2147483648",
	"must be an object", "must be an object", "must be true or false",
}

const (
	maxChoices    = 128                        // of n, as OpenAI's servers allow
	maxParamBytes = spec.MaxAttributeBytes + 1 // longer than any name above or in metadata
	maxScalar     = 32                         // longer than any number that is allowed
)

// take takes a number or literal as the value of a parameter and says whether it
// is one.
func (in *inspector) take(p param, value []byte) (ok bool) {
	var n int64
	switch p {
	case paramModel, paramUser, paramStreamOptions, paramMetadata:
		return false
	case paramStream:
		in.stream = view(value) == "true"
		return in.stream || view(value) == "false"
	case paramTemperature:
		in.temperature, ok = parseTemperature(value)
	case paramN:
		in.choices, ok = parseCount(value, maxChoices)
		ok = ok && in.choices > 0
	default:
		n, ok = parseCount(value, maxTokenCount)
		in.output = max(in.output, n)
		if in.count > 0 { // a body in which the cap could be lowered
			in.list[in.count-1].value = n
		}
	}
	return ok
}

// demand refuses the value of a parameter unless it is right.
func (in *inspector) demand(right bool, p param) error {
	if right {
		return nil
	}
	in.s.refuseParameter(paramNames[p], paramTypes[p])
	return errReplied
}
