package engine

// api is the API that a path belongs to, as far as its bodies differ here.
type api uint8

const (
	apiOther     api = iota
	apiChat          // OpenAI's chat completions
	apiText          // OpenAI's completions
	apiResponses     // OpenAI's responses
	apiMessages      // Anthropic's messages
)

// api returns the API of the request.
func (s *Stream) api() api {
	if !s.route.inference {
		return apiOther
	}
	switch view(s.facts.path[:s.facts.pathBytes]) {
	case pathChat:
		return apiChat
	case pathCompletions:
		return apiText
	case pathResponses:
		return apiResponses
	case pathMessages:
		return apiMessages
	}
	return apiOther
}
