package deltaxds

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

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
	acks    []*discoveryv3.DeltaDiscoveryRequest // of clusters, withheld while some warm, as Envoy does

	now       time.Time
	listening bool
	cold      map[string]bool      // new clusters with health checks that did not yet pass
	questions map[int][]string     // of the server, about what is warm
	used      map[string]time.Time // when a route last led to a cluster
}

func newEnvoy(t *testing.T, snap *snapshot.Snapshot, o options) *envoy {
	e := &envoy{t: t, server: newStream(snap, o), known: map[string]bool{}, warming: map[string]bool{}, serving: map[string]bool{},
		routes: map[string]*routev3.RouteConfiguration{}, scopes: map[string]bool{}, refused: set{},
		now: testTime, cold: map[string]bool{}, questions: map[int][]string{}, used: map[string]time.Time{}}
	for _, url := range []string{snapshot.ClusterType, snapshot.ListenerType, snapshot.ScopedRouteType} {
		e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: url})
	}
	e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ExtensionType, ResourceNamesSubscribe: []string{filterName}})
	return e
}

func (e *envoy) send(req *discoveryv3.DeltaDiscoveryRequest) {
	e.t.Helper()
	if _, err := e.server.request(req, e.now); err != nil {
		e.t.Fatal(err)
	}
	e.poll()
}

func (e *envoy) poll() {
	for resp := e.server.next(e.now); resp != nil; resp = e.server.next(e.now) {
		e.inbox = append(e.inbox, resp)
	}
	if names, number := e.server.question(); number > 0 {
		e.questions[number] = names
	}
}

// warm has all health checks pass that the server asked about.
func (e *envoy) warm() {
	for number, names := range e.questions {
		for _, name := range names {
			delete(e.cold, name)
		}
		delete(e.questions, number)
		e.server.gate.answer(number, "")
	}
	e.poll()
}

func (e *envoy) wait(d time.Duration) {
	e.now = e.now.Add(d)
	e.poll()
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
	if resp.GetTypeUrl() == snapshot.ClusterType {
		e.acks = append(e.acks, ack)
	} else {
		e.send(ack)
	}
	if len(e.warming) == 0 && len(e.acks) > 0 {
		withheld := e.acks
		e.acks = nil
		for _, ack := range withheld {
			e.send(ack)
		}
	}
}

func (e *envoy) apply(url string, r *discoveryv3.Resource) (subscribe []string) {
	name := r.GetName()
	switch url {
	case snapshot.ClusterType:
		delete(e.refused, name)
		known := e.known[name]
		if e.cold != nil && !known && e.listening && strings.HasSuffix(name, "@v2") { // see randomMesh
			e.cold[name] = true
		}
		e.known[name], e.warming[name] = true, true // a changed cluster serves on in its old form while the new one warms
		if !known {
			return []string{name}
		}
	case snapshot.ListenerType:
		e.listening = true
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
		if last, led := e.used[name]; led && e.now.Sub(last) < e.server.drain.delay {
			e.t.Fatalf("cluster %s was taken away %s after a route led there", name, e.now.Sub(last))
		}
		delete(e.known, name)
		delete(e.serving, name)
		delete(e.warming, name)
		delete(e.cold, name)
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
			if e.server.target.Get(snapshot.RouteType, name) != nil { // its model is wanted
				e.used[w.GetName()] = e.now
			}
			if !e.serving[w.GetName()] || e.cold[w.GetName()] {
				route, cluster = name, w.GetName()
			}
		}
	}
	return route, cluster
}

// TestMakeBeforeBreak applies random snapshots in random steps: at no moment
// does an applied route lead to a cluster that is not there and warm, and none
// is taken away before its drain delay is over. With refused clusters the same
// holds for routes that an Envoy already had.
func TestMakeBeforeBreak(t *testing.T) {
	for name, o := range map[string]options{
		"at once": {}, "with a delay": {drain: 5 * time.Second}, "warm, with a delay": {drain: 5 * time.Second, warm: true},
	} {
		for _, refusing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, refusing=%t", name, refusing), func(t *testing.T) {
				for seed := range uint64(250) {
					breakOnce(t, o, refusing, seed)
				}
			})
		}
	}
}

func breakOnce(t *testing.T, o options, refusing bool, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	e := newEnvoy(t, randomMesh(r).snapshot(t), o)
	if !o.warm { // then nobody tells
		e.cold = nil
	}
	e.drain(seed)
	for range 12 {
		next := randomMesh(r).snapshot(t)
		before := e.server.target
		e.server.publish(next, before, snapshot.Diff(before, next))
		e.poll()
		refuse := func(*discoveryv3.DeltaDiscoveryResponse) string { return "" }
		if refusing {
			refuse = func(resp *discoveryv3.DeltaDiscoveryResponse) string { return refuseOne(r, resp) }
		}
		for range r.IntN(12) {
			switch r.IntN(8) {
			case 0:
				e.warm()
			case 1:
				e.wait(time.Duration(r.IntN(6)) * time.Second)
			default:
				e.drainOne(refuse, seed)
			}
		}
	}
	e.drain(seed)
	for name := range e.known {
		if e.server.target.Get(snapshot.ClusterType, name) == nil && len(e.server.clinging().refs) == 0 {
			t.Fatalf("seed %d: cluster %s stays for ever", seed, name)
		}
		if e.warming[name] && e.server.target.Get(snapshot.ClusterType, name) != nil {
			t.Fatalf("seed %d: cluster %s warms for ever", seed, name)
		}
	}
}

func refuseOne(r *rand.Rand, resp *discoveryv3.DeltaDiscoveryResponse) string {
	if resp.GetTypeUrl() != snapshot.ClusterType || len(resp.GetResources()) == 0 || r.IntN(2) == 0 {
		return ""
	}
	return resp.GetResources()[r.IntN(len(resp.GetResources()))].GetName()
}

// drain has the Envoy answer everything, and all delays pass.
func (e *envoy) drain(seed uint64) {
	e.t.Helper()
	accept := func(*discoveryv3.DeltaDiscoveryResponse) string { return "" }
	for {
		for len(e.inbox) > 0 {
			e.drainOne(accept, seed)
		}
		wake := e.server.wake()
		switch {
		case len(e.questions) > 0:
			e.warm()
		case !wake.IsZero():
			e.wait(wake.Sub(e.now))
		default:
			if len(e.acks) > 0 {
				e.t.Fatalf("seed %d: clusters warm, and their endpoints do not come", seed)
			}
			return
		}
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
	for route, cluster := e.broken(); route != ""; route, cluster = e.broken() {
		if _, refused := e.refused[cluster]; !refused || had[route] {
			e.t.Fatalf("seed %d: after %s %v, route %s leads to %s, which cannot serve", seed, resp.GetTypeUrl(), resp.GetRemovedResources(), route, cluster)
		}
		// The first route of a model comes even if a cluster was refused. From
		// here on this Envoy proves nothing about that route.
		delete(e.routes, route)
	}
}
