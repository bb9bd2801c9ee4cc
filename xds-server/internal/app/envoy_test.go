package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// startEnvoy runs a real Envoy as `weir up` does, with the identity that its
// path gives it.
func startEnvoy(t *testing.T, r *running, binary, admin string) *envoyproc.Process {
	t.Helper()
	document, err := bootstrap.Config{
		NodeID: "envoy", NodeCluster: "test", Admin: netip.MustParseAddrPort(admin),
		XDS: netip.MustParseAddrPort(r.options.XDSAddress), Socket: r.options.Socket, Envoy: envoyID, XDSServer: serverID,
	}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	envoy, err := envoyproc.Start(t.Context(), envoyproc.Config{Binary: binary, Dir: t.TempDir(), Bootstrap: document, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(envoy.Stop)
	return envoy
}

// forEnvoy are options under which a real Envoy of this path has an identity and
// a free port to listen at.
func forEnvoy(t *testing.T, binary string) Options {
	t.Helper()
	o := newOptions(t)
	writeFile(t, o.IdentityEntries, fmt.Sprintf("entries:\n- {id: %q, selectors: [%q]}\n", envoyID, "unix:path:"+binary))
	port := netip.MustParseAddrPort(freeAddress(t)).Port()
	write(t, o, strings.Replace(resources, "port: 10000", fmt.Sprintf("port: %d", port), 1))
	return o
}

// TestRealEnvoy has a real Envoy prove itself with SVIDs of a few seconds: before
// one ends, the Envoy comes back once, on a new connection, with a fresh one and
// the same configuration. The filter that the resources name is not there, so
// that Envoy refuses its configuration: that is shown, and nothing else stops.
func TestRealEnvoy(t *testing.T) {
	binary := artefact.Envoy(t)
	o := forEnvoy(t, binary)
	o.SVIDTTL, o.RootTTL = 8*time.Second, time.Minute
	r := startApp(t, o)
	envoy := startEnvoy(t, r, binary, "127.0.0.1:0")
	first := r.settled(t)
	for _, typ := range first.Types {
		if refused := typ.TypeURL == snapshot.ExtensionType; refused != (typ.LastNack != nil) {
			t.Fatalf("status of %s: %+v", typ.TypeURL, typ)
		}
	}
	r.log.await(t, "SVID to be renewed")
	r.log.await(t, "xDS stream opened")
	second := r.settled(t)
	if second.Stream != first.Stream+1 || !second.Expires.After(first.Expires) || second.Version != first.Version {
		t.Fatalf("after the SVID's end: %+v", second)
	}
	if !second.Connected.Before(first.Expires) {
		t.Fatalf("connected at %s, when the SVID before had ended at %s", second.Connected, first.Expires)
	}
	for counter, want := range map[string]int64{
		"cluster.xds.upstream_cx_total":                         2,
		"cluster.xds.upstream_cx_close_notify":                  1, // the GOAWAY
		"cluster.xds.upstream_cx_destroy_remote_with_active_rq": 0,
		"cluster.xds.upstream_rq_total":                         2,
	} {
		if got, err := envoy.Counter(t.Context(), counter); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", counter, got, err, want)
		}
	}
}

// TestEnvoyWithoutItsFilter asks an Envoy that never got a configuration for the
// filter which it could take: it must say so, in the shape that clients read.
func TestEnvoyWithoutItsFilter(t *testing.T) {
	binary := artefact.Envoy(t)
	r := startApp(t, forEnvoy(t, binary))
	envoy := startEnvoy(t, r, binary, "127.0.0.1:0")
	r.settled(t)
	address, err := envoy.Listener(t.Context(), "gw/http")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+address+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","messages":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"error":{"code":"gateway_not_ready","message":"The gateway has no configuration for its filter yet: try again later.","param":null,"type":"server_error"}}`
	if got := strings.TrimSpace(string(body)); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("content-type") != "application/json" || got != want {
		t.Fatalf("answer = %d %s %s", resp.StatusCode, resp.Header.Get("content-type"), got)
	}
}

// twoVersions are the resources with a second version of the model, whose health
// is asked at an address.
func twoVersions(content, address string) string {
	return strings.NewReplacer(
		"insecure: true}\n", "insecure: true}\n    - {name: v2, endpoints: [\""+address+"\"], insecure: true, healthCheck: {path: /healthy, timeout: 1m, interval: 2m}}\n",
		"{version: v1, weight: 100}", "{version: v1, weight: 50}, {version: v2, weight: 50}",
	).Replace(content)
}

// TestConfirmedAsServing has a real Envoy say where its admin interface is. What
// it acknowledged is confirmed there; and the route to a new version waits until
// the version's first health check is answered.
func TestConfirmedAsServing(t *testing.T) {
	binary, filter := artefact.Envoy(t), artefact.Built(t, "filter.wasm")
	o := forEnvoy(t, binary)
	served, err := os.ReadFile(filepath.Join(folderOf(o), "all.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Replace(string(served), "/filter.wasm", filter, 1)
	write(t, o, one)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	model := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-answer
	}))
	release := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(func() { release(); model.Close() })
	r := startApp(t, o)
	startEnvoy(t, r, binary, freeAddress(t))
	confirmed := func(s admin.Status) bool {
		return len(s.Nodes) == 1 && s.Nodes[0].Accepted && s.Serving[s.Nodes[0].Stream].State == "confirmed" &&
			s.Serving[s.Nodes[0].Stream].Version == s.Config.Versions[envoyID.String()]
	}
	s := r.eventually(t, "confirmed", confirmed)
	if how := s.Serving[s.Nodes[0].Stream].How; how != "config dump" {
		t.Fatalf("confirmed by %q", how)
	}

	write(t, o, twoVersions(one, model.Listener.Addr().String()))
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Fatalf("Envoy never asked for the health of the new version: %+v", r.status(t))
	}
	// An Envoy acknowledges clusters when they are warm, not before.
	s = r.eventually(t, "waiting", func(s admin.Status) bool { return pending(s, snapshot.RouteType) > 0 })
	if s.Nodes[0].Accepted {
		t.Fatalf("node = %+v, want one that waits for m@v2", s.Nodes[0])
	}
	release()
	s = r.eventually(t, "confirmed with the new version", func(s admin.Status) bool { return s.Config.Revision == 2 && confirmed(s) })
	if s.Nodes[0].WarmFailure != "" {
		t.Fatalf("the wait ended with %q", s.Nodes[0].WarmFailure)
	}
}

// pending is how many resources of a type the one Envoy is still to be sent.
func pending(s admin.Status, typeURL string) int {
	for _, typ := range s.Nodes[0].Types {
		if typ.TypeURL == typeURL {
			return typ.Pending
		}
	}
	return 0
}

// settled is the status of the one Envoy when it has answered for all that it
// was sent.
func (r *running) settled(t *testing.T) deltaxds.StreamStatus {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		nodes := r.status(t).Nodes
		if len(nodes) == 1 && nodes[0].SPIFFEID == envoyID && nodes[0].Node == "envoy" && answered(nodes[0]) {
			return nodes[0]
		}
		select {
		case <-deadline:
			t.Fatalf("nodes = %+v, want one Envoy that has answered", nodes)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// answered reports whether the Envoy has asked for every type but secrets, which
// no listener here has, and has accepted or refused all that it was sent.
func answered(s deltaxds.StreamStatus) bool {
	return len(s.Types) == len(snapshot.Types())-1 && !slices.ContainsFunc(s.Types, func(typ deltaxds.TypeStatus) bool {
		return typ.Waiting || typ.Pending > 0
	})
}
