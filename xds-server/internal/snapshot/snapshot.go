// Package snapshot holds the xDS resources that one Envoy identity gets, as
// immutable values: each resource is encoded once, carries a version that is a
// hash of its content, and a snapshot proves itself consistent before it is
// published.
//
// A snapshot is persistent: With makes the next one at the cost of what
// changes and shares everything else, so that 10,000 models in a hundred
// retained revisions take little more memory than in one. Its shape and its
// version follow from its content alone, never from how it was reached, so
// that replicas agree and Diff skips what two snapshots have in common.
//
// It may import the Go types of Envoy's messages and nothing else of this
// repository.
package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
)

// Type URLs of the resources that a snapshot may hold.
const (
	ClusterType     = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	EndpointType    = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	SecretType      = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	ExtensionType   = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
	RouteType       = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	ScopedRouteType = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"
	ListenerType    = "type.googleapis.com/envoy.config.listener.v3.Listener"
)

// The kinds index what a snapshot keeps for each type, in the order of Types.
const (
	clusterKind kind = iota
	endpointKind
	secretKind
	extensionKind
	routeKind
	scopeKind
	listenerKind
	kinds // how many there are
)

type kind int

var typeURLs = [kinds]string{ClusterType, EndpointType, SecretType, ExtensionType, RouteType, ScopedRouteType, ListenerType}

// Types returns the type URLs in the order in which additions must reach an
// Envoy so that nothing refers to what is not there yet: clusters, endpoints,
// secrets, filter configuration, routes, scopes, listeners. Removals go the
// other way.
func Types() []string {
	return slices.Clone(typeURLs[:])
}

// kindOf returns false for a type that no snapshot holds.
func kindOf(typeURL string) (kind, bool) {
	i := slices.Index(typeURLs[:], typeURL)
	return kind(i), i >= 0
}

// String is the message name of the kind's type without its package.
func (k kind) String() string {
	url := typeURLs[k]
	for i := len(url) - 1; i >= 0; i-- {
		if url[i] == '.' {
			return url[i+1:]
		}
	}
	return url
}

// Snapshot is an immutable set of resources by type and name. The nil
// *Snapshot is empty.
type Snapshot struct {
	roots [kinds]*branch
	// scopeReaders is how many listeners look for scopes.
	scopeReaders int
	version      string
}

// New makes a snapshot of resources. It is With on the empty snapshot: the
// same rules hold, and the same errors are returned.
func New(resources ...*Resource) (*Snapshot, error) {
	return (*Snapshot)(nil).With(resources, nil)
}

// With makes the snapshot in which updates are added to, or take the place of,
// the resources of s, and removals are gone; s stays as it is. The cost is that
// of the change, not of the whole. Removing what is not there changes nothing.
//
// It is an error if the result is not consistent:
//
//   - every reference resolves (see Resource.References);
//   - nothing dangles: each route configuration, load assignment, secret and
//     extension configuration is referred to. A cluster may be there without a
//     route, to be warm in advance;
//   - scopes exist only if a listener looks for them.
//
// It is an error too if a resource was not made by NewResource or has a type
// that is not in Types, and if one type and name comes twice in the change.
//
// Snapshots with most resources in common, such as those of several Envoys of
// one mesh, take the least memory if one is made of the other.
func (s *Snapshot) With(updates []*Resource, removals []Ref) (*Snapshot, error) {
	d := draft{base: s}
	for _, r := range updates {
		if err := d.put(r); err != nil {
			return nil, err
		}
	}
	for _, ref := range removals {
		if err := d.remove(ref); err != nil {
			return nil, err
		}
	}
	d.count()
	if err := d.check(); err != nil {
		return nil, err
	}
	return d.snapshot(), nil
}

// Get returns the resource of a type with a name, nil if there is none.
func (s *Snapshot) Get(typeURL, name string) *Resource {
	k, known := kindOf(typeURL)
	if s == nil || !known {
		return nil
	}
	if found := s.roots[k].find(keyOf(name)); found != nil {
		return found.resource
	}
	return nil
}

// Len is the number of resources of a type.
func (s *Snapshot) Len(typeURL string) int {
	k, known := kindOf(typeURL)
	if s == nil || !known {
		return 0
	}
	return s.roots[k].len()
}

// Size is the number of resources of all types.
func (s *Snapshot) Size() int {
	total := 0
	for _, url := range typeURLs {
		total += s.Len(url)
	}
	return total
}

// All yields the resources of a type, in an order that depends on nothing but
// their names and is not sorted. An unknown type has none.
func (s *Snapshot) All(typeURL string) iter.Seq[*Resource] {
	return func(yield func(*Resource) bool) {
		if k, known := kindOf(typeURL); s != nil && known {
			s.roots[k].each(func(found *slot) bool { return yield(found.resource) })
		}
	}
}

// Names returns the names of a type's resources, sorted.
func (s *Snapshot) Names(typeURL string) []string {
	names := make([]string, 0, s.Len(typeURL))
	for r := range s.All(typeURL) {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

// Version is a hash over the types, names and versions of all resources: two
// snapshots have one version if and only if they have the same content. It is
// empty for the nil snapshot.
func (s *Snapshot) Version() string {
	if s == nil {
		return ""
	}
	return s.version
}

// sealed gives s its version: a hash of the digests of its types.
func (s *Snapshot) sealed() *Snapshot {
	sum := sha256.New()
	for _, root := range s.roots {
		own := root.sum()
		sum.Write(own[:])
	}
	s.version = hex.EncodeToString(sum.Sum(nil)[:digestBytes])
	return s
}
