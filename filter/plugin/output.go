//go:build wasip1

package plugin

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/weirmesh/weir/filter/policy/evidence"
	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// output digests what goes to the client, for the record of a decision.
type output struct {
	begun bool
	bytes uint64
	hash  sha256.Hash
}

// OnHttpResponseBody has the engine read the chunk, and then digests what of it, and in
// its place, goes on.
func (s *stream) OnHttpResponseBody(size int, end bool) types.Action {
	action := s.responseBody(size, end)
	if action == types.ActionContinue && s.program.Evidence() != spec.EvidenceNone && (s.phase == forwarded || s.phase == passing) {
		if st := s.output.take(); st != statusOK {
			s.complain("digest response body", st)
		}
	}
	return action
}

// take digests what stands in the buffer of the response's body.
func (o *output) take() status {
	if !o.begun {
		o.begun = true
		o.hash.Reset()
	}
	for at := uint32(0); ; {
		part, st := getBuffer(responseBody, at, rangeSize)
		if st == statusNotFound || st == statusOK && len(part) == 0 {
			return statusOK
		}
		if st != statusOK {
			return st
		}
		o.hash.Write(part)
		o.bytes += uint64(len(part))
		if at += uint32(len(part)); len(part) < rangeSize {
			return statusOK
		}
	}
}

// record appends the digest to a record, if there is one.
func (o *output) record(b []byte) []byte {
	if !o.begun {
		return b
	}
	o.hash.Sum(&outputSum)
	b = evidence.AppendHex(append(b, `,"output":{"sha256":"`...), outputSum[:])
	b = appendDecimal(append(b, `","bytes":`...), o.bytes)
	return append(b, '}')
}

var outputSum [sha256.Size]byte // a local variable would be allocated
