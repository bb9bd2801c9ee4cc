package translate

import (
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

const (
	// upstreamIdle closes connections before servers do: Go's and most others
	// keep idle ones longer, and a request on a closing one fails.
	upstreamIdle = time.Minute
	// upstreamCap bounds connections, waiting and running requests of a version.
	// Envoy's default of 1024 is soon reached by streams that last minutes.
	upstreamCap = 10_000
)

// cluster is a model's version as the Envoy with this identity reaches it.
func cluster(model *catalog.Model, version *catalog.Version, envoy spiffeid.ID) *clusterv3.Cluster {
	name := ClusterName(model.Name, version.Name)
	c := &clusterv3.Cluster{
		Name:                          name,
		ConnectTimeout:                durationpb.New(version.ConnectTimeout),
		LbPolicy:                      clusterv3.Cluster_LEAST_REQUEST,
		CircuitBreakers:               circuitBreakers(),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocolOptions(version)},
	}
	if needsDNS(version) {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.LoadAssignment = loadAssignment(name, version.Endpoints)
		c.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED
	} else {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromADS(), ServiceName: AssignmentName(model.Name, version)}
	}
	if !version.Peer.IsZero() {
		c.TransportSocket = upstreamTLS(version.Peer, envoy)
	}
	if version.HealthCheck != nil {
		c.HealthChecks = []*corev3.HealthCheck{healthCheck(version)}
		c.IgnoreHealthOnHostRemoval = true
	}
	return c
}

// needsDNS reports whether Envoy has to look up any endpoint.
func needsDNS(version *catalog.Version) bool {
	return slices.ContainsFunc(version.Endpoints, func(e api.Endpoint) bool { return !e.IsIP() })
}

func loadAssignment(name string, endpoints []api.Endpoint) *endpointv3.ClusterLoadAssignment {
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, e := range endpoints {
		locality.LbEndpoints = append(locality.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socketAddress(e.Host(), e.Port())}},
		})
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{locality}}
}

func circuitBreakers() *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     wrapperspb.UInt32(upstreamCap),
		MaxPendingRequests: wrapperspb.UInt32(upstreamCap),
		MaxRequests:        wrapperspb.UInt32(upstreamCap),
	}}}
}

// protocolOptions let TLS negotiate HTTP/2 or HTTP/1.1; plaintext is HTTP/1.1.
func protocolOptions(version *catalog.Version) *anypb.Any {
	options := &upstreamv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(upstreamIdle)},
	}
	if version.Peer.IsZero() {
		options.UpstreamProtocolOptions = &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
					HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
				},
			},
		}
	} else {
		options.UpstreamProtocolOptions = &upstreamv3.HttpProtocolOptions_AutoConfig{
			AutoConfig: &upstreamv3.HttpProtocolOptions_AutoHttpConfig{},
		}
	}
	return pack(options)
}

func healthCheck(version *catalog.Version) *corev3.HealthCheck {
	check := version.HealthCheck
	return &corev3.HealthCheck{
		Timeout:            durationpb.New(check.Timeout),
		Interval:           durationpb.New(check.Interval),
		UnhealthyThreshold: wrapperspb.UInt32(check.UnhealthyThreshold),
		HealthyThreshold:   wrapperspb.UInt32(check.HealthyThreshold),
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{
			// Without one, Envoy sends the cluster's name, whose @ strict servers refuse with 400.
			Host:                version.Endpoints[0].String(),
			Path:                check.Path,
			RequestHeadersToAdd: setVersion(version.Name),
		}},
	}
}
