package translate

import (
	"math"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
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
	// unbounded is the bound of all connections where each endpoint has its own.
	unbounded = math.MaxUint32
)

// cluster is a model's version as the Envoy with this identity reaches it.
func cluster(model *catalog.Model, version *catalog.Version, envoy spiffeid.ID) *clusterv3.Cluster {
	name := ClusterName(model.Name, version.Name)
	c := &clusterv3.Cluster{
		Name:                          name,
		Metadata:                      metadata(model, version),
		ConnectTimeout:                durationpb.New(version.ConnectTimeout),
		LbPolicy:                      clusterv3.Cluster_LEAST_REQUEST,
		CircuitBreakers:               circuitBreakers(&version.CircuitBreakers),
		OutlierDetection:              outlierDetection(version.Outliers),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocolOptions(model, version)},
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
	return areNames(version.Endpoints)
}

// areNames reports whether any endpoint is not an address.
func areNames(endpoints []api.Endpoint) bool {
	return slices.ContainsFunc(endpoints, func(e api.Endpoint) bool { return !e.IsIP() })
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

// circuitBreakers bound connections at each endpoint by default: so the bound
// follows the endpoints as Envoy knows them, and the cluster stays the same.
func circuitBreakers(bounds *catalog.CircuitBreakers) *clusterv3.CircuitBreakers {
	all := &clusterv3.CircuitBreakers_Thresholds{
		MaxConnections:     wrapperspb.UInt32(bounds.MaxConnections),
		MaxPendingRequests: wrapperspb.UInt32(bounds.MaxPendingRequests),
		MaxRequests:        wrapperspb.UInt32(bounds.MaxRequests),
		MaxRetries:         wrapperspb.UInt32(bounds.MaxRetries),
	}
	breakers := &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{all}}
	if bounds.MaxConnectionsPerEndpoint > 0 {
		all.MaxConnections = wrapperspb.UInt32(unbounded)
		breakers.PerHostThresholds = []*clusterv3.CircuitBreakers_Thresholds{{MaxConnections: wrapperspb.UInt32(bounds.MaxConnectionsPerEndpoint)}}
	}
	return breakers
}

// outlierDetection ejects by failures in a row alone: what else Envoy compares by
// default needs more endpoints and requests than most models have.
func outlierDetection(o *catalog.OutlierDetection) *clusterv3.OutlierDetection {
	if o == nil {
		return nil
	}
	return &clusterv3.OutlierDetection{
		Consecutive_5Xx:                    wrapperspb.UInt32(o.Consecutive5xx),
		EnforcingConsecutive_5Xx:           wrapperspb.UInt32(100),
		EnforcingConsecutiveGatewayFailure: wrapperspb.UInt32(0),
		EnforcingSuccessRate:               wrapperspb.UInt32(0),
		Interval:                           durationpb.New(o.Interval),
		BaseEjectionTime:                   durationpb.New(o.BaseEjectionTime),
		MaxEjectionPercent:                 wrapperspb.UInt32(o.MaxEjectionPercent),
		AlwaysEjectOneHost:                 wrapperspb.Bool(true),
	}
}

// protocolOptions let TLS negotiate HTTP/2 or HTTP/1.1; plaintext is HTTP/1.1. gRPC
// needs HTTP/2.
func protocolOptions(model *catalog.Model, version *catalog.Version) *anypb.Any {
	options := &upstreamv3.HttpProtocolOptions{
		HttpFilters:               mirrorFilters(model, version),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(upstreamIdle)},
	}
	switch {
	case version.GRPC:
		options.UpstreamProtocolOptions = http2Alone()
	case version.Peer.IsZero():
		options.UpstreamProtocolOptions = &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
					HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
				},
			},
		}
	default:
		options.UpstreamProtocolOptions = &upstreamv3.HttpProtocolOptions_AutoConfig{
			AutoConfig: &upstreamv3.HttpProtocolOptions_AutoHttpConfig{},
		}
	}
	return pack(options)
}

func http2Alone() *upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_ {
	return &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
			},
		},
	}
}

func healthCheck(version *catalog.Version) *corev3.HealthCheck {
	check, codec := version.HealthCheck, typev3.CodecClientType_HTTP1
	if version.GRPC {
		codec = typev3.CodecClientType_HTTP2
	}
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
			CodecClientType:     codec,
		}},
	}
}
