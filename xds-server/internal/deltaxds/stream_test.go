package deltaxds

import (
	"strings"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

func oneModel(timeout int) mesh {
	return mesh{models: map[string][]string{"m": {"v1"}}, timeouts: map[string]int{"m@v1": timeout}}
}

func mustRequest(t *testing.T, s *stream, req *discoveryv3.DeltaDiscoveryRequest) reply {
	t.Helper()
	r, err := s.request(req, testTime)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustNext(t *testing.T, s *stream, typeURL string) *discoveryv3.DeltaDiscoveryResponse {
	t.Helper()
	resp := s.next(testTime)
	if resp.GetTypeUrl() != typeURL {
		t.Fatalf("next response is of type %q, want %q", resp.GetTypeUrl(), typeURL)
	}
	return resp
}

func publishTo(s *stream, snap *snapshot.Snapshot) {
	s.publish(snap, s.target, snapshot.Diff(s.target, snap))
}

func TestRefusedVersionIsParkedUntilItChanges(t *testing.T) {
	s := newStream(oneModel(0).snapshot(t), options{})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	first := mustNext(t, s, snapshot.ClusterType)
	r := mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{
		TypeUrl: snapshot.ClusterType, ResponseNonce: first.GetNonce(),
		ErrorDetail: &statuspb.Status{Message: "Error adding/updating cluster(s) m@v1: no"},
	})
	if !r.nacked || r.message == "" {
		t.Fatalf("reply = %+v, want a NACK with its message", r)
	}
	if again := s.next(testTime); again != nil {
		t.Fatalf("the refused version was sent again: %v", again)
	}
	report := s.report()
	types := report.Types
	if report.Accepted || len(types[0].Parked) != 1 || types[0].Parked[0].Name != "m@v1" || types[0].LastNack == nil {
		t.Fatalf("status does not show the refusal: %+v", types)
	}
	other := oneModel(0)
	other.policy = "another"
	publishTo(s, other.snapshot(t))
	if again := s.next(testTime); again != nil {
		t.Fatalf("the refused version was sent again by a change elsewhere: %v", again)
	}
	publishTo(s, oneModel(1).snapshot(t))
	second := mustNext(t, s, snapshot.ClusterType)
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType, ResponseNonce: second.GetNonce()})
	if types = s.report().Types; len(types[0].Parked) != 0 || types[0].Nacks != 1 {
		t.Fatalf("after the mended version was acknowledged: %+v", types)
	}
}

func TestReconnectWithEqualVersionsSendsEndpointsOnly(t *testing.T) {
	snap := oneModel(0).snapshot(t)
	versions := func(url string) map[string]string {
		m := map[string]string{}
		for name, r := range resourcesOf(snap, url) {
			m[name] = r.Version
		}
		return m
	}
	s := newStream(snap, options{})
	for _, url := range []string{snapshot.ClusterType, snapshot.ListenerType, snapshot.ScopedRouteType} {
		mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, InitialResourceVersions: versions(url)})
	}
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResourceNamesSubscribe: []string{"m"}, InitialResourceVersions: versions(snapshot.RouteType)})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.EndpointType, ResourceNamesSubscribe: []string{"m@v1"}, InitialResourceVersions: versions(snapshot.EndpointType)})
	resp := mustNext(t, s, snapshot.EndpointType)
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.EndpointType, ResponseNonce: resp.GetNonce()})
	if extra := s.next(testTime); extra != nil {
		t.Fatalf("unchanged resources were sent again: %v", extra)
	}
}

func TestVanishedWhileAwayIsRemoved(t *testing.T) {
	s := newStream(oneModel(0).snapshot(t), options{})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{
		TypeUrl:                 snapshot.ClusterType,
		InitialResourceVersions: map[string]string{"gone@v1": "x", "m@v1": resourcesOf(s.target, snapshot.ClusterType)["m@v1"].Version},
	})
	resp := mustNext(t, s, snapshot.ClusterType)
	if got := resp.GetRemovedResources(); len(got) != 1 || got[0] != "gone@v1" || len(resp.GetResources()) != 0 {
		t.Fatalf("response = %v, want the removal of gone@v1 alone", resp)
	}
}

func TestEmptyWildcardIsAnswered(t *testing.T) {
	s := newStream(nil, options{})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ListenerType})
	resp := mustNext(t, s, snapshot.ListenerType)
	if len(resp.GetResources())+len(resp.GetRemovedResources()) != 0 {
		t.Fatalf("response = %v, want an empty one", resp)
	}
}

func TestStaleNonceAnswersNothing(t *testing.T) {
	s := newStream(oneModel(0).snapshot(t), options{})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	mustNext(t, s, snapshot.ClusterType)
	r := mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType, ResponseNonce: "999"})
	if r.acked || r.nacked {
		t.Fatalf("a stale nonce counted as an answer: %+v", r)
	}
	if resp := s.next(testTime); resp != nil {
		t.Fatalf("sent %v while a response waits for its ACK", resp)
	}
}

