package snapshot_test

import (
	"reflect"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

func resource(t testing.TB, name string, message proto.Message) *snapshot.Resource {
	t.Helper()
	r, err := snapshot.NewResource(name, message)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}}
}

func endpoints(name string) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name}
}

func scope(name, routes string) *routev3.ScopedRouteConfiguration {
	return &routev3.ScopedRouteConfiguration{Name: name, RouteConfigurationName: routes}
}

// routes leads to one cluster alone and to the others by weight.
func routes(name, forced string, weighted ...string) *routev3.RouteConfiguration {
	split := &routev3.WeightedCluster{}
	for _, c := range weighted {
		split.Clusters = append(split.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: c})
	}
	return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{Routes: []*routev3.Route{
		{Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: forced}}}},
		{Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_WeightedClusters{WeightedClusters: split}}}},
	}}}}
}

func listener(t testing.TB, name string, manager *hcmv3.HttpConnectionManager) *listenerv3.Listener {
	t.Helper()
	config, err := anypb.New(manager)
	if err != nil {
		t.Fatal(err)
	}
	return &listenerv3.Listener{Name: name, FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: config},
	}}}}}
}

func scopedManager(filter string) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: &hcmv3.ScopedRoutes{
			ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRds{ScopedRds: &hcmv3.ScopedRds{}},
		}},
		HttpFilters: []*hcmv3.HttpFilter{{Name: filter, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{}}}},
	}
}

// whole is a consistent set.
func whole(t *testing.T) map[string]*snapshot.Resource {
	t.Helper()
	return map[string]*snapshot.Resource{
		"listener":  resource(t, "l", listener(t, "l", scopedManager("f"))),
		"filter":    resource(t, "f", &corev3.TypedExtensionConfig{Name: "f"}),
		"scope":     resource(t, "m", scope("m", "m")),
		"routes":    resource(t, "m", routes("m", "m@1", "m@1", "m@2")),
		"cluster1":  resource(t, "m@1", cluster("m@1")),
		"cluster2":  resource(t, "m@2", cluster("m@2")),
		"endpoint1": resource(t, "m@1", endpoints("m@1")),
		"endpoint2": resource(t, "m@2", endpoints("m@2")),
	}
}

func build(set map[string]*snapshot.Resource) (*snapshot.Snapshot, error) {
	var all []*snapshot.Resource
	for _, r := range set {
		if r != nil {
			all = append(all, r)
		}
	}
	return snapshot.New(all...)
}

func TestConsistent(t *testing.T) {
	inline := &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes("x", "gone")}}
	rds := &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "other"}}}
	tests := []struct {
		name   string
		change map[string]*snapshot.Resource
		want   string // part of the error; empty: consistent
	}{
		{"whole", nil, ""},
		{"a cluster that no route uses yet", map[string]*snapshot.Resource{"routes": resource(t, "m", routes("m", "m@1"))}, ""},
		{"no cluster", map[string]*snapshot.Resource{"cluster1": nil, "endpoint1": nil}, `RouteConfiguration "m" refers to Cluster "m@1"`},
		{"no weighted cluster", map[string]*snapshot.Resource{"cluster2": nil, "endpoint2": nil}, `RouteConfiguration "m" refers to Cluster "m@2"`},
		{"no endpoints", map[string]*snapshot.Resource{"endpoint2": nil}, `Cluster "m@2" refers to ClusterLoadAssignment "m@2"`},
		{"endpoints of nothing", map[string]*snapshot.Resource{"more": resource(t, "x", endpoints("x"))}, `nothing refers to ClusterLoadAssignment "x"`},
		{"no routes", map[string]*snapshot.Resource{"routes": nil}, `ScopedRouteConfiguration "m" refers to RouteConfiguration "m"`},
		{"routes of nothing", map[string]*snapshot.Resource{"scope": nil}, `nothing refers to RouteConfiguration "m"`},
		{"no filter", map[string]*snapshot.Resource{"filter": nil}, `Listener "l" refers to TypedExtensionConfig "f"`},
		{"scopes without a listener", map[string]*snapshot.Resource{"listener": nil, "filter": nil}, "no listener looks for scopes"},
		{"inline routes", map[string]*snapshot.Resource{"more": resource(t, "i", listener(t, "i", inline))}, `Listener "i" refers to Cluster "gone"`},
		{"named routes", map[string]*snapshot.Resource{"more": resource(t, "r", listener(t, "r", rds))}, `Listener "r" refers to RouteConfiguration "other"`},
		{"unknown type", map[string]*snapshot.Resource{"more": resource(t, "s", structpb.NewStringValue("x"))}, "which no snapshot holds"},
		{"made by hand", map[string]*snapshot.Resource{"more": {Name: "x", Body: &anypb.Any{TypeUrl: snapshot.ClusterType}}}, "not made by NewResource"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := whole(t)
			for key, r := range test.change {
				set[key] = r
			}
			s, err := build(set)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
			if err == nil && s.Size() != len(set) {
				t.Errorf("%d resources, want %d", s.Size(), len(set))
			}
		})
	}
	one := resource(t, "m@1", cluster("m@1"))
	if _, err := snapshot.New(one, one); err == nil || !strings.Contains(err.Error(), `have the name "m@1"`) {
		t.Errorf("two of one name give %v", err)
	}
}

