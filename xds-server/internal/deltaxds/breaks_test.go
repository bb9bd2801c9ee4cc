package deltaxds

import (
	"fmt"
	"math/rand/v2"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// envoy subscribes as Envoy does (clusters, listeners and scopes by wildcard,
// endpoints and routes by name, as clusters and scopes name them) and applies
// what it gets. A cluster that came anew warms until endpoints arrive.
type envoy struct {
	t       *testing.T
	server  *stream
	known   map[string]bool                        // clusters
	warming map[string]bool                        // clusters that wait for an answer about their endpoints
	serving map[string]bool                        // clusters with endpoints
	routes  map[string]*routev3.RouteConfiguration // applied
	scopes  map[string]bool
	refused set // clusters refused and never had
	inbox   []*discoveryv3.DeltaDiscoveryResponse
}

func newEnvoy(t *testing.T, snap *snapshot.Snapshot) *envoy {
	e := &envoy{t: t, server: newStream(snap), known: map[string]bool{}, warming: map[string]bool{}, serving: map[string]bool{},
		routes: map[string]*routev3.RouteConfiguration{}, scopes: map[string]bool{}, refused: set{}}
	for _, url := range []string{snapshot.ClusterType, snapshot.ListenerType, snapshot.ScopedRouteType} {
		e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: url})
	}
	e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ExtensionType, ResourceNamesSubscribe: []string{filterName}})
	return e
}

func (e *envoy) send(req *discoveryv3.DeltaDiscoveryRequest) {
	e.t.Helper()
	if _, err := e.server.request(req, testTime); err != nil {
		e.t.Fatal(err)
	}
	e.poll()
}

func (e *envoy) poll() {
	for resp := e.server.next(testTime); resp != nil; resp = e.server.next(testTime) {
		e.inbox = append(e.inbox, resp)
	}
}

func (e *envoy) interest(url string, subscribe, unsubscribe []string) {
	if len(subscribe)+len(unsubscribe) > 0 {
		e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, ResourceNamesSubscribe: subscribe, ResourceNamesUnsubscribe: unsubscribe})
	}
}

// step applies the next response in the order of the stream; refuse names a
// resource of it to refuse, or nothing.
func (e *envoy) step(refuse string) {
	e.t.Helper()
	resp := e.inbox[0]
	e.inbox = e.inbox[1:]
	ack := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resp.GetTypeUrl(), ResponseNonce: resp.GetNonce()}
	var subscribe, unsubscribe []string
	for _, r := range resp.GetResources() {
		if r.GetName() == refuse {
			ack.ErrorDetail = &statuspb.Status{Message: fmt.Sprintf("Error adding/updating cluster(s) %s: refused", refuse)}
			if resp.GetTypeUrl() == snapshot.ClusterType && !e.known[refuse] {
				e.refused[refuse] = struct{}{}
			}
			continue
		}
		subscribe = append(subscribe, e.apply(resp.GetTypeUrl(), r)...)
	}
	for _, name := range resp.GetRemovedResources() {
		unsubscribe = append(unsubscribe, e.drop(resp.GetTypeUrl(), name)...)
	}
	// Envoy's new subscriptions leave before the ACK of what caused them.
	switch resp.GetTypeUrl() {
	case snapshot.ClusterType:
		e.interest(snapshot.EndpointType, subscribe, unsubscribe)
	case snapshot.ScopedRouteType:
		e.interest(snapshot.RouteType, subscribe, unsubscribe)
	}
	e.send(ack)
}

func (e *envoy) apply(url string, r *discoveryv3.Resource) (subscribe []string) {
	name := r.GetName()
	switch url {
	case snapshot.ClusterType:
		delete(e.refused, name)
		known := e.known[name]
		e.known[name], e.warming[name] = true, true // a changed cluster serves on in its old form while the new one warms
		if !known {
			return []string{name}
		}
	case snapshot.EndpointType:
		delete(e.warming, name)
		e.serving[name] = e.known[name]
	case snapshot.ScopedRouteType:
		if !e.scopes[name] {
			e.scopes[name] = true
			return []string{name}
		}
	case snapshot.RouteType:
		config := &routev3.RouteConfiguration{}
		if err := r.GetResource().UnmarshalTo(config); err != nil {
			e.t.Fatal(err)
		}
		e.routes[name] = config
	}
	return nil
}