func TestUnknownTypeIsAbsent(t *testing.T) {
	s := newStream(oneModel(0).snapshot(t), options{})
	const secrets = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: secrets, ResourceNamesSubscribe: []string{"x"}})
	if got := mustNext(t, s, secrets).GetRemovedResources(); len(got) != 1 || got[0] != "x" {
		t.Fatalf("removed = %q, want x", got)
	}
}

func TestLargeResponsesAreCut(t *testing.T) {
	m := mesh{models: map[string][]string{}}
	for _, name := range strings.Split("abcdefgh", "") {
		m.models[strings.Repeat(name, 150<<10)] = []string{"v1"} // the name makes the resource large
	}
	s := newStream(m.snapshot(t), options{})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	got := 0
	for resp := s.next(testTime); resp != nil; resp = s.next(testTime) {
		got += len(resp.GetResources())
		if size := proto.Size(resp); size > 2*maxResponseBytes {
			t.Fatalf("response of %d bytes", size)
		}
		mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType, ResponseNonce: resp.GetNonce()})
	}
	if got != 8 {
		t.Fatalf("got %d clusters, want 8", got)
	}
}

func TestRequestsBeyondTheBoundsAreRefused(t *testing.T) {
	many := make([]string, 2*maxNames+1)
	for name, req := range map[string]*discoveryv3.DeltaDiscoveryRequest{
		"no type":      {},
		"long type":    {TypeUrl: strings.Repeat("x", maxName+1)},
		"long name":    {TypeUrl: "t", ResourceNamesSubscribe: []string{strings.Repeat("x", maxName+1)}},
		"long initial": {TypeUrl: "t", InitialResourceVersions: map[string]string{strings.Repeat("x", maxName+1): "1"}},
		"many names":   {TypeUrl: "t", ResourceNamesSubscribe: many},
	} {
		if _, err := newStream(nil, options{}).request(req, testTime); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		message, name string
		want          bool
	}{
		{"Error adding/updating cluster(s) a@v1: bad, b@v2: bad", "a@v1", true},
		{"Error adding/updating cluster(s) a@v10: bad", "a@v1", false},
		{"cluster xa@v1 bad", "a@v1", false},
		{"a@v10 and a@v1", "a@v1", true},
		{"rejected gw/http.", "gw/http", true},
		{"rejected gw/http.x", "gw/http", false},
		{"aaa aa", "aa", true},
		{"", "a", false},
		{"anything", "", false},
	} {
		if got := mentions(c.message, c.name); got != c.want {
			t.Errorf("mentions(%q, %q) = %t", c.message, c.name, got)
		}
	}
}

func TestClipKeepsMessagesValid(t *testing.T) {
	got := clip(strings.Repeat("é", maxMessage) + "\xff")
	if len(got) > maxMessage+3 || !strings.HasSuffix(got, "é...") {
		t.Fatalf("clip gave %d bytes ending in %q", len(got), got[len(got)-8:])
	}
}

// resourcesOf returns the resources of a type by name.
func resourcesOf(s *snapshot.Snapshot, typeURL string) map[string]*snapshot.Resource {
	named := make(map[string]*snapshot.Resource, s.Len(typeURL))
	for r := range s.All(typeURL) {
		named[r.Name] = r
	}
	return named
}

// TestAnUnnamedRefusalIsSearchedFor has a client refuse a response without a
// word on which resource is bad: each comes once more, alone, and the bad one
// stays parked.
func TestAnUnnamedRefusalIsSearchedFor(t *testing.T) {
	m := oneModel(0)
	m.models["n"], m.models["o"] = []string{"v1"}, []string{"v1"}
	s := newStream(m.snapshot(t), options{})
	mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResourceNamesSubscribe: []string{wildcard}})
	first := mustNext(t, s, snapshot.RouteType)
	refuse := &statuspb.Status{Message: "Didn't find a registered implementation"}
	r := mustRequest(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResponseNonce: first.GetNonce(), ErrorDetail: refuse})
	if len(first.GetResources()) != 3 || !r.nacked || len(r.parked) != 0 {
		t.Fatalf("reply = %+v, want a NACK of nobody yet", r)
	}
	var sent []string
	for resp := s.next(testTime); resp != nil; resp = s.next(testTime) {
		req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResponseNonce: resp.GetNonce()}
		for _, resource := range resp.GetResources() {
			sent = append(sent, resource.GetName())
			if resource.GetName() == "n" {
				req.ErrorDetail = refuse
			}
		}
		mustRequest(t, s, req)
	}
	if strings.Join(sent, " ") != "m n o" {
		t.Fatalf("sent again: %q, want each once", sent)
	}
	if parked := s.report().Types[0].Parked; len(parked) != 1 || parked[0].Name != "n" {
		t.Fatalf("parked = %+v, want n", parked)
	}
}
