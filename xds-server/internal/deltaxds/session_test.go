package deltaxds

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

type deltaClient = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

func onClock(c *clock) func(*Config) {
	return func(config *Config) { config.Now, config.Timer = c.Now, c.Timer }
}

// player is an Envoy behind a real stream: it subscribes as Envoy does, keeps
// what it is sent, and accepts all but what refuse names.
type player struct {
	t      *testing.T
	stream deltaClient
	has    map[string]map[string]string // type -> name -> version
	refuse string
}

func (b *bench) play(t *testing.T, node string, has map[string]map[string]string) *player {
	t.Helper()
	p := &player{t: t, stream: b.open(t, envoyID.String()), has: has}
	if has == nil {
		p.has = map[string]map[string]string{}
	}
	for _, url := range additions {
		req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, Node: &corev3.Node{Id: node}, InitialResourceVersions: p.has[url]}
		switch url {
		case snapshot.EndpointType, snapshot.RouteType, snapshot.SecretType:
			for name := range p.has[url] {
				req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, name)
			}
			if req.ResourceNamesSubscribe == nil {
				continue
			}
		case snapshot.ExtensionType:
			req.ResourceNamesSubscribe = []string{filterName}
		}
		p.send(req)
	}
	return p
}

func (p *player) send(req *discoveryv3.DeltaDiscoveryRequest) {
	p.t.Helper()
	if err := p.stream.Send(req); err != nil {
		p.t.Fatal(err)
	}
}

// turn takes one response and answers it.
func (p *player) turn() *discoveryv3.DeltaDiscoveryResponse {
	p.t.Helper()
	resp, err := p.stream.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	url := resp.GetTypeUrl()
	if p.has[url] == nil {
		p.has[url] = map[string]string{}
	}
	ack := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, ResponseNonce: resp.GetNonce()}
	var names []string
	for _, r := range resp.GetResources() {
		if r.GetName() == p.refuse {
			ack.ErrorDetail = &statuspb.Status{Message: "refused: " + p.refuse}
			continue
		}
		if _, had := p.has[url][r.GetName()]; !had {
			names = append(names, r.GetName())
		}
		p.has[url][r.GetName()] = r.GetVersion()
	}
	for _, name := range resp.GetRemovedResources() {
		delete(p.has[url], name)
	}
	next := map[string]string{snapshot.ClusterType: snapshot.EndpointType, snapshot.ScopedRouteType: snapshot.RouteType}[url]
	if next != "" && len(names) > 0 {
		p.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: next, ResourceNamesSubscribe: names})
	}
	p.send(ack)
	return resp
}

// until takes turns until a response is of the type.
func (p *player) until(url string) *discoveryv3.DeltaDiscoveryResponse {
	p.t.Helper()
	for {
		if resp := p.turn(); resp.GetTypeUrl() == url {
			return resp
		}
	}
}

func await(t *testing.T, events <-chan string, want string) {
	t.Helper()
	select {
	case got := <-events:
		if got != want {
			t.Fatalf("event %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no event %q", want)
	}
}

// TestATypeIsEntitled has streams end that ask for a type they may not have, or
// have asked for one when that right ends.
func TestATypeIsEntitled(t *testing.T) {
	b := startServer(t, inAnHour)
	snap := oneModel(0).snapshot(t)
	some := []string{snapshot.ClusterType, snapshot.EndpointType}
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: snap, Types: some}})
	c := b.open(t, envoyID.String())
	exchange(t, c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	other := exchange(t, c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: "other", ResourceNamesSubscribe: []string{"x"}})
	if !slices.Equal(other.GetRemovedResources(), []string{"x"}) {
		t.Fatalf("a type that nobody has: %v, want x told absent", other)
	}
	if err := c.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ListenerType}); err != nil {
		t.Fatal(err)
	}
	wantDenied(t, c, snapshot.ListenerType)
	await(t, b.observer.closed, "type not entitled")

	c = b.open(t, envoyID.String())
	exchange(t, c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: snap, Types: some[1:]}})
	wantDenied(t, c, snapshot.ClusterType)
}

