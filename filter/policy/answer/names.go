package answer

// class is what a member of an answer is.
type class uint8

const (
	joined   class = iota // a piece of a text, or a whole one
	fixed                 // an identifier or a word of the protocol: left alone
	alone                 // a string that is complete in itself
	coded                 // a piece of JSON in a string, or a whole one; if a container, as pieces
	pieces                // as joined; if a container, one of strings that are complete
	data                  // a container of strings that are complete in themselves
	probs                 // a container that repeats the text token by token
	shown                 // a member of probs whose name is known
	octets                // a member of probs: the bytes of a token
	index                 // which of several: its text is one of its own
	item                  // likewise, where there is no number
	finished              // a string here ends the text
	done                  // true here ends it
	serial                // a number of the event's, which it has in the stream
	sound                 // a container of speech and what is said in it
	payload               // as joined, but in there complete in itself: each piece is base64 of its own
	kind                  // what the event is
)

// names are the members that matter, of OpenAI's chat and text completions and
// Responses, Anthropic's messages, Gemini's and Ollama's answers.
var names = [...]struct {
	name string
	is   class
}{
	{"id", fixed}, {"object", fixed}, {"model", fixed}, {"role", fixed}, {"type", kind}, {"status", fixed},
	{"system_fingerprint", fixed}, {"service_tier", fixed}, {"call_id", fixed}, {"tool_call_id", fixed}, {"tool_use_id", fixed},
	{"response_id", fixed}, {"previous_response_id", fixed}, {"responseId", fixed}, {"modelVersion", fixed}, {"file_id", fixed},
	{"signature", fixed}, {"encrypted_content", fixed}, {"obfuscation", fixed}, {"created_at", fixed}, {"media_type", fixed},
	{"encoding_format", fixed}, {"stop_sequence", alone}, {"name", alone}, {"title", alone}, {"url", alone}, {"description", alone},
	{"code", alone}, {"message", alone}, {"param", alone}, {"filename", alone}, {"provider", alone}, {"cited_text", alone},
	{"document_title", alone}, {"args", data}, {"input", pieces}, {"arguments", coded}, {"partial_json", coded}, {"metadata", data}, {"attributes", data}, {"error", data}, {"usage", data},
	{"instructions", data}, {"content_block", data}, {"annotation", data}, {"logprobs", probs}, {"logprob", shown},
	{"content", joined}, {"refusal", joined}, {"token", shown}, {"tokens", shown}, {"token_logprobs", shown}, {"top_logprobs", shown},
	{"text_offset", shown}, {"bytes", octets}, {"index", index}, {"output_index", index}, {"content_index", index},
	{"summary_index", index}, {"item_id", item}, {"finish_reason", finished}, {"finishReason", finished},
	{"stop_reason", finished}, {"done_reason", finished}, {"done", done}, {"sequence_number", serial},
	{"audio", sound}, {"data", payload},
}

// slots find a name by its hash: one more than its index in names stands at its slot, or
// behind it with none free in between. Every name of an answer is looked up, most in
// vain: that reads one byte, where a walk along names reads many, which are in no cache.
var slots = func() (t [slotCount]uint8) {
	for i := range names {
		slot := slotOf(hash(seed, []byte(names[i].name)))
		for t[slot] != 0 {
			slot = (slot + 1) % slotCount
		}
		t[slot] = uint8(i + 1)
	}
	return t
}()

const slotCount = 128

func slotOf(h uint32) uint32 { return (h>>7 ^ h) % slotCount }

// classOf returns the class of a member with a name of this hash, and whether the name is
// known at all.
func classOf(h uint32, name string) (is class, known bool) {
	for slot := slotOf(h); slots[slot] != 0; slot = (slot + 1) % slotCount {
		if n := &names[slots[slot]-1]; n.name == name {
			return n.is, true
		}
	}
	return joined, false
}

// event is what an event is, by its type.
type event uint8

const (
	eventPart  event = iota // its strings are pieces of texts
	eventWhole              // its strings are complete
	eventClose              // likewise, and those texts end that have its indices
	eventLast               // likewise, and all texts end
)

// eventOf says what an event of this type is.
func eventOf(kind string) event {
	switch {
	case kind == "":
		return eventPart
	case kind == "message_delta", kind == "message_stop", kind == "error", kind == "response.completed",
		kind == "response.incomplete", kind == "response.failed":
		return eventLast
	case kind == "content_block_stop", hasSuffix(kind, ".done"):
		return eventClose
	case hasSuffix(kind, "delta"):
		return eventPart
	case kind == "content_block_start", kind == "message_start", len(kind) > 9 && kind[:9] == "response.":
		return eventWhole
	}
	return eventPart
}

func hasSuffix(s, suffix string) bool {
	return len(s) >= len(suffix) && s[len(s)-len(suffix):] == suffix
}

// mix makes one number of two, in this order.
//
//go:noinline
func mix(a, b uint32) uint32 {
	h := (a ^ b) * 0x9E3779B1
	h ^= h >> 15
	h = (h + b) * 0x85EBCA6B
	return h ^ h>>13
}

// hash makes a number of a text that may come in pieces, seed first.
//
//go:noinline
func hash(seed uint32, p []byte) uint32 {
	for _, c := range p {
		seed = (seed ^ uint32(c)) * 16777619
	}
	return seed
}

const seed = 2166136261
