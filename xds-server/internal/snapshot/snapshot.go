// Package snapshot holds the xDS resources that one Envoy identity gets, as
// immutable values: each resource is encoded once, carries a version that is a
// hash of its content, and a snapshot proves itself consistent before it is
// published.
//
// It may import go-control-plane's types and nothing else of this repository.
package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Type URLs of the resources that a snapshot may hold.
const (
	ClusterType     = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	EndpointType    = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	ListenerType    = "type.googleapis.com/envoy.config.listener.v3.Listener"
	ScopedRouteType = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"
	RouteType       = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	ExtensionType   = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

// Types returns the type URLs in the order in which additions must reach an
// Envoy so that nothing refers to what is not there yet: clusters, endpoints,
// filter configuration, routes, scopes, listeners. Removals go the other way.
func Types() []string {
	return []string{ClusterType, EndpointType, ExtensionType, RouteType, ScopedRouteType, ListenerType}
}

// versionBytes is how much of the SHA-256 a version shows: 128 bits, so that
// two contents with one version do not happen by chance.
const versionBytes = 16

// Resource is one named xDS resource. It must not be changed: snapshots and
// streams share it.
type Resource struct {
	// Name is the resource's name on the wire.
	Name string
	// Version is a hash of Body, equal on every server that serves the same content.
	Version string
	// Body is the encoded message, ready to be put into a response.
	Body *anypb.Any
}

// NewResource encodes message deterministically under name.
func NewResource(name string, message proto.Message) (*Resource, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", message.ProtoReflect().Descriptor().FullName(), name, err)
	}
	digest := sha256.Sum256(value)
	return &Resource{
		Name:    name,
		Version: hex.EncodeToString(digest[:versionBytes]),
		Body: &anypb.Any{
			TypeUrl: "type.googleapis.com/" + string(message.ProtoReflect().Descriptor().FullName()),
			Value:   value,
		},
	}, nil
}

// Snapshot is an immutable set of resources by type and name. The nil
// *Snapshot is empty.
type Snapshot struct {
	byType  map[string]map[string]*Resource
	version string
}

// New makes a snapshot of resources and checks that it is consistent (see
// Consistent). A type that is not in Types, or two resources of one type and
// name, are errors.
func New(resources ...*Resource) (*Snapshot, error) {
	s := &Snapshot{byType: make(map[string]map[string]*Resource)}
	for _, url := range Types() {
		s.byType[url] = make(map[string]*Resource)
	}
	for _, r := range resources {
		named, known := s.byType[r.Body.GetTypeUrl()]
		if !known {
			return nil, fmt.Errorf("resource %q has the type %q, which no snapshot holds", r.Name, r.Body.GetTypeUrl())
		}
		if _, twice := named[r.Name]; twice {
			return nil, fmt.Errorf("two resources of type %q have the name %q", r.Body.GetTypeUrl(), r.Name)
		}
		named[r.Name] = r
	}
	s.version = s.digest()
	if err := s.Consistent(); err != nil {
		return nil, fmt.Errorf("snapshot is not consistent: %w", err)
	}
	return s, nil
}

// Resources returns the resources of a type by name. The map must not be
// changed. An unknown type has none.
func (s *Snapshot) Resources(typeURL string) map[string]*Resource {
	if s == nil {
		return nil
	}
	return s.byType[typeURL]
}

// Version is a hash over the names and versions of all resources; empty for
// the nil snapshot.
func (s *Snapshot) Version() string {
	if s == nil {
		return ""
	}
	return s.version
}

// Len is the number of resources of all types.
func (s *Snapshot) Len() int {
	if s == nil {
		return 0
	}
	total := 0
	for _, named := range s.byType {
		total += len(named)
	}
	return total
}

func (s *Snapshot) digest() string {
	sum := sha256.New()
	for _, url := range Types() {
		for _, name := range slices.Sorted(maps.Keys(s.byType[url])) {
			// NUL is in no type URL, no name and no version, so the lines are unambiguous.
			fmt.Fprintf(sum, "%s\x00%s\x00%s\x00", url, name, s.byType[url][name].Version)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:versionBytes])
}
