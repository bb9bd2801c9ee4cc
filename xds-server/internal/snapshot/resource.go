package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Ref names a resource.
type Ref struct {
	// TypeURL is one of Types.
	TypeURL string
	// Name is the resource's name on the wire.
	Name string
}

// Resource is one named xDS resource, made by NewResource. It must not be
// changed: snapshots and streams share it.
type Resource struct {
	// Name is the resource's name on the wire.
	Name string
	// Version is a hash of Body, equal on every server that serves the same content.
	Version string
	// Body is the encoded message, ready to be put into a response.
	Body *anypb.Any
	// Origin is where the document that it was made of stands: file and line,
	// or etcd key and revision. It is no part of Version; empty: not known.
	Origin string

	kind        kind
	known       bool   // kind is set: made by NewResource, of one of Types
	needs       []need // sorted, each once
	readsScopes bool   // a listener that looks for scopes
}

// NewResource encodes message deterministically under name and takes down what
// it refers to. It is an error if the message calls itself by another name, or
// if a message inside of it does not decode.
func NewResource(name string, message proto.Message) (*Resource, error) {
	full := message.ProtoReflect().Descriptor().FullName()
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", full, name, err)
	}
	sum := sha256.Sum256(value)
	r := &Resource{
		Name:    name,
		Version: hex.EncodeToString(sum[:digestBytes]),
		Body:    &anypb.Any{TypeUrl: "type.googleapis.com/" + string(full), Value: value},
	}
	if r.kind, r.known = kindOf(r.Body.GetTypeUrl()); !r.known {
		return r, nil
	}
	r.Body.TypeUrl = typeURLs[r.kind] // one string for all
	found := finder{}
	own, err := found.resource(message)
	if err != nil {
		return nil, fmt.Errorf("find the references of %s %q: %w", r.kind, name, err)
	}
	if own != name {
		return nil, fmt.Errorf("%s %q calls itself %q", r.kind, name, own)
	}
	r.needs, r.readsScopes = found.sorted(), found.readsScopes
	return r, nil
}

// From returns a copy of r that says where it came from.
func (r *Resource) From(origin string) *Resource {
	next := *r
	next.Origin = origin
	return &next
}

// References returns the resources that r cannot work without, each once,
// sorted by type (in the order of Types) and name: a scope's route
// configuration; the clusters of a route (weighted and mirrored too), whether
// in a route configuration, a scope or a listener; an EDS cluster's load
// assignment, under the name that it is asked for; a listener's filter
// configuration by discovery; the secrets that a listener's or a cluster's TLS
// takes from the aggregated stream (others come over the Workload API socket).
// A cluster that a filter names for its own calls is not among them: it may be
// in the bootstrap.
func (r *Resource) References() []Ref {
	refs := make([]Ref, len(r.needs))
	for i, n := range r.needs {
		refs[i] = Ref{TypeURL: typeURLs[n.kind], Name: n.name}
	}
	return refs
}

// from is the origin for an error, with a space before it.
func (r *Resource) from() string {
	if r.Origin == "" {
		return ""
	}
	return " (" + r.Origin + ")"
}
