package translate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// TestEnvoyAccepts puts every golden input through a real Envoy.
func TestEnvoyAccepts(t *testing.T) {
	envoy := artefact.Envoy(t)
	for _, path := range inputs(t) {
		snapshots, err := translate.Translate(load(t, path), translate.Options{Module: []byte("module")})
		if err != nil {
			t.Fatal(err)
		}
		for id, s := range snapshots {
			t.Run(filepath.Base(path)+id.Path(), func(t *testing.T) { validate(t, envoy, wrap(t, s, false)) })
		}
	}
}

// TestEnvoyAcceptsModule does so with the built module, so that the policy
// document goes through the filter's own configuration callback.
func TestEnvoyAcceptsModule(t *testing.T) {
	envoy := artefact.Envoy(t)
	module, err := os.ReadFile(artefact.Built(t, "filter.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := translate.Translate(load(t, "testdata/in/example.yaml"), translate.Options{Module: module})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots {
		validate(t, envoy, wrap(t, s, true))
	}
}

func validate(t *testing.T, envoy string, bootstrap *bootstrapv3.Bootstrap) {
	t.Helper()
	config, err := protojson.Marshal(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	warnings, err := envoyproc.Validate(t.Context(), envoy, t.TempDir(), config)
	if err != nil || strings.Contains(warnings, "deprecated") {
		t.Errorf("%v\n%s", err, warnings)
	}
}

// wrap makes a bootstrap of a snapshot. Listeners and clusters go in as they
// are; what they take from the stream goes in a second time, inline, so that it
// is checked too.
func wrap(t *testing.T, s *snapshot.Snapshot, withModule bool) *bootstrapv3.Bootstrap {
	t.Helper()
	static := &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{local("workload_api"), local("xds")}}
	for r := range s.All(snapshot.ListenerType) {
		static.Listeners = append(static.Listeners, decode(t, r, &listenerv3.Listener{}))
	}
	for r := range s.All(snapshot.ClusterType) {
		static.Clusters = append(static.Clusters, onThisMachine(t, decode(t, r, &clusterv3.Cluster{})))
	}
	for r := range s.All(snapshot.EndpointType) {
		c := local("endpoints of " + r.Name)
		c.LoadAssignment = decode(t, r, &endpointv3.ClusterLoadAssignment{})
		static.Clusters = append(static.Clusters, c)
	}
	for r := range s.All(snapshot.RouteType) {
		static.Listeners = append(static.Listeners, inline("routes of "+r.Name, decode(t, r, &routev3.RouteConfiguration{}), nil))
	}
	for r := range s.All(snapshot.SecretType) {
		static.Listeners = append(static.Listeners, showing("certificate of "+r.Name, decode(t, r, &tlsv3.Secret{}).GetTlsCertificate()))
	}
	for r := range s.All(snapshot.ExtensionType) {
		extension := decode(t, r, &corev3.TypedExtensionConfig{})
		tokens := extension.GetTypedConfig().MessageIs(&jwtv3.JwtAuthentication{})
		if withModule && !tokens {
			if err := extension.GetTypedConfig().UnmarshalTo(&httpwasmv3.Wasm{}); err != nil {
				t.Fatal(err)
			}
		}
		if withModule || tokens {
			static.Listeners = append(static.Listeners, inline("filter of "+r.Name, &routev3.RouteConfiguration{}, extension))
		}
	}
	return &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "test", Cluster: "test"},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{AdsConfig: &corev3.ApiConfigSource{
			ApiType: corev3.ApiConfigSource_DELTA_GRPC, TransportApiVersion: corev3.ApiVersion_V3,
			GrpcServices: []*corev3.GrpcService{{
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: "xds"}},
			}},
		}},
		StaticResources: static,
	}
}

// onThisMachine has a cluster read an authority that there is here.
func onThisMachine(t *testing.T, c *clusterv3.Cluster) *clusterv3.Cluster {
	t.Helper()
	context := &tlsv3.UpstreamTlsContext{}
	if c.GetTransportSocket() == nil {
		return c
	}
	if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
		t.Fatal(err)
	}
	ca := context.GetCommonTlsContext().GetValidationContext().GetTrustedCa()
	if ca.GetFilename() == "" {
		return c
	}
	path, err := filepath.Abs("testdata/authority.pem")
	if err != nil {
		t.Fatal(err)
	}
	ca.Specifier = &corev3.DataSource_Filename{Filename: path}
	c.TransportSocket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: pack(context)}
	return c
}

func local(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(1e9),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: name},
	}
}

// inline is a listener with routes of its own, validated against the clusters.
func inline(name string, routes *routev3.RouteConfiguration, filter *corev3.TypedExtensionConfig) *listenerv3.Listener {
	routes.ValidateClusters = wrapperspb.Bool(true)
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     "inline",
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes},
	}
	if filter != nil {
		manager.HttpFilters = append(manager.HttpFilters, &hcmv3.HttpFilter{
			Name: filter.GetName(), ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: filter.GetTypedConfig()},
		})
	}
	manager.HttpFilters = append(manager.HttpFilters, &hcmv3.HttpFilter{
		Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(&routerv3.Router{})},
	})
	return &listenerv3.Listener{
		Name: name,
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 0},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(manager)},
		}}}},
	}
}

// showing is a listener that shows a certificate, so that Envoy loads it.
func showing(name string, certificate *tlsv3.TlsCertificate) *listenerv3.Listener {
	l := inline(name, &routev3.RouteConfiguration{}, nil)
	l.FilterChains[0].TransportSocket = &corev3.TransportSocket{
		Name: "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.DownstreamTlsContext{
			CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificates: []*tlsv3.TlsCertificate{certificate}},
		})},
	}
	return l
}

func decode[M proto.Message](t *testing.T, r *snapshot.Resource, into M) M {
	t.Helper()
	if err := r.Body.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
	return into
}

func pack(message proto.Message) *anypb.Any {
	packed, err := anypb.New(message)
	if err != nil {
		panic(err)
	}
	return packed
}
