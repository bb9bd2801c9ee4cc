package snapshot_test

import (
	"reflect"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	groupv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/priority_group/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

func mirror(cluster string) []*routev3.RouteAction_RequestMirrorPolicy {
	return []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: cluster}, {}}
}

// allRoutes leads to clusters in every way.
func allRoutes(name string) *routev3.RouteConfiguration {
	config := routes(name, "one", "two", "", "one")
	config.RequestMirrorPolicies = mirror("mirror-1")
	config.VirtualHosts[0].RequestMirrorPolicies = mirror("mirror-2")
	config.VirtualHosts[0].Routes[0].GetRoute().RequestMirrorPolicies = mirror("mirror-3")
	config.VirtualHosts[0].Routes = append(config.VirtualHosts[0].Routes, &routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_InlineClusterSpecifierPlugin{InlineClusterSpecifierPlugin: &routev3.ClusterSpecifierPlugin{
			Extension: &corev3.TypedExtensionConfig{TypedConfig: groups("first", "next")},
		}},
	}}})
	config.VirtualHosts[0].Routes = append(config.VirtualHosts[0].Routes, &routev3.Route{Action: &routev3.Route_DirectResponse{}})
	return config
}

// groups tries clusters one after the other.
func groups(clusters ...string) *anypb.Any {
	specifier := &groupv3.PriorityGroupClusterSpecifier{}
	for _, name := range clusters {
		specifier.PriorityGroups = append(specifier.PriorityGroups, &groupv3.PriorityGroup{Clusters: []*groupv3.ClusterWeight{{ClusterName: name}}})
	}
	packed, err := anypb.New(specifier)
	if err != nil {
		panic(err)
	}
	return packed
}

func overADS(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}}
}

func socket(packed *anypb.Any) *corev3.TransportSocket {
	return &corev3.TransportSocket{ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}
}

func TestReferences(t *testing.T) {
	named := cluster("c")
	named.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{ServiceName: "service"}
	secure := &clusterv3.Cluster{Name: "c", TransportSocket: socket(pack(t, &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: overADS("roots")},
	}})), TransportSocketMatches: []*clusterv3.Cluster_TransportSocketMatch{{TransportSocket: socket(pack(t, &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{ValidationContextSdsSecretConfig: overADS("combined")}},
	}}))}}}
	public := tlsListener(t, "l", "g/public")
	public.DefaultFilterChain = &listenerv3.FilterChain{TransportSocket: socket(pack(t, &tlsv3.DownstreamTlsContext{
		SessionTicketKeysType: &tlsv3.DownstreamTlsContext_SessionTicketKeysSdsSecretConfig{SessionTicketKeysSdsSecretConfig: overADS("tickets")},
	}))}
	discovered := &listenerv3.Listener{
		Name:            "l",
		ListenerFilters: []*listenerv3.ListenerFilter{{Name: "lf", ConfigType: &listenerv3.ListenerFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{}}}},
		FilterChains:    []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{Name: "nf", ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{}}}}}},
	}
	tokens := &corev3.TypedExtensionConfig{Name: "t", TypedConfig: pack(t, &jwtv3.JwtAuthentication{Providers: map[string]*jwtv3.JwtProvider{
		"remote": {JwksSourceSpecifier: &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{
			HttpUri: &corev3.HttpUri{HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: "keys"}},
		}}},
		"local": {},
	}})}
	tests := map[string]struct {
		message proto.Message
		want    string // type and name each
	}{
		"static cluster":     {&clusterv3.Cluster{Name: "c"}, ""},
		"EDS cluster":        {cluster("c"), "ClusterLoadAssignment c"},
		"EDS of a service":   {named, "ClusterLoadAssignment service"},
		"secrets of cluster": {secure, "Secret combined, Secret roots"},
		"endpoints":          {endpoints("e"), ""},
		"secret":             {secret("s", "", ""), ""},
		"routes":             {allRoutes("r"), "Cluster first, Cluster mirror-1, Cluster mirror-2, Cluster mirror-3, Cluster next, Cluster one, Cluster two"},
		"scope":              {scope("s", "r"), "RouteConfiguration r"},
		"inline scope":       {&routev3.ScopedRouteConfiguration{Name: "s", RouteConfiguration: routes("r", "one")}, "Cluster one"},
		"scoped listener":    {listener(t, "l", scopedManager("f")), "TypedExtensionConfig f"},
		"RDS listener":       {listener(t, "l", &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "r"}}}), "RouteConfiguration r"},
		"inline listener":    {listener(t, "l", &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes("r", "one")}}), "Cluster one"},
		"public listener":    {public, "Secret g/public, Secret tickets"},
		"discovered filters": {discovered, "TypedExtensionConfig lf, TypedExtensionConfig nf"},
		"extension":          {&corev3.TypedExtensionConfig{Name: "f"}, ""},
		"tokens":             {tokens, "Cluster keys"},
	}
	for name, test := range tests {
		m, ok := test.message.(interface{ GetName() string })
		own := "e"
		if ok {
			own = m.GetName()
		}
		var got []string
		for _, ref := range resource(t, own, test.message).References() {
			got = append(got, ref.TypeURL[strings.LastIndex(ref.TypeURL, ".")+1:]+" "+ref.Name)
		}
		if all := strings.Join(got, ", "); all != test.want {
			t.Errorf("%s refers to %s, want %s", name, all, test.want)
		}
	}
}

