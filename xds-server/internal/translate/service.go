package translate

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	upstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirmesh/weir/xds-server/api"
)

// serviceCluster is a service that is spoken to over gRPC, as the Envoy with this identity
// reaches it. The peer is what it proves; zero: it is spoken to in plaintext.
func serviceCluster(name string, endpoints []api.Endpoint, timeout time.Duration, peer, envoy spiffeid.ID) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 name,
		ConnectTimeout:       durationpb.New(timeout),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       loadAssignment(name, endpoints),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(&upstreamv3.HttpProtocolOptions{UpstreamProtocolOptions: http2Alone()}),
		},
	}
	if areNames(endpoints) {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED
	}
	if !peer.IsZero() {
		c.TransportSocket = upstreamTLS(peer, envoy)
	}
	return c
}
