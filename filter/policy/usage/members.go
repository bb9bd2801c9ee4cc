package usage

// member is a name in an answer that matters here.
type member uint8

const (
	other member = iota

	// Numbers of tokens.
	inputTokens
	outputTokens
	totalTokens
	cachedTokens // of the input, as OpenAI counts it
	cacheRead    // beside the input, as Anthropic does
	cacheCreated

	counts // those before are numbers

	usage
	details // of the input
	parameters
	choiceList
	response
	message

	// What a last chunk has to repeat.
	identifier
	modelName
	created
	sequence
	index
	finishReason
	kind

	// Text of the answer; delta is both a text and an object with text.
	text
	textOutput
	delta
)

// members are the names, each with what it means. DeepSeek's prompt_cache_hit_tokens
// are OpenAI's cached_tokens.
var members = [...]struct {
	name string
	is   member
}{
	{"delta", delta},
	{"content", text},
	{"choices", choiceList},
	{"usage", usage},
	{"text", text},
	{"message", message},
	{"arguments", text},
	{"reasoning_content", text},
	{"reasoning", text},
	{"thinking", text},
	{"partial_json", text},
	{"refusal", text},
	{"index", index},
	{"finish_reason", finishReason},
	{"id", identifier},
	{"model", modelName},
	{"created", created},
	{"created_at", created},
	{"sequence_number", sequence},
	{"type", kind},
	{"text_output", textOutput},
	{"response", response},
	{"parameters", parameters},
	{"prompt_tokens", inputTokens},
	{"input_tokens", inputTokens},
	{"completion_tokens", outputTokens},
	{"output_tokens", outputTokens},
	{"total_tokens", totalTokens},
	{"cached_tokens", cachedTokens},
	{"prompt_cache_hit_tokens", cachedTokens},
	{"cache_read_input_tokens", cacheRead},
	{"cache_creation_input_tokens", cacheCreated},
	{"prompt_tokens_details", details},
	{"input_tokens_details", details},
}

func memberOf(name []byte) member {
	for i := range members {
		m := &members[i]
		if len(m.name) == len(name) && equal(name, m.name) {
			return m.is
		}
	}
	return other
}

func equal(name []byte, s string) bool {
	for i, c := range name {
		if c != s[i] {
			return false
		}
	}
	return true
}