// TestNewResource: what cannot be served is refused when it is made.
func TestNewResource(t *testing.T) {
	torn := func(typeURL proto.Message) *anypb.Any {
		packed := pack(t, typeURL)
		packed.Value = []byte{0xff}
		return packed
	}
	tests := map[string]struct {
		name    string
		message proto.Message
		want    string
	}{
		"another name":    {"c", cluster("x"), `Cluster "c" calls itself "x"`},
		"torn manager":    {"l", &listenerv3.Listener{Name: "l", FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: torn(&hcmv3.HttpConnectionManager{})}}}}}}, "decode the connection manager"},
		"torn TLS":        {"l", &listenerv3.Listener{Name: "l", DefaultFilterChain: &listenerv3.FilterChain{TransportSocket: socket(torn(&tlsv3.DownstreamTlsContext{}))}}, "decode the TLS context"},
		"torn TLS client": {"c", &clusterv3.Cluster{Name: "c", TransportSocket: socket(torn(&tlsv3.UpstreamTlsContext{}))}, "decode the TLS context"},
		"torn tokens":     {"t", &corev3.TypedExtensionConfig{Name: "t", TypedConfig: torn(&jwtv3.JwtAuthentication{})}, "decode the providers of tokens"},
		"not UTF-8":       {"c", &clusterv3.Cluster{Name: "c", AltStatName: "\xff"}, `encode envoy.config.cluster.v3.Cluster "c"`},
	}
	for name, test := range tests {
		if _, err := snapshot.NewResource(test.name, test.message); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", name, err, test.want)
		}
	}
	first := resource(t, "c", cluster("c"))
	second := first.From("models.yaml:3")
	if second.Origin != "models.yaml:3" || first.Origin != "" || second.Version != first.Version || !reflect.DeepEqual(second.References(), first.References()) {
		t.Errorf("from elsewhere %+v is %+v", first, second)
	}
}

// TestOrigins: an origin is no part of the content, is kept up to date, and is
// in the errors.
func TestOrigins(t *testing.T) {
	s, err := build(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	moved := resource(t, "m@1", endpoints("m@1")).From("models.yaml:9")
	next, err := s.With([]*snapshot.Resource{moved}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next.Version() != s.Version() || snapshot.Diff(s, next) != nil {
		t.Error("an origin changes the version")
	}
	if got := next.Get(snapshot.EndpointType, "m@1"); got.Origin != "models.yaml:9" {
		t.Errorf("the origin is %q", got.Origin)
	}
	_, err = next.With([]*snapshot.Resource{resource(t, "m", routes("m", "gone")).From("models.yaml:4"), resource(t, "x", endpoints("x")).From("models.yaml:5")}, nil)
	for _, want := range []string{`RouteConfiguration "m" (models.yaml:4) refers to Cluster "gone"`, `nothing refers to ClusterLoadAssignment "x" (models.yaml:5)`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// TestWith: what New cannot show.
func TestWith(t *testing.T) {
	s, err := build(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	ref := func(url, name string) []snapshot.Ref { return []snapshot.Ref{{TypeURL: url, Name: name}} }
	tests := map[string]struct {
		updates  []*snapshot.Resource
		removals []snapshot.Ref
		want     string
	}{
		"what is not there":        {nil, ref(snapshot.ClusterType, "none"), ""},
		"what is needed":           {nil, ref(snapshot.ClusterType, "m@1"), `RouteConfiguration "m" refers to Cluster "m@1"`},
		"an unknown type":          {nil, ref("x", "m"), `no snapshot holds the type "x"`},
		"updated and removed":      {[]*snapshot.Resource{resource(t, "m@1", cluster("m@1"))}, ref(snapshot.ClusterType, "m@1"), "twice in one change"},
		"removed twice":            {nil, append(ref(snapshot.ClusterType, "x"), ref(snapshot.ClusterType, "x")...), "twice in one change"},
		"the last reference":       {[]*snapshot.Resource{resource(t, "m@2", &clusterv3.Cluster{Name: "m@2"})}, nil, `nothing refers to ClusterLoadAssignment "m@2"`},
		"the last that has scopes": {nil, append(ref(snapshot.ListenerType, "l"), ref(snapshot.ExtensionType, "f")...), "no listener looks for scopes"},
	}
	for name, test := range tests {
		next, err := s.With(test.updates, test.removals)
		if test.want == "" && (err != nil || next.Version() != s.Version()) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error is %v, want %q", name, err, test.want)
		}
	}
	if s.Get("x", "m") != nil || s.Len("x") != 0 || len(s.Names("x")) != 0 {
		t.Error("an unknown type has resources")
	}
	for range s.All(snapshot.ClusterType) { // stopping early is allowed
		break
	}
	many := make([]*snapshot.Resource, 100)
	for i := range many {
		name := strings.Repeat("x", i+1)
		many[i] = resource(t, name, cluster(name))
	}
	if _, err := s.With(many, nil); err == nil || !strings.Contains(err.Error(), "and there are more") || strings.Count(err.Error(), "\n") != 16 {
		t.Errorf("a hundred problems give %v", err)
	}
}