func (e *envoy) drop(url, name string) (unsubscribe []string) {
	switch url {
	case snapshot.ClusterType:
		delete(e.known, name)
		delete(e.serving, name)
		delete(e.warming, name)
		delete(e.refused, name)
		return []string{name}
	case snapshot.EndpointType: // the cluster is there, with nowhere to send to
		delete(e.warming, name)
		delete(e.serving, name)
	case snapshot.ScopedRouteType:
		delete(e.scopes, name)
		delete(e.routes, name)
		return []string{name}
	}
	return nil
}

// broken returns a cluster that a reachable route leads to and that cannot
// serve: a request for it would be answered 503.
func (e *envoy) broken() (route, cluster string) {
	for name, config := range e.routes {
		for _, w := range config.GetVirtualHosts()[0].GetRoutes()[0].GetRoute().GetWeightedClusters().GetClusters() {
			if !e.serving[w.GetName()] {
				return name, w.GetName()
			}
		}
	}
	return "", ""
}

// TestMakeBeforeBreak applies random snapshots in random steps: at no moment
// does an applied route lead to a cluster that is not there and warm. With
// refused clusters the same holds for routes that an Envoy already had.
func TestMakeBeforeBreak(t *testing.T) {
	for _, refusing := range []bool{false, true} {
		t.Run(fmt.Sprintf("refusing=%t", refusing), func(t *testing.T) {
			for seed := range uint64(500) {
				r := rand.New(rand.NewPCG(seed, 2))
				e := newEnvoy(t, randomMesh(r).snapshot(t))
				e.drain(nil, seed)
				for range 10 {
					next := randomMesh(r).snapshot(t)
					before := e.server.snap
					e.server.publish(next, before, snapshot.Diff(before, next))
					e.poll()
					refuse := func(*discoveryv3.DeltaDiscoveryResponse) string { return "" }
					if refusing {
						refuse = func(resp *discoveryv3.DeltaDiscoveryResponse) string { return refuseOne(r, resp) }
					}
					for range r.IntN(12) {
						e.drainOne(refuse, seed)
					}
				}
				e.drain(nil, seed)
				for name := range e.warming {
					if _, wanted := resourcesOf(e.server.snap, snapshot.ClusterType)[name]; wanted {
						t.Fatalf("seed %d: cluster %s warms for ever", seed, name)
					}
				}
			}
		})
	}
}

func refuseOne(r *rand.Rand, resp *discoveryv3.DeltaDiscoveryResponse) string {
	if resp.GetTypeUrl() != snapshot.ClusterType || len(resp.GetResources()) == 0 || r.IntN(2) == 0 {
		return ""
	}
	return resp.GetResources()[r.IntN(len(resp.GetResources()))].GetName()
}

func (e *envoy) drain(refuse func(*discoveryv3.DeltaDiscoveryResponse) string, seed uint64) {
	e.t.Helper()
	if refuse == nil {
		refuse = func(*discoveryv3.DeltaDiscoveryResponse) string { return "" }
	}
	for len(e.inbox) > 0 {
		e.drainOne(refuse, seed)
	}
}

func (e *envoy) drainOne(refuse func(*discoveryv3.DeltaDiscoveryResponse) string, seed uint64) {
	e.t.Helper()
	if len(e.inbox) == 0 {
		return
	}
	resp := e.inbox[0]
	had := make(map[string]bool)
	for name := range e.routes {
		had[name] = true
	}
	e.step(refuse(resp))
	route, cluster := e.broken()
	if route == "" {
		return
	}
	if _, refused := e.refused[cluster]; refused && !had[route] {
		// The first route of a model comes even if a cluster was refused. From
		// here on this Envoy proves nothing about that route.
		delete(e.routes, route)
		return
	}
	e.t.Fatalf("seed %d: after %s %v, route %s leads to %s, which cannot serve", seed, resp.GetTypeUrl(), resp.GetRemovedResources(), route, cluster)
}

func TestAssignmentNamedByTheCluster(t *testing.T) {
	named := &clusterv3.Cluster{Name: "c", EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: "endpoints"}}
	if got := assignment(&discoveryv3.Resource{Name: "c", Resource: pack(t, named)}); got != "endpoints" {
		t.Errorf("assignment = %q, want the service name", got)
	}
	if got := assignment(&discoveryv3.Resource{Name: "c", Resource: pack(t, &clusterv3.Cluster{Name: "c"})}); got != "c" {
		t.Errorf("assignment = %q, want the cluster's name", got)
	}
}
