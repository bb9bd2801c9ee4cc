// Package xdsbench measures the control plane at scale: how long one change
// takes from its acceptance to the last ACK of many Envoys, what it costs in
// bytes and memory, and the same for go-control-plane's caches on the same
// resources, over the same gRPC, with the same clients.
//
// Each server runs in a process of its own, so that its memory is its own. The
// clients are simulated, so that a thousand of them fit beside the server; real
// Envoys join them where an Envoy is given.
package xdsbench

import "github.com/weirmesh/weir/xds-server/internal/snapshot"

// kind is a resource type as an index into typeURLs.
type kind int

const (
	clusters kind = iota
	endpoints
	listeners
	scopes
	routes
	extensions
	kinds // how many there are
)

var typeURLs = [kinds]string{
	clusters:   snapshot.ClusterType,
	endpoints:  snapshot.EndpointType,
	listeners:  snapshot.ListenerType,
	scopes:     snapshot.ScopedRouteType,
	routes:     snapshot.RouteType,
	extensions: snapshot.ExtensionType,
}

// kindOf is the kind with a type URL; ok is false if there is none.
func kindOf(url []byte) (k kind, ok bool) {
	for i, known := range typeURLs {
		if string(url) == known {
			return kind(i), true
		}
	}
	return 0, false
}
