package serving

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// fakeEnvoy answers as Envoy's admin interface does, and as a listener.
type fakeEnvoy struct {
	Envoy
	node    string
	answers map[string]string // JSON of the configs, by resource
	ready   atomic.Bool
	asked   atomic.Int64
	serve   func(w http.ResponseWriter, r *http.Request) // in place of all else
}

func newFake(t *testing.T) *fakeEnvoy {
	t.Helper()
	f := &fakeEnvoy{node: "n", answers: map[string]string{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	f.Envoy = Envoy{Stream: 1, Node: "n", IP: address.Addr(), AdminPort: address.Port()}
	return f
}

func (f *fakeEnvoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	switch {
	case f.serve != nil:
		f.serve(w, r)
	case r.URL.Path == "/server_info":
		fmt.Fprintf(w, `{"state": "LIVE", "node": {"id": %q}}`, f.node)
	case r.URL.Path == readyPath && f.ready.Load():
		fmt.Fprint(w, "{}")
	case r.URL.Path == "/config_dump":
		resource := r.URL.Query().Get("resource")
		if configs, ok := f.answers[resource]; ok {
			fmt.Fprintf(w, `{"configs": [%s]}`, configs)
			return
		}
		http.Error(w, resource+" not found in config dump", http.StatusNotFound)
	default:
		http.Error(w, "no", http.StatusServiceUnavailable)
	}
}

func resource(t testing.TB, name string, m proto.Message) *snapshot.Resource {
	t.Helper()
	r, err := snapshot.NewResource(name, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// world is a snapshot of one cluster and one listener on a port.
func world(t testing.TB, port uint16, alt string) *snapshot.Snapshot {
	t.Helper()
	l := &listenerv3.Listener{Name: "gw/http", Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "0.0.0.0", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}, FilterChains: []*listenerv3.FilterChain{{}}}
	s, err := snapshot.New(resource(t, "m@v1", &clusterv3.Cluster{Name: "m@v1", AltStatName: alt}), resource(t, "gw/http", l))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serves has the fake answer that it serves a snapshot.
func (f *fakeEnvoy) serves(s *snapshot.Snapshot) {
	f.answers[clustersInUse] = fmt.Sprintf(`{"version_info": %q, "cluster": {"name": "m@v1"}}`, s.Get(snapshot.ClusterType, "m@v1").Version)
	f.answers["dynamic_listeners"] = fmt.Sprintf(`{"name": "gw/http", "active_state": {"version_info": %q}}`, s.Get(snapshot.ListenerType, "gw/http").Version)
}

func TestConfirm(t *testing.T) {
	snap := world(t, 1, "")
	for name, c := range map[string]struct {
		change   func(*fakeEnvoy)
		want     string // of the error
		mismatch bool
	}{
		"serves":            {func(*fakeEnvoy) {}, "", false},
		"cluster warms":     {func(f *fakeEnvoy) { f.answers["dynamic_warming_clusters"] = `{"cluster": {"name": "x@v1"}}` }, "such as x@v1", true},
		"cluster older":     {func(f *fakeEnvoy) { f.answers[clustersInUse] = `{"version_info": "0", "cluster": {"name": "m@v1"}}` }, "m@v1 is at 0", true},
		"cluster not there": {func(f *fakeEnvoy) { f.answers[clustersInUse] = "" }, "no version", true},
		"listener warms": {func(f *fakeEnvoy) {
			f.answers["dynamic_listeners"] = `{"name": "gw/http", "warming_state": {"version_info": "1"}}`
		}, "listener gw/http warms", true},
		"no listener":  {func(f *fakeEnvoy) { delete(f.answers, "dynamic_listeners") }, "gw/http is at no version", true},
		"another node": {func(f *fakeEnvoy) { f.node = "other" }, `another node, "other"`, false},
		"no JSON": {func(f *fakeEnvoy) {
			f.serve = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }
		}, "not what Envoy", false},
		"no Envoy": {func(f *fakeEnvoy) { f.serve = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") } }, "not what Envoy", false},
		"endless": {func(f *fakeEnvoy) {
			f.serve = func(w http.ResponseWriter, _ *http.Request) {
				for _, err := w.Write(make([]byte, 1<<20)); err == nil; _, err = w.Write(make([]byte, 1<<20)) {
				}
			}
		}, "longer than", false},
		"redirects": {func(f *fakeEnvoy) {
			f.serve = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
		}, "answered 302", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.serves(snap)
			c.change(f)
			asker := NewAsker()
			defer asker.Close()
			how, err := asker.Confirm(t.Context(), f.Envoy, nil, snap)
			var wrong *MismatchError
			switch {
			case c.want == "" && (err != nil || how != "config dump"):
				t.Fatalf("confirmed by %q, %v", how, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &wrong) != c.mismatch):
				t.Fatalf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestOnlyWhatChangedIsAskedFor(t *testing.T) {
	f, before, after := newFake(t), world(t, 1, "a"), world(t, 1, "b")
	f.serves(after)
	var names []string
	answer := &fakeEnvoy{node: f.node, answers: f.answers}
	f.serve = func(w http.ResponseWriter, r *http.Request) {
		names = append(names, r.URL.Query()["name_regex"]...)
		answer.ServeHTTP(w, r)
	}
	asker := NewAsker()
	defer asker.Close()
	for _, c := range []struct {
		before *snapshot.Snapshot
		want   []string
	}{
		{after, []string{"^(gw/http)$"}},
		{before, []string{"^(m@v1)$", "^(gw/http)$", "^(m@v1)$"}},
		{nil, []string{"^(gw/http)$", "^(m@v1)$"}}, // and all that warm
	} {
		names = nil
		if _, err := asker.Confirm(t.Context(), f.Envoy, c.before, after); err != nil || !slices.Equal(names, c.want) {
			t.Errorf("asked for %q, want %q: %v", names, c.want, err)
		}
	}
}

func TestProbeOfAnEnvoyThatSaysNothing(t *testing.T) {
	f := newFake(t)
	snap := world(t, f.AdminPort, "")
	f.Envoy.AdminPort = 0
	asker := NewAsker()
	defer asker.Close()
	if _, err := asker.Confirm(t.Context(), f.Envoy, nil, snap); err == nil || !strings.Contains(err.Error(), "gw/http") {
		t.Fatalf("error = %v", err)
	}
	f.ready.Store(true)
	if how, err := asker.Confirm(t.Context(), f.Envoy, nil, snap); err != nil || how != "probe" {
		t.Fatalf("confirmed by %q, %v", how, err)
	}
	f.IP = netip.Addr{}
	if _, err := asker.Confirm(t.Context(), f.Envoy, nil, snap); err == nil || !strings.Contains(err.Error(), MetadataKey) {
		t.Fatalf("error = %v", err)
	}
}

func TestGate(t *testing.T) {
	f := newFake(t)
	f.answers["dynamic_warming_clusters"] = `{"cluster": {"name": "m@v2"}}, {"cluster": {"name": "other"}}`
	asker := NewAsker()
	defer asker.Close()
	times := GateTimes{Every: time.Millisecond, Timeout: 20 * time.Second, Blind: time.Millisecond}
	gate := NewGate(asker, times)
	defer gate.Wait()
	if err := <-gate.Warm(t.Context(), f.Envoy, []string{"m@v1"}); err != nil {
		t.Fatalf("another cluster was waited for: %v", err)
	}
	asks := f.asked.Load()
	var warm atomic.Bool
	answer := &fakeEnvoy{node: f.node, answers: f.answers}
	f.serve = func(w http.ResponseWriter, r *http.Request) {
		if warm.Load() {
			delete(answer.answers, "dynamic_warming_clusters")
		}
		answer.ServeHTTP(w, r)
		if f.asked.Load() > asks+3 {
			warm.Store(true)
		}
	}
	if err := <-gate.Warm(t.Context(), f.Envoy, []string{"m@v2"}); err != nil || !warm.Load() {
		t.Fatalf("it did not wait: %v", err)
	}
}

func TestGateIsBounded(t *testing.T) {
	f := newFake(t)
	f.answers["dynamic_warming_clusters"] = `{"cluster": {"name": "m@v2"}}`
	asker := NewAsker()
	defer asker.Close()
	gate := NewGate(asker, GateTimes{Every: time.Millisecond, Timeout: time.Second, Blind: time.Millisecond})
	defer gate.Wait()
	if err := <-gate.Warm(t.Context(), f.Envoy, []string{"m@v2"}); err == nil || !strings.Contains(err.Error(), "still warm after") {
		t.Fatalf("error = %v", err)
	}
	blind, foreign := f.Envoy, f.Envoy
	blind.AdminPort, foreign.Node = 0, "another"
	if err := <-gate.Warm(t.Context(), blind, []string{"m@v2"}); err != nil {
		t.Fatalf("error = %v", err)
	}
	if err := <-gate.Warm(t.Context(), foreign, []string{"m@v2"}); err == nil || !strings.Contains(err.Error(), "another node") {
		t.Fatalf("error = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := <-NewGate(asker, DefaultGateTimes()).Warm(ctx, blind, []string{"m@v2"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error = %v", err)
	}
}

func TestConfirmer(t *testing.T) {
	f, one, two := newFake(t), world(t, 1, "a"), world(t, 1, "b")
	f.serves(one)
	asker := NewAsker()
	defer asker.Close()
	answered := make(chan struct{}, 1)
	c := NewConfirmer(asker, time.Now, func() {
		select {
		case answered <- struct{}{}:
		default:
		}
	})
	defer c.Stop()
	await := func(snap *snapshot.Snapshot, want State) {
		t.Helper()
		for {
			if r := c.Result(1); r.State == want && r.Version == snap.Version() && !r.At.IsZero() {
				return
			}
			select {
			case <-answered:
			case <-time.After(20 * time.Second):
				t.Fatalf("result = %+v, want %s", c.Result(1), want)
			}
		}
	}
	if r := c.Result(1); r != (Result{}) {
		t.Fatalf("result = %+v", r)
	}
	c.Acknowledged(f.Envoy, one)
	await(one, Confirmed)
	c.Acknowledged(f.Envoy, two)
	await(two, Awaited)
	c.Acknowledged(f.Envoy, one)
	await(one, Confirmed)
	c.Forget(1)
	if r := c.Result(1); r != (Result{}) {
		t.Fatalf("result = %+v", r)
	}
	silent := f.Envoy
	silent.Stream, silent.AdminPort = 1, 0
	c.Acknowledged(silent, one)
	await(one, Unconfirmed)
	c.Stop()
	c.Acknowledged(Envoy{Stream: 9}, one) // after the end: nothing
}

func TestAdminPort(t *testing.T) {
	for _, c := range []struct {
		value any
		want  uint16
	}{{9901, 9901}, {"9901", 0}, {0, 0}, {65536, 0}, {-1, 0}, {1.5, 0}, {65535, 65535}} {
		metadata, err := structpb.NewStruct(map[string]any{MetadataKey: c.value})
		if err != nil {
			t.Fatal(err)
		}
		if got := AdminPort(metadata); got != c.want {
			t.Errorf("AdminPort(%v) = %d, want %d", c.value, got, c.want)
		}
	}
	if AdminPort(nil) != 0 || IPOf("pipe").IsValid() || IPOf("[::ffff:10.0.0.1]:5") != netip.MustParseAddr("10.0.0.1") {
		t.Error("what is not there was read")
	}
}

// FuzzAnswers reads what a stranger may answer.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"configs":[{"@type":"x","version_info":"1","cluster":{"name":"a"},"warming_state":{}}]}`))
	f.Add([]byte(`{"node":{"id":"n"},"state":"LIVE"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := parseDump(body); err != nil && !errors.Is(err, errNotJSON) {
			t.Fatal(err)
		}
		if _, err := nodeOf(body); err != nil && !errors.Is(err, errNotJSON) {
			t.Fatal(err)
		}
	})
}
