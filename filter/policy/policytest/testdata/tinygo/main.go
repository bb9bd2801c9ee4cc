// Command tinygo is the least program around the policy packages: that TinyGo
// builds it shows that they need nothing that the wasm module does not have.
package main

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
)

type host struct{ *bucket.Memory }

var keys redact.Keys

func (host) Keys() *redact.Keys { return &keys }

func (host) Now() int64     { return 0 }
func (host) Random() uint64 { return 0 }
func (host) Peer() []byte   { return nil }

func (host) Property(string) []byte { return nil }

var (
	document []byte
	stream   = engine.NewStream(hold.NewPool(1 << 20))
)

//go:wasmexport decide
func decide() uint32 {
	program, err := engine.Compile(document, nil)
	if err != nil {
		return 0
	}
	stream.Reset(program, host{bucket.NewMemory(1)})
	return uint32(stream.Headers(true)) + uint32(len(stream.Record()))
}

func main() {}
