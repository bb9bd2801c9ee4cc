package deltaxds

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

var testTime = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	filterName = "weir-filter/gw"
	secretName = "gw/https"
)

// mesh describes a snapshot in the few words that tests need.
type mesh struct {
	models   map[string][]string // model -> versions, the clusters of its route
	timeouts map[string]int      // cluster -> connect timeout in seconds, to change it
	ports    map[string]int      // cluster -> endpoint port
	checked  map[string]bool     // clusters with health checks
	secret   string              // content of the listener's certificate, if any
	policy   string              // content of the filter configuration
	listener int                 // per-connection buffer limit, to change the listener
}

func (m mesh) snapshot(t testing.TB) *snapshot.Snapshot {
	t.Helper()
	var all []*snapshot.Resource
	add := func(name string, message proto.Message) {
		r, err := snapshot.NewResource(name, message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	for model, versions := range m.models {
		for _, v := range versions {
			name := model + "@" + v
			cluster := &clusterv3.Cluster{
				Name:                 name,
				ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
				ConnectTimeout:       durationpb.New(time.Duration(m.timeouts[name]+1) * time.Second),
			}
			if m.checked[name] {
				cluster.HealthChecks = []*corev3.HealthCheck{{Timeout: durationpb.New(time.Second)}}
			}
			add(name, cluster)
			add(name, &endpointv3.ClusterLoadAssignment{ClusterName: name, Policy: &endpointv3.ClusterLoadAssignment_Policy{
				OverprovisioningFactor: wrapperspb.UInt32(uint32(m.ports[name] + 100)),
			}})
		}
		all = append(all, testRoute(t, model, versions, 1))
		add(model, &routev3.ScopedRouteConfiguration{Name: model, RouteConfigurationName: model})
	}
	add("gw/http", testListener(t, m.listener, m.secret != ""))
	if m.secret != "" {
		add(secretName, &tlsv3.Secret{Name: secretName, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: m.secret}},
		}}})
	}
	add(filterName, &corev3.TypedExtensionConfig{Name: filterName, TypedConfig: pack(t, wrapperspb.String(m.policy))})
	snap, err := snapshot.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// testRoute leads to a model's versions; the first has the weight.
func testRoute(t testing.TB, model string, versions []string, weight uint32) *snapshot.Resource {
	t.Helper()
	split := &routev3.WeightedCluster{}
	for _, v := range versions {
		split.Clusters = append(split.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: model + "@" + v, Weight: wrapperspb.UInt32(weight)})
		weight = 1
	}
	r, err := snapshot.NewResource(model, &routev3.RouteConfiguration{Name: model, VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"},
		Routes: []*routev3.Route{{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_WeightedClusters{WeightedClusters: split},
		}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testListener(t testing.TB, limit int, tls bool) *listenerv3.Listener {
	manager := &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: &hcmv3.ScopedRoutes{
			ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRds{ScopedRds: &hcmv3.ScopedRds{}},
		}},
		HttpFilters: []*hcmv3.HttpFilter{{Name: filterName, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{}}}},
	}
	listener := &listenerv3.Listener{
		Name: "gw/http", PerConnectionBufferLimitBytes: wrapperspb.UInt32(uint32(limit + 1)),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(t, manager)},
		}}}},
	}
	if tls {
		listener.FilterChains[0].TransportSocket = &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{
			TypedConfig: pack(t, &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
				TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: secretName, SdsConfig: &corev3.ConfigSource{
					ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
				}}},
			}}),
		}}
	}
	return listener
}

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// randomMesh draws one of many small configurations.
func randomMesh(r *rand.Rand) mesh {
	m := mesh{models: map[string][]string{}, timeouts: map[string]int{}, ports: map[string]int{}, checked: map[string]bool{}}
	for i := range 4 {
		model := fmt.Sprintf("m%d", i)
		for j := range 3 {
			version := fmt.Sprintf("v%d", j)
			m.timeouts[model+"@"+version] = r.IntN(2)
			m.ports[model+"@"+version] = r.IntN(2)
			m.checked[model+"@"+version] = j == 2
			if r.IntN(2) == 0 {
				m.models[model] = append(m.models[model], version)
			}
		}
	}
	m.policy = fmt.Sprint(r.IntN(3))
	m.listener = r.IntN(2)
	m.secret = []string{"", "one", "two"}[r.IntN(3)]
	return m
}

// allNames are names that random requests draw from: of some that exist now and
// then, and of one that never does.
func allNames() []string {
	names := []string{"never", "gw/http", filterName, secretName, "m0", "m1", "m2", "m3"}
	for i := range 4 {
		for j := range 3 {
			names = append(names, fmt.Sprintf("m%d@v%d", i, j))
		}
	}
	slices.Sort(names)
	return names
}