func wantDenied(t *testing.T, c deltaClient, typeURL string) {
	t.Helper()
	if _, err := c.Recv(); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), typeURL) {
		t.Fatalf("error = %v, want PermissionDenied that names %s", err, typeURL)
	}
}

// TestDrainDelaysRemovals has a model go: what served it stays for the delay.
func TestDrainDelaysRemovals(t *testing.T) {
	c := newClock()
	b := startServer(t, func() time.Time { return testTime.Add(time.Hour) }, onClock(c))
	two := oneModel(0)
	two.models["n"] = []string{"v1"}
	b.publish(t, two)
	p := b.play(t, "a", nil)
	p.until(snapshot.ExtensionType)
	await(t, b.observer.converged, "a "+two.snapshot(t).Version())

	less := oneModel(0)
	less.policy = "without n"
	b.publish(t, less)
	if resp := p.turn(); resp.GetTypeUrl() != snapshot.ExtensionType {
		t.Fatalf("%s before the filter's configuration: %v", resp.GetTypeUrl(), resp.GetRemovedResources())
	}
	await(t, b.observer.converged, "a "+less.snapshot(t).Version())
	c.await(t, DefaultDrain)
	if s := b.server.Status()[0]; !s.Accepted || s.InSync {
		t.Fatalf("status while draining: %+v", s)
	}
	c.advance(DefaultDrain)
	for _, url := range []string{snapshot.ScopedRouteType, snapshot.RouteType, snapshot.ClusterType, snapshot.EndpointType} {
		if resp := p.turn(); resp.GetTypeUrl() != url || len(resp.GetRemovedResources()) != 1 {
			t.Fatalf("removal = %v, want one of %s", resp, url)
		}
	}
}

// TestWarmClustersFirst has a model with health checks come: its scope waits
// until somebody says that its cluster is ready, or that nobody knows.
func TestWarmClustersFirst(t *testing.T) {
	asked := make(chan chan error, 1)
	b := startServer(t, inAnHour, func(config *Config) {
		config.Warm = func(_ context.Context, peer Peer, node string, clusters []string) <-chan error {
			if peer.ID != envoyID || node != "a" || !slices.Equal(clusters, []string{"n@v1"}) {
				t.Errorf("asked whether %q of %s %q are warm", clusters, peer.ID, node)
			}
			ready := make(chan error, 1)
			asked <- ready
			return ready
		}
	})
	m := oneModel(0)
	b.publish(t, m)
	p := b.play(t, "a", nil)
	p.until(snapshot.ExtensionType)
	m.models["n"], m.checked, m.policy = []string{"v1"}, map[string]bool{"n@v1": true}, "with n"
	b.publish(t, m)
	p.until(snapshot.EndpointType)
	ready := <-asked
	if s := b.server.Status()[0]; s.Accepted || !slices.Equal(s.Warming, []string{"n@v1"}) {
		t.Fatalf("status while a cluster warms: %+v", s)
	}
	step := m // of another model, meanwhile
	step.ports = map[string]int{"m@v1": 7}
	b.publish(t, step)
	if resp := p.turn(); resp.GetTypeUrl() != snapshot.EndpointType {
		t.Fatalf("%s while a cluster warms, want the endpoints of another model", resp.GetTypeUrl())
	}
	ready <- errors.New("no answer")
	if resp := p.turn(); resp.GetTypeUrl() != snapshot.ScopedRouteType {
		t.Fatalf("%s after the wait, want the scope", resp.GetTypeUrl())
	}
	p.until(snapshot.ExtensionType)
	if s := b.server.Status()[0]; s.WarmFailure != "no answer" {
		t.Fatalf("status after a wait without an end: %+v", s)
	}
}

