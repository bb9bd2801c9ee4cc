package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// Headers between filter, routes and the model's server.
const (
	headerModel   = "x-weir-model"
	headerBucket  = "x-weir-bucket"
	headerVersion = "x-weir-version"
	headerReplied = "x-weir-replied"

	headerUpstreamModel = "x-weir-upstream-model"
)

// workloadAPI is the static cluster of Envoy's bootstrap that serves SDS.
const workloadAPI = "workload_api"

// ClusterName names the cluster of a model's version.
func ClusterName(model, version string) string { return model + "@" + version }

// AssignmentName names the endpoints of a model's version: the cluster's name,
// and the identity that they prove. A cluster that is replaced by one that speaks
// TLS, or no longer does, serves on until the new one is warm; were the endpoints
// shared, the old one would speak to the new servers in a way they do not
// understand.
func AssignmentName(model string, version *catalog.Version) string {
	name := ClusterName(model, version.Name)
	if version.Peer.IsZero() {
		return name
	}
	return name + "|" + version.Peer.String()
}

// ListenerName names a gateway's listener.
func ListenerName(gateway, listener string) string { return gateway + "/" + listener }

// RateLimitCluster names the cluster of the service that keeps budgets for a gateway.
func RateLimitCluster(gateway string) string { return "weir-ratelimit/" + gateway }

// TracingCluster names the cluster of the collector of a gateway's spans.
func TracingCluster(gateway string) string { return "weir-tracing/" + gateway }

// RateLimitFilter names the configuration of the filter that asks that service, for
// the limits that refuse while it cannot be asked (spec.FailClosed), or those that do not.
func RateLimitFilter(gateway string, onFailure spec.Failure) string {
	return "weir-ratelimit-" + onFailure.String() + "/" + gateway
}

// FilterName names the filter configuration of a gateway.
func FilterName(gateway string) string { return "weir-filter/" + gateway }

// TokensName names the configuration of the filter that verifies a gateway's tokens.
func TokensName(gateway string) string { return "weir-tokens/" + gateway }

// KeysClusterName names the cluster from which the keys of a provider of tokens are
// fetched. No model's cluster has such a name: it is without @.
func KeysClusterName(gateway, provider string) string { return "keys/" + gateway + "/" + provider }

// fromADS takes a resource from the aggregated stream.
func fromADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

// pack puts a message into an Any, deterministically.
func pack(message proto.Message) *anypb.Any {
	packed := &anypb.Any{}
	if err := anypb.MarshalFrom(packed, message, proto.MarshalOptions{Deterministic: true}); err != nil {
		// Only text that is not UTF-8 can fail, and none gets into a catalog.
		panic("translate: " + err.Error()) //nolint:forbidigo // a mistake in this program, not in its input
	}
	return packed
}
