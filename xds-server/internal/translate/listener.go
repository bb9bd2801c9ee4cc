package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	requestidv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// listener is one socket with one connection manager behind it.
func listener(gateway *catalog.Gateway, l *catalog.Listener, decompress bool, envoy spiffeid.ID) *listenerv3.Listener {
	chain := &listenerv3.FilterChain{
		Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(manager(gateway, l, decompress))},
		}},
	}
	if l.TLS != nil {
		chain.TransportSocket = downstreamTLS(ListenerName(gateway.Name, l.Name), l.TLS, envoy)
	}
	return &listenerv3.Listener{
		Name:                          ListenerName(gateway.Name, l.Name),
		Address:                       socketAddress(l.Address.Addr().String(), l.Address.Port()),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(l.ConnectionBuffer),
		FilterChains:                  []*listenerv3.FilterChain{chain},
	}
}

func socketAddress(host string, port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

// manager is the HTTP connection manager. It is the edge: what clients say of
// addresses and of Envoy's own x-envoy-* headers is not believed.
func manager(gateway *catalog.Gateway, l *catalog.Listener, decompress bool) *hcmv3.HttpConnectionManager {
	m := &hcmv3.HttpConnectionManager{
		StatPrefix:          gateway.Name + "." + l.Name,
		CodecType:           hcmv3.HttpConnectionManager_AUTO, // HTTP/1.1, HTTP/2, and h2c with prior knowledge
		RouteSpecifier:      &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: scopedRoutes()},
		HttpFilters:         httpFilters(gateway, decompress),
		MaxRequestHeadersKb: wrapperspb.UInt32(l.MaxRequestHeadersKB),
		LocalReplyConfig:    localReplies(gateway),
		GenerateRequestId:   wrapperspb.Bool(true),
		// The id that a client gives its request is kept as it is, and said in the answer.
		PreserveExternalRequestId:    true,
		AlwaysSetRequestIdInResponse: true,
		RequestIdExtension: &hcmv3.RequestIDExtension{TypedConfig: pack(&requestidv3.UuidRequestIdConfig{
			PackTraceReason: wrapperspb.Bool(false), // it would change a character
		})},
		UseRemoteAddress: wrapperspb.Bool(true),
		InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{
			CidrRanges: nobody(), // no client is internal, so none may set timeouts or retries by header
		},
		StreamIdleTimeout:     durationpb.New(l.StreamIdleTimeout),
		RequestHeadersTimeout: durationpb.New(requestHeadersTimeout),
		// The filter answers encoded slashes itself, so they must reach it as they are.
		NormalizePath:                wrapperspb.Bool(true),
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_KEEP_UNCHANGED,
	}
	if gateway.Tokens != nil {
		m.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{unmark()}
	}
	m.Tracing = tracing(gateway)
	if gateway.AccessLog {
		m.AccessLog = accessLog(gateway.Settings.Record)
	}
	if gateway.Settings.Evidence != spec.EvidenceNone {
		m.AccessLog = append(m.AccessLog, evidenceLog())
	}
	return m
}

// nobody is a range that no client's address is in: the discard prefix of RFC
// 6666. An empty list would mean Envoy's default, the private ranges.
func nobody() []*corev3.CidrRange {
	return []*corev3.CidrRange{{AddressPrefix: "100::", PrefixLen: wrapperspb.UInt32(64)}}
}

// scopedRoutes picks the route configuration by the model that the filter named.
func scopedRoutes() *hcmv3.ScopedRoutes {
	extractor := &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor{
		Name:        headerModel,
		ExtractType: &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor_Index{Index: 0},
	}
	return &hcmv3.ScopedRoutes{
		Name: "models",
		ScopeKeyBuilder: &hcmv3.ScopedRoutes_ScopeKeyBuilder{
			Fragments: []*hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder{{
				Type: &hcmv3.ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor_{HeaderValueExtractor: extractor},
			}},
		},
		RdsConfigSource: fromADS(),
		ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRds{ScopedRds: &hcmv3.ScopedRds{ScopedRdsConfigSource: fromADS()}},
	}
}

// httpFilters are those that look at a request: at its token, if anybody does, the
// filter, those that ask a rate limit service what the filter tells them to, and the
// router; and around the filter those that decompress, if a policy wants that. All but
// the router and the last get their configuration on its own, so that a change of policy
// or of keys drains no connection.
func httpFilters(gateway *catalog.Gateway, decompress bool) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	if gateway.Tokens != nil {
		filters = append(filters, discovered(TokensName(gateway.Name), "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"))
	}
	if decompress {
		filters = append(filters, requestDecompression(uint32(gateway.Settings.HoldLimit))...)
	}
	filters = append(filters, discovered(FilterName(gateway.Name), "envoy.extensions.filters.http.wasm.v3.Wasm"))
	if gateway.RateLimit != nil {
		for _, onFailure := range failures {
			filters = append(filters, discovered(RateLimitFilter(gateway.Name, onFailure), "envoy.extensions.filters.http.ratelimit.v3.RateLimit"))
		}
	}
	if decompress {
		filters = append(filters, answerDecompression()...)
	}
	return append(filters, httpFilter("envoy.filters.http.router", &routerv3.Router{
		SuppressEnvoyHeaders: true, // upstreams and clients need not know
		UpstreamHttpFilters:  upstreamFilters(true),
	}))
}

// discovered is a filter whose configuration, a message of the type, is a resource of
// the filter's name.
func discovered(name, message string) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name: name,
		ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: fromADS(),
			TypeUrls:     []string{"type.googleapis.com/" + message},
		}},
	}
}