// TestRefusalsOutliveStreams has a client refuse a change and connect anew: the
// refused version is not sent again, and what changes is.
func TestRefusalsOutliveStreams(t *testing.T) {
	b := startServer(t, inAnHour)
	b.publish(t, oneModel(0))
	p := b.play(t, "a", nil)
	p.until(snapshot.ExtensionType)
	p.refuse = "m@v1"
	bad := oneModel(1)
	bad.policy = "also new"
	b.publish(t, bad)
	p.until(snapshot.ExtensionType) // the other resources of the change go on
	await(t, b.observer.parked, snapshot.ClusterType+" m@v1")
	if err := p.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	await(t, b.observer.closed, "client left")

	p = b.play(t, "a", p.has)
	if resp := p.turn(); resp.GetTypeUrl() != snapshot.EndpointType {
		t.Fatalf("%s %v after the reconnection, want endpoints alone", resp.GetTypeUrl(), resp.GetResources())
	}
	await(t, b.observer.suppressed, snapshot.ClusterType)
	s := b.server.Status()[0]
	if s.Accepted || len(s.Types[0].Parked) != 1 || s.Types[0].Suppressed != 1 {
		t.Fatalf("status after the reconnection: %+v", s)
	}
	mended := oneModel(2)
	mended.policy = bad.policy
	b.publish(t, mended)
	if resp := p.turn(); resp.GetTypeUrl() != snapshot.ClusterType {
		t.Fatalf("%s after it was mended, want the cluster", resp.GetTypeUrl())
	}
}

// TestSlowClientIsDropped has a client that acknowledges what it does not read,
// under responses beyond its flow-control window: others converge, it is dropped
// at the limit, and even then its entitlement is watched.
func TestSlowClientIsDropped(t *testing.T) {
	c := newClock()
	b := startServer(t, func() time.Time { return testTime.Add(time.Hour) }, onClock(c))
	large := func(i int) mesh {
		m := oneModel(0)
		m.policy = strings.Repeat("x", 1<<20+i)
		return m
	}
	b.publish(t, large(0))
	quick := b.play(t, "quick", nil)
	quick.until(snapshot.ExtensionType)
	await(t, b.observer.converged, "quick "+large(0).snapshot(t).Version())

	slow := b.open(t, envoyID.String())
	blind := []*discoveryv3.DeltaDiscoveryRequest{
		{TypeUrl: snapshot.ExtensionType, ResourceNamesSubscribe: []string{filterName}},
		{TypeUrl: snapshot.ExtensionType, ResponseNonce: "1"},
	}
	for _, req := range blind {
		if err := slow.Send(req); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		b.publish(t, large(i+1))
		quick.until(snapshot.ExtensionType)
		await(t, b.observer.converged, "quick "+large(i+1).snapshot(t).Version())
	}
	for len(b.server.Status()) == 2 {
		c.await(t, DefaultSendTimeout)
		c.advance(DefaultSendTimeout)
		if reason := <-b.observer.closed; reason != "slow client" {
			t.Fatalf("reason = %q", reason)
		}
		<-b.left
	}
}

// TestAThousandStreams has one change reach a thousand clients.
func TestAThousandStreams(t *testing.T) {
	b := startServer(t, inAnHour)
	snap := largeMesh(20).snapshot(t)
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: snap}})
	const count = 1000
	next := weightStep(t, snap, "model-00007", 9)
	var ready, done sync.WaitGroup
	ready.Add(count)
	for range count {
		c := b.open(t, envoyID.String())
		done.Go(func() {
			req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResourceNamesSubscribe: []string{wildcard}}
			for range 2 {
				if err := c.Send(req); err != nil {
					t.Error(err)
				}
				resp, err := c.Recv()
				if err != nil {
					t.Error(err)
				}
				if req.GetResponseNonce() == "" {
					ready.Done()
				} else if len(resp.GetResources()) != 1 || resp.GetSystemVersionInfo() != next.Version() {
					t.Errorf("the change = %v, want one route", resp)
				}
				req = &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResponseNonce: resp.GetNonce()}
			}
		})
	}
	ready.Wait()
	if got := len(b.server.Status()); got != count {
		t.Fatalf("%d streams, want %d", got, count)
	}
	start := time.Now()
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: next}})
	done.Wait()
	t.Logf("one change reached %d streams in %s", count, time.Since(start))
}
