package xdsbench

import (
	"fmt"

	"google.golang.org/grpc"
)

// Servers that are measured.
const (
	ServerWhole    = "xds-server" // this repository's, as it is built: files in, mTLS out
	ServerWeir     = "weir"       // what of it lies behind the catalog, in the place of the two below
	ServerSnapshot = "snapshot"   // go-control-plane's server with its SnapshotCache
	ServerLinear   = "linear"     // go-control-plane's server with a LinearCache for each type
)

// Changes that are measured.
const (
	changeWeight  = "weight"  // a weight step of one model: one route configuration, to which clients subscribe by name
	changeCluster = "cluster" // the connect timeout of one version: one cluster, to which clients subscribe by wildcard
)

// subject is a server under measurement.
type subject interface {
	changer
	register(grpc.ServiceRegistrar)
	resources() [kinds]int // that every client gets
}

// changer puts one change in force. It returns when the server has taken the
// change; from then on it is the server's business.
type changer interface {
	change(what string, model, step int) error
}

// changed is the resource that a change changes.
func changed(what string, model int) (lead, error) {
	switch what {
	case changeWeight:
		return routeOf(model), nil
	case changeCluster:
		return clusterOf(model), nil
	default:
		return lead{}, fmt.Errorf("unknown change %q", what)
	}
}
