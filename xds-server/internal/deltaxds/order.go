// Package deltaxds serves snapshots to Envoys over the incremental xDS protocol
// (DeltaAggregatedResources). The protocol is a pure state machine per stream;
// around it stands a thin gRPC service that chooses the snapshot by the SPIFFE
// ID which the peer proved.
//
// It may import internal/snapshot, go-control-plane's types and generated
// services, and go-spiffe's identifiers. It knows neither resources' sources nor
// how identities are proved.
package deltaxds

import (
	"slices"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// additions is the order in which new and changed resources of one snapshot
// reach a client: make before break (xDS protocol, "Eventual consistency
// considerations"). Foundations go out one behind the other; each other type
// waits until the client answered all types before it, so a route never names a
// cluster that is not in place, and the filter never names a model that has no
// route.
//
// Scopes go before routes because Envoy asks for a route configuration only
// when a scope names it.
var additions = append(slices.Clone(foundations),
	snapshot.ListenerType,
	snapshot.ScopedRouteType,
	snapshot.RouteType,
	snapshot.ExtensionType,
)

// foundations are what the other types lead to. They do not wait for one
// another's ACK: Envoy withholds that of clusters until they are warm, and
// clusters are not warm until their endpoints and secrets have come. When a client
// has acknowledged them, clusters may still have to warm before anything is led
// there, if it is not an Envoy that does so.
var foundations = []string{
	snapshot.ClusterType,
	snapshot.EndpointType,
	snapshot.SecretType,
}

// removals is the order in which resources are taken away, when every addition
// was answered and the drain delay is over. What refers goes before what is
// referred to; a client that drops a cluster or a scope unsubscribes from its
// endpoints or routes by itself.
var removals = []string{
	snapshot.ListenerType,
	snapshot.ScopedRouteType,
	snapshot.RouteType,
	snapshot.ExtensionType,
	snapshot.ClusterType,
	snapshot.EndpointType,
	snapshot.SecretType,
}

// reach is what a resource of a type may lead to, directly or not.
var reach = map[string][]string{
	snapshot.ListenerType:    {snapshot.RouteType, snapshot.ExtensionType, snapshot.ClusterType, snapshot.EndpointType, snapshot.SecretType},
	snapshot.ScopedRouteType: {snapshot.RouteType, snapshot.ClusterType, snapshot.EndpointType, snapshot.SecretType},
	snapshot.RouteType:       {snapshot.ClusterType, snapshot.EndpointType, snapshot.SecretType},
	snapshot.ExtensionType:   {snapshot.ClusterType, snapshot.EndpointType, snapshot.SecretType},
	snapshot.ClusterType:     {snapshot.EndpointType, snapshot.SecretType},
}

// ordered reports whether the type takes part in make-before-break.
func ordered(typeURL string) bool { return slices.Contains(additions, typeURL) }
