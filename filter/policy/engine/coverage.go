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

// coverName is coverNot for a string, as an API has it there, and not for what stands in
// an object or list that somebody puts there instead.
const coverName = coverNot | paths.Alone

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
	{Path: "model", Mark: coverName},
	{Path: "id", Mark: coverName},
	{Path: "type", Mark: coverName},
	{Path: "encoding_format", Mark: coverName},
	{Path: "include[*]", Mark: coverName},
	{Path: "modalities[*]", Mark: coverName},
	{Path: "previous_response_id", Mark: coverName},
	{Path: "reasoning.effort", Mark: coverName},
	{Path: "reasoning.summary", Mark: coverName},
	{Path: "reasoning_effort", Mark: coverName},
	{Path: "response_format.type", Mark: coverName},
	{Path: "response_format.json_schema.name", Mark: coverName},
	{Path: "service_tier", Mark: coverName},
	{Path: "text.format.type", Mark: coverName},
	{Path: "text.format.name", Mark: coverName},
	{Path: "thinking.type", Mark: coverName},
	{Path: "tool_choice", Mark: coverName},
	{Path: "tool_choice.type", Mark: coverName},
	{Path: "tool_choice.mode", Mark: coverName},
	{Path: "tool_choice.name", Mark: coverName},
	{Path: "tool_choice.function.name", Mark: coverName},
	{Path: "tool_choice.tools[*].type", Mark: coverName},
	{Path: "tool_choice.tools[*].name", Mark: coverName},
	{Path: "tool_choice.tools[*].function.name", Mark: coverName},
	{Path: "truncation", Mark: coverName},

	{Path: "messages[*].role", Mark: coverName},
	{Path: "messages[*].tool_call_id", Mark: coverName},
	{Path: "messages[*].audio.id", Mark: coverName},
	{Path: "messages[*].function_call.name", Mark: coverName},
	{Path: "messages[*].function_call.arguments", Mark: coverJSON | paths.Alone},
	{Path: "messages[*].tool_calls[*].id", Mark: coverName},
	{Path: "messages[*].tool_calls[*].type", Mark: coverName},
	{Path: "messages[*].tool_calls[*].function.name", Mark: coverName},
	{Path: "messages[*].tool_calls[*].function.arguments", Mark: coverJSON | paths.Alone},
	{Path: "messages[*].content[*].type", Mark: coverName},
	{Path: "messages[*].content[*].id", Mark: coverName},
	{Path: "messages[*].content[*].name", Mark: coverName},
	{Path: "messages[*].content[*].tool_use_id", Mark: coverName},
	{Path: "messages[*].content[*].cache_control.type", Mark: coverName},
	{Path: "messages[*].content[*].source.type", Mark: coverName},
	{Path: "messages[*].content[*].source.media_type", Mark: coverName},
	{Path: "messages[*].content[*].content[*].type", Mark: coverName},
	{Path: "messages[*].content[*].signature", Mark: coverName},
	{Path: "messages[*].content[*].data", Mark: coverName}, // of redacted_thinking, encrypted
	{Path: "messages[*].content[*].input", Mark: coverJSON | paths.Alone},

	{Path: "system[*].type", Mark: coverName},
	{Path: "system[*].cache_control.type", Mark: coverName},
	{Path: "tools[*].type", Mark: coverName},
	{Path: "tools[*].name", Mark: coverName},
	{Path: "tools[*].function.name", Mark: coverName},
	{Path: "functions[*].name", Mark: coverName},
	{Path: "function_call.name", Mark: coverName},

	{Path: "input[*].role", Mark: coverName},
	{Path: "input[*].type", Mark: coverName},
	{Path: "input[*].id", Mark: coverName},
	{Path: "input[*].call_id", Mark: coverName},
	{Path: "input[*].status", Mark: coverName},
	{Path: "input[*].name", Mark: coverName},
	{Path: "input[*].encrypted_content", Mark: coverName}, // of reasoning
	{Path: "input[*].arguments", Mark: coverJSON | paths.Alone},
	{Path: "input[*].content[*].type", Mark: coverName},

	{Path: "inputs[*].name", Mark: coverName},
	{Path: "inputs[*].datatype", Mark: coverName},
	{Path: "outputs[*].name", Mark: coverName},
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
