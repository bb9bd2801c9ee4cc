package translate

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// collectorTimeout bounds how long it takes to reach a collector.
const collectorTimeout = 5 * time.Second

// spanTags are what a span says besides Envoy's own tags. Like in the access log, nothing
// in them comes from the body.
var spanTags = []struct{ name, format string }{
	{"url.path", "%PATH(NQ)%"},
	{"weir.model", "%REQ(X-WEIR-MODEL)%"},
	{"weir.version", "%REQ(X-WEIR-VERSION)%"},
}

// tracing sends spans of a gateway's requests to its collector; nil: there is none.
func tracing(gateway *catalog.Gateway) *hcmv3.HttpConnectionManager_Tracing {
	if gateway.Tracing == nil {
		return nil
	}
	t := &hcmv3.HttpConnectionManager_Tracing{
		// A client's trace goes on, by traceparent; x-client-trace-id, which asks for one, does nothing.
		ClientSampling: &typev3.Percent{Value: 0},
		RandomSampling: &typev3.Percent{Value: float64(gateway.Tracing.Percent)},
		// Of http.url, which has the query too, nothing is left but the host.
		MaxPathTagLength: wrapperspb.UInt32(0),
		Provider: &tracev3.Tracing_Http{
			Name: "envoy.tracers.opentelemetry",
			ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: pack(&tracev3.OpenTelemetryConfig{
				ServiceName: "weir/" + gateway.Name,
				GrpcService: &corev3.GrpcService{
					TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: TracingCluster(gateway.Name)}},
				},
			})},
		},
	}
	for _, tag := range spanTags {
		t.CustomTags = append(t.CustomTags, &tracingv3.CustomTag{Tag: tag.name, Type: &tracingv3.CustomTag_Value{Value: tag.format}})
	}
	return t
}
