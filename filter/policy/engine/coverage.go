package engine

import (
	"github.com/weirmesh/weir/filter/policy/nested"
	"github.com/weirmesh/weir/filter/policy/paths"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// Marks of places in a body: how the strings there are scanned. All others are scanned
// as text.
const (
	coverNot  paths.Mark = 1 + iota // not at all
	coverJSON                       // as JSON that stands in a string
)

// bodyRules are a redaction's rules for requests.
type bodyRules struct {
	values   *redact.Rules // what is looked for; nil: nothing
	places   *paths.Set    // and where
	maxDepth int           // of JSON in strings
}

// coverage decides which strings of a JSON body are scanned, and how: those of the body
// and those of JSON in them. It is told what the body's scanner reads.
type coverage struct {
	p        *pipe
	at       paths.Tracker
	how      paths.Mark // of the string that is being read
	nested   nested.Scanner
	maxDepth int
}

func (c *coverage) reset(rules *bodyRules) {
	c.at.Reset(rules.places)
	c.how, c.maxDepth = 0, rules.maxDepth
}

// open begins a string of the body.
//
//go:noinline
func (c *coverage) open() {
	c.how = c.at.Mark()
	switch c.how {
	case coverNot:
	case coverJSON:
		c.nested.Reset(c.maxDepth)
	default:
		c.start(c.at.Key(), 1)
	}
}

// start begins a string that is scanned and has been escaped so many times; the name of
// its key says what may be in it.
//
//go:noinline
func (c *coverage) start(key []byte, escapes uint8) {
	c.p.redactor.Escapes(escapes)
	c.p.redactor.Key(key)
	c.p.redactor.StringStart()
}

// take takes raw content of the string.
//
//go:noinline
func (c *coverage) take(raw []byte) error {
	switch c.how {
	case coverNot:
		return c.p.Write(raw)
	case coverJSON:
		return c.nested.Bytes(raw, c)
	}
	return c.p.redactor.Bytes(raw)
}

// close ends the string.
//
//go:noinline
func (c *coverage) close() error {
	switch c.how {
	case coverNot:
		return nil
	case coverJSON:
		return c.nested.End(c)
	}
	return c.p.redactor.StringEnd()
}

// Pass is part of nested.Sink, like the methods below.
func (c *coverage) Pass(raw []byte) error { return c.p.Write(raw) }

// StringStart begins a string of JSON in a string.
func (c *coverage) StringStart() { c.start(c.nested.Key(), 2) }

// StringBytes takes its content.
func (c *coverage) StringBytes(raw []byte) error { return c.p.redactor.Bytes(raw) }

// StringEnd ends it.
func (c *coverage) StringEnd() error { return c.p.redactor.StringEnd() }

// ownPaths are the rules of places in the bodies that come here, whatever a policy says:
// of the chat, text and embeddings APIs of OpenAI, its Responses, Anthropic's messages
// and the Open Inference Protocol. What names a choice of the API or ties its parts
// together is not scanned, because a match there would break the request: names of
// models, roles, types, formats and tools, ids of calls and tensors. Everything that
// people or programs fill with text is.
var ownPaths = []paths.Rule{
	{Path: "model", Mark: coverNot},
	{Path: "id", Mark: coverNot},
	{Path: "type", Mark: coverNot},
	{Path: "encoding_format", Mark: coverNot},
	{Path: "include", Mark: coverNot},
	{Path: "modalities", Mark: coverNot},
	{Path: "previous_response_id", Mark: coverNot},
	{Path: "reasoning.effort", Mark: coverNot},
	{Path: "reasoning.summary", Mark: coverNot},
	{Path: "reasoning_effort", Mark: coverNot},
	{Path: "response_format.type", Mark: coverNot},
	{Path: "response_format.json_schema.name", Mark: coverNot},
	{Path: "service_tier", Mark: coverNot},
	{Path: "text.format.type", Mark: coverNot},
	{Path: "text.format.name", Mark: coverNot},
	{Path: "thinking.type", Mark: coverNot},
	{Path: "tool_choice", Mark: coverNot},
	{Path: "truncation", Mark: coverNot},

	{Path: "messages[*].role", Mark: coverNot},
	{Path: "messages[*].tool_call_id", Mark: coverNot},
	{Path: "messages[*].audio.id", Mark: coverNot},
	{Path: "messages[*].function_call.name", Mark: coverNot},
	{Path: "messages[*].function_call.arguments", Mark: coverJSON | paths.Alone},
	{Path: "messages[*].tool_calls[*].id", Mark: coverNot},
	{Path: "messages[*].tool_calls[*].type", Mark: coverNot},
	{Path: "messages[*].tool_calls[*].function.name", Mark: coverNot},
	{Path: "messages[*].tool_calls[*].function.arguments", Mark: coverJSON | paths.Alone},
	{Path: "messages[*].content[*].type", Mark: coverNot},
	{Path: "messages[*].content[*].id", Mark: coverNot},
	{Path: "messages[*].content[*].name", Mark: coverNot},
	{Path: "messages[*].content[*].tool_use_id", Mark: coverNot},
	{Path: "messages[*].content[*].cache_control.type", Mark: coverNot},
	{Path: "messages[*].content[*].source.type", Mark: coverNot},
	{Path: "messages[*].content[*].source.media_type", Mark: coverNot},
	{Path: "messages[*].content[*].content[*].type", Mark: coverNot},
	{Path: "messages[*].content[*].signature", Mark: coverNot},
	{Path: "messages[*].content[*].data", Mark: coverNot}, // of redacted_thinking, encrypted
	{Path: "messages[*].content[*].input", Mark: coverJSON | paths.Alone},

	{Path: "system[*].type", Mark: coverNot},
	{Path: "system[*].cache_control.type", Mark: coverNot},
	{Path: "tools[*].type", Mark: coverNot},
	{Path: "tools[*].name", Mark: coverNot},
	{Path: "tools[*].function.name", Mark: coverNot},
	{Path: "functions[*].name", Mark: coverNot},
	{Path: "function_call.name", Mark: coverNot},

	{Path: "input[*].role", Mark: coverNot},
	{Path: "input[*].type", Mark: coverNot},
	{Path: "input[*].id", Mark: coverNot},
	{Path: "input[*].call_id", Mark: coverNot},
	{Path: "input[*].status", Mark: coverNot},
	{Path: "input[*].name", Mark: coverNot},
	{Path: "input[*].encrypted_content", Mark: coverNot}, // of reasoning
	{Path: "input[*].arguments", Mark: coverJSON | paths.Alone},
	{Path: "input[*].content[*].type", Mark: coverNot},

	{Path: "inputs[*].name", Mark: coverNot},
	{Path: "inputs[*].datatype", Mark: coverNot},
	{Path: "outputs[*].name", Mark: coverNot},
}

// ownPlaces is ownPaths compiled.
var ownPlaces = paths.Compile(ownPaths)

// compilePlaces returns the places of a redaction that leaves these alone.
func compilePlaces(skip []string) *paths.Set {
	if len(skip) == 0 {
		return ownPlaces
	}
	rules := make([]paths.Rule, len(skip))
	for i := range skip {
		rules[i] = paths.Rule{Path: skip[i], Mark: coverNot}
	}
	return paths.Compile(ownPaths, rules)
}