// TestVersions: a version is of the content alone.
func TestVersions(t *testing.T) {
	a, b := resource(t, "c", cluster("c")), resource(t, "c", cluster("c"))
	changed := cluster("c")
	changed.ConnectTimeout = durationpb.New(1)
	if a.Version != b.Version || a.Version == resource(t, "c", changed).Version || len(a.Version) != 32 {
		t.Errorf("versions are %q, %q and %q", a.Version, b.Version, resource(t, "c", changed).Version)
	}
	fields := make(map[string]*structpb.Value)
	for _, key := range strings.Split("abcdefghijklmnop", "") {
		fields[key] = structpb.NewStringValue(key)
	}
	first := resource(t, "s", &structpb.Struct{Fields: fields})
	for range 20 { // maps have no order of their own
		if again := resource(t, "s", &structpb.Struct{Fields: fields}); again.Version != first.Version {
			t.Fatal("encoding one message twice gives two versions")
		}
	}
	s, err := build(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := build(whole(t))
	if err != nil || s.Version() != again.Version() || s.Version() == "" {
		t.Errorf("versions of one set are %q and %q, %v", s.Version(), again.Version(), err)
	}
}

func TestDiff(t *testing.T) {
	before, err := build(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	set := whole(t)
	set["routes"] = resource(t, "m", routes("m", "m@1", "m@1", "m@3"))
	set["cluster2"], set["endpoint2"] = resource(t, "m@3", cluster("m@3")), resource(t, "m@3", endpoints("m@3"))
	after, err := build(set)
	if err != nil {
		t.Fatal(err)
	}
	want := []snapshot.Change{
		{TypeURL: snapshot.ClusterType, Added: []string{"m@3"}, Removed: []string{"m@2"}},
		{TypeURL: snapshot.EndpointType, Added: []string{"m@3"}, Removed: []string{"m@2"}},
		{TypeURL: snapshot.RouteType, Changed: []string{"m"}},
	}
	if got := snapshot.Diff(before, after); !reflect.DeepEqual(got, want) {
		t.Errorf("diff is %+v, want %+v", got, want)
	}
	if got := snapshot.Diff(before, before); got != nil {
		t.Errorf("diff of one with itself is %+v", got)
	}
	if before.Version() == after.Version() {
		t.Error("two contents have one version")
	}
	added, removed := 0, 0
	for _, c := range snapshot.Diff(nil, before) {
		added += len(c.Added)
	}
	for _, c := range snapshot.Diff(before, nil) {
		removed += len(c.Removed)
	}
	if added != before.Size() || removed != before.Size() {
		t.Errorf("%d added to and %d removed from nothing, want %d", added, removed, before.Size())
	}
}

func TestNil(t *testing.T) {
	var none *snapshot.Snapshot
	if none.Size() != 0 || none.Version() != "" || none.Get(snapshot.ClusterType, "x") != nil || len(none.Names(snapshot.ClusterType)) != 0 {
		t.Error("the nil snapshot is not empty")
	}
}
