package answer_test

import (
	"bytes"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/nested"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// coded redacts JSON that stands in a string: each string in it alone.
type coded struct {
	redactor redact.Redactor
	nested   nested.Scanner
	out      bytes.Buffer
}

// wholeCoded is the raw content of a string redacted in one piece, as JSON.
func wholeCoded(rules *redact.Rules, raw string) string {
	c := &coded{}
	c.redactor.Reset(rules, &redact.Session{}, sinkTo(&c.out))
	c.nested.Reset(jsonscan.MaxDepth)
	_ = c.nested.Bytes([]byte(raw), c)
	_ = c.nested.End(c)
	return c.out.String()
}

// Pass is part of nested.Sink, like the methods below.
func (c *coded) Pass(raw []byte) error {
	c.out.Write(raw)
	return nil
}

// StringStart begins a string.
func (c *coded) StringStart() {
	c.redactor.Key(c.nested.Key())
	c.redactor.StringStart()
}

// StringBytes takes its content.
func (c *coded) StringBytes(raw []byte) error { return c.redactor.Bytes(raw) }

// StringEnd ends it.
func (c *coded) StringEnd() error { return c.redactor.StringEnd() }
