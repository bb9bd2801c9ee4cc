package xdsbench

import (
	"errors"
	"fmt"
	"slices"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// answer is what a client needs of a DeltaDiscoveryResponse: the names, as
// numbers of a directory, and not the resources.
type answer struct {
	directory *directory
	kind      kind
	known     bool // the type is one of kinds
	url       string
	nonce     string
	updated   []int
	removed   []int
	fresh     [][]lead // where updated leads; nil for types that lead nowhere
	bytes     int      // of the encoded message
}

// kept is the answer without what the next one overwrites, but for the names.
func (a *answer) kept() answer {
	return answer{kind: a.kind, known: a.known, url: a.url, nonce: a.nonce, updated: slices.Clone(a.updated)}
}

// Field numbers of envoy/service/discovery/v3/discovery.proto.
const (
	responseResources = 2
	responseTypeURL   = 4
	responseNonce     = 5
	responseRemoved   = 6

	resourceVersion = 1
	resourceBody    = 2
	resourceName    = 3
)

// fields calls each for every field of a message; value is nil unless the field
// is length-delimited.
func fields(message []byte, each func(number protowire.Number, value []byte) error) error {
	for len(message) > 0 {
		number, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(number, typ, message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		var value []byte
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message)
		}
		if err := each(number, value); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}

// read takes the message; a.directory is set. The type comes after the
// resources on the wire, so the message is gone through twice.
func (a *answer) read(message []byte) error {
	*a = answer{directory: a.directory, updated: a.updated[:0], removed: a.removed[:0], fresh: a.fresh[:0], bytes: len(message)}
	err := fields(message, func(number protowire.Number, value []byte) error {
		switch number {
		case responseTypeURL:
			a.kind, a.known = kindOf(value)
			a.url = string(value)
		case responseNonce:
			a.nonce = string(value)
		}
		return nil
	})
	if err != nil || !a.known {
		return err
	}
	return fields(message, func(number protowire.Number, value []byte) error {
		switch number {
		case responseResources:
			return a.resource(value)
		case responseRemoved:
			a.removed = append(a.removed, a.directory.number(a.kind, value))
		}
		return nil
	})
}

func (a *answer) resource(message []byte) error {
	var name, version, body []byte
	err := fields(message, func(number protowire.Number, value []byte) error {
		switch number {
		case resourceName:
			name = value
		case resourceVersion:
			version = value
		case resourceBody:
			body = value
		}
		return nil
	})
	if err != nil {
		return err
	}
	n := a.directory.number(a.kind, name)
	a.updated = append(a.updated, n)
	if a.kind == clusters || a.kind == listeners || a.kind == scopes {
		leads, err := a.directory.learn(a.kind, n, version, body)
		if err != nil {
			return err
		}
		a.fresh = append(a.fresh, leads)
	}
	return nil
}

// codec encodes requests as ever and reads responses into answers. Decoding
// every resource for every client would cost the clients more than the server
// that is measured.
type codec struct{}

var _ encoding.CodecV2 = codec{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	request, ok := v.(*discoveryv3.DeltaDiscoveryRequest)
	if !ok {
		return nil, fmt.Errorf("a simulated client sends no %T", v)
	}
	encoded, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(encoded)}, nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	a, ok := v.(*answer)
	if !ok {
		return errors.New("a simulated client reads answers alone")
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return a.read(whole.ReadOnlyData())
}
