//go:build wasip1

// Command redactbench is a wasm module, a reactor like the filter, that redacts a text
// with the filter's redactor, all kinds on, and does nothing else. tools/redactbench.mjs
// times it in V8.
package main

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// What is measured: one redactor, whose text is written by the host.
var (
	redactor redact.Redactor
	session  redact.Session
	rules    *redact.Rules
	text     []byte
	written  output
)

// output counts what it is given.
type output struct{ n int }

// Write counts p.
func (o *output) Write(p []byte) error {
	o.n += len(p)
	return nil
}

// room returns where the host writes n bytes: the next text, or table of words.
//
//export room
func room(n int32) uintptr {
	if int(n) > cap(text) {
		text = make([]byte, n)
	}
	text = text[:n]
	return uintptr(unsafe.Pointer(unsafe.SliceData(text)))
}

// kinds makes rules of all kinds.
//
//export kinds
func kinds() {
	r := &spec.Redaction{}
	for k := range spec.EntityKinds {
		r.Entities = append(r.Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	rules = redact.Compile(r, spec.DirectionRequest)
}

// words makes rules of the table of words that the host wrote, which match within words.
//
//export words
func words() {
	table := append([]byte(nil), text...)
	rules = redact.Compile(&spec.Redaction{Automaton: table, Custom: []spec.Custom{{Name: "A", PartOfWord: true}}}, spec.DirectionRequest)
}

// run redacts the text, in one piece, and returns how many bytes came out.
//
//export run
func run() int32 {
	written.n = 0
	redactor.Reset(rules, &session, &written)
	_ = redactor.Bytes(text)
	_ = redactor.StringEnd()
	return int32(written.n)
}

func main() {}
