// Package deltaxds serves snapshots to Envoys over the incremental xDS protocol
// (DeltaAggregatedResources). The protocol is a pure state machine per stream;
// around it stands a thin gRPC service that chooses the snapshot by the SPIFFE
// ID which the peer proved.
//
// It may import internal/snapshot, go-control-plane's types and generated
// services, and go-spiffe's identifiers. It knows neither resources' sources nor
// how identities are proved.
package deltaxds

import "github.com/weirmesh/weir/xds-server/internal/snapshot"

// additions is the order in which new and changed resources of one snapshot
// reach a client: make before break (xDS protocol, "Eventual consistency
// considerations"). A type waits until the client answered all types before it,
// so a route never names a cluster that is not in place, and the filter never
// names a model that has no route.
//
// Scopes go before routes because Envoy asks for a route configuration only
// when a scope names it.
var additions = []string{
	snapshot.ClusterType,
	snapshot.EndpointType,
	snapshot.ListenerType,
	snapshot.ScopedRouteType,
	snapshot.RouteType,
	snapshot.ExtensionType,
}

// removals is the order in which resources are taken away, after every addition
// was answered. What refers goes before what is referred to; a client that drops
// a cluster or a scope unsubscribes from its endpoints or routes by itself.
var removals = []string{
	snapshot.ListenerType,
	snapshot.ScopedRouteType,
	snapshot.RouteType,
	snapshot.ExtensionType,
	snapshot.ClusterType,
	snapshot.EndpointType,
}

// referrers are the types whose resources lead to clusters and routes. While a
// client holds on to an older one (it refused the newer), what that may refer
// to stays.
var referrers = []string{snapshot.ListenerType, snapshot.ScopedRouteType, snapshot.RouteType}

// refersToNothing reports whether a resource of the type may be removed whatever
// referrers the client still holds.
func refersToNothing(typeURL string) bool {
	return typeURL == snapshot.ListenerType || typeURL == snapshot.ScopedRouteType
}

// ordered reports whether the type takes part in make-before-break.
func ordered(typeURL string) bool {
	for _, t := range additions {
		if t == typeURL {
			return true
		}
	}
	return false
}
