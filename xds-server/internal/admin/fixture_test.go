package admin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	envoy   = spiffeid.RequireFromString("spiffe://weir.test/envoy")
	edge    = spiffeid.RequireFromString("spiffe://weir.test/edge")
	viewer  = spiffeid.RequireFromString("spiffe://weir.test/viewer")
	pilot   = spiffeid.RequireFromString("spiffe://weir.test/operator")
	own     = spiffeid.RequireFromString("spiffe://weir.test/xds-server")
	started = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o700), os.WriteFile(path, got, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s differs (-update writes it anew):\n%s", path, got)
	}
}

// backend is a server that knows what the tests say.
type backend struct {
	mu        sync.Mutex
	status    Status
	ready     error
	operators Operators
	revisions []Revision
	snapshots map[uint64]map[spiffeid.ID]*snapshot.Snapshot
	asked     []string // of Rollback and Resume
	fails     error
}

func (b *backend) Ready() error { return b.ready }

func (b *backend) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *backend) set(change func(*backend)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func (b *backend) Operators() Operators {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.operators
}

func (b *backend) Revisions() []Revision { return b.revisions }

func (b *backend) Snapshots(_ context.Context, number uint64) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	if number == 0 {
		number = b.Status().Config.Revision
	}
	if all, kept := b.snapshots[number]; kept {
		return all, nil
	}
	return nil, fmt.Errorf("%d: %w", number, ErrNoRevision)
}

func (b *backend) Rollback(_ context.Context, number uint64, by, reason string) (Revision, error) {
	b.set(func(b *backend) { b.asked = append(b.asked, fmt.Sprintf("rollback %d by %s: %s", number, by, reason)) })
	if b.fails != nil {
		return Revision{}, b.fails
	}
	if _, kept := b.snapshots[number]; !kept {
		return Revision{}, fmt.Errorf("%d: %w", number, ErrNoRevision)
	}
	return Revision{Number: 4, Time: started, Cause: "rollback", By: by, RollbackOf: number}, nil
}

func (b *backend) Resume(_ context.Context, by, reason string) (uint64, error) {
	b.set(func(b *backend) { b.asked = append(b.asked, fmt.Sprintf("resume by %s: %s", by, reason)) })
	return 5, b.fails
}

func cluster(t *testing.T, name string, timeout time.Duration) *snapshot.Resource {
	t.Helper()
	return resource(t, name, &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(timeout), ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
	})
}

func resource(t *testing.T, name string, m proto.Message) *snapshot.Resource {
	t.Helper()
	r, err := snapshot.NewResource(name, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func snap(t *testing.T, resources ...*snapshot.Resource) *snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.New(resources...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// privateKey stands in the snapshots of newBackend, and must stand nowhere else.
const privateKey = "-----BEGIN PRIVATE KEY----- secret"

// tlsCluster has a certificate with its private key in it, as no resource of
// Weir's has, and a wrapped message that nobody knows.
func tlsCluster(t *testing.T, name string) *snapshot.Resource {
	t.Helper()
	context, err := anypb.New(&tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificates: []*tlsv3.TlsCertificate{{
		CertificateChain: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte("-----BEGIN CERTIFICATE-----")}},
		PrivateKey:       &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: privateKey}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	return resource(t, name, &clusterv3.Cluster{
		Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		TransportSocket: &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: context}},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"foreign": {TypeUrl: "type.googleapis.com/a.message.nobody.Knows", Value: []byte(privateKey)},
		},
	})
}

// newBackend knows two identities, three configurations and two nodes, of which
// one refused something.
func newBackend(t *testing.T) *backend {
	t.Helper()
	first := snap(t, cluster(t, "a@v1", time.Second).From("models.yaml:3"), cluster(t, "b@v1", time.Second).From("models.yaml:9"))
	second := snap(t, cluster(t, "a@v1", 2*time.Second).From("models.yaml:3"), cluster(t, "c@v1", time.Second).From("etcd:/weir/c@7"))
	third := snap(t, cluster(t, "a@v1", 2*time.Second).From("models.yaml:3"), cluster(t, "c@v1", time.Second).From("etcd:/weir/c@7"), tlsCluster(t, "tls@v1"))
	refused := third.Get(snapshot.ClusterType, "a@v1")
	at := func(ms int) time.Time { return started.Add(time.Duration(ms) * time.Millisecond) }
	return &backend{
		operators: Operators{Read: []spiffeid.ID{viewer}, Write: []spiffeid.ID{pilot}},
		snapshots: map[uint64]map[spiffeid.ID]*snapshot.Snapshot{
			1: {envoy: first}, 2: {envoy: second, edge: first}, 3: {envoy: third, edge: first},
		},
		revisions: []Revision{
			{Number: 3, Time: at(2000), Cause: "models.yaml changed", By: "sources", Versions: map[string]string{envoy.String(): third.Version(), edge.String(): first.Version()}},
			{Number: 2, Time: at(1000), Cause: "rollback", By: pilot.String(), RollbackOf: 1},
			{Number: 1, Time: at(0), Cause: "start", By: "sources"},
		},
		status: Status{
			Config: ConfigStatus{
				Versions: map[string]string{envoy.String(): third.Version(), edge.String(): first.Version()}, LoadedAt: at(2000), Revision: 3,
				Problems: []Problem{{File: "models.yaml", Line: 12, Resource: "Model/b", Field: "spec.versions", Message: "is empty", Hint: "name one"}}, ProblemsSince: at(2000),
				Pin:       &Pin{Number: 3, By: pilot.String(), Since: at(2000)},
				Held:      []HeldResource{{Resource: "Model/b", Origin: "models.yaml:9", Since: at(2000), Message: "spec.versions is empty"}},
				Overrides: []Override{{Resource: "Model/c", Used: "etcd:/weir/c@7", Ignored: "models.yaml:20"}},
			},
			Identity: IdentityStatus{Source: "development CA", SPIFFEID: own.String(), Expires: at(3_600_000)},
			Sources:  []SourceStatus{{Name: "etcd", Connected: true, Position: "revision 7", Documents: 1, ReadAt: at(1500)}, {Name: "folder", Error: "permission denied"}},
			Canaries: []stage.Status{{
				Group: "gw", State: stage.Held, Since: at(1900), Reason: "a canary refused it",
				Canaries:  []stage.CanaryStatus{{SPIFFEID: envoy, Version: third.Version(), Says: "refused"}},
				Followers: []stage.FollowerStatus{{SPIFFEID: edge, Version: first.Version(), Awaits: third.Version()}},
			}},
			Nodes: []deltaxds.StreamStatus{
				{
					Stream: 1, SPIFFEID: envoy, Node: "envoy-1\xff", Address: "127.0.0.1:4001", Connected: at(0), Expires: at(3_600_000), Version: third.Version(),
					Types: []deltaxds.TypeStatus{{
						TypeURL: snapshot.ClusterType, Wildcard: true, Sent: third.Version(), SentAt: at(2001), Acked: second.Version(), AckedAt: at(1003),
						Waiting: true, Pending: 2, Draining: 3, ParkedMore: 1, Suppressed: 5, HeldBack: []string{"a"}, Nacks: 1,
						LastNack: &deltaxds.Nack{Version: third.Version(), Message: "no such thing", At: at(2002)},
						Parked:   []deltaxds.Parked{{Name: "a@v1", Version: refused.Version, Origin: refused.Origin, Message: "no such thing", Since: at(2002)}},
					}},
				},
				{Stream: 2, SPIFFEID: edge, Node: "edge-1", Address: "127.0.0.1:4002", Connected: at(5), Expires: at(3_600_000), Version: first.Version(), Accepted: true, Warming: []string{"x@v1"}, WarmFailure: "too slow"},
			},
			Serving: map[uint64]Serving{2: {State: "confirmed", Version: first.Version(), How: "config dump", At: at(20)}},
			Changes: []trace.Change{{
				Revision: 3, Cause: "models.yaml changed", Accepted: at(1990), Translated: at(1992), Published: at(1993), FirstSent: at(2001),
				Nodes: []trace.NodeTime{{Node: trace.Node{ID: envoy, Name: "envoy-1"}, Sent: at(2001), Refused: 1}},
			}},
		},
	}
}

func newServer(b *backend) *Server {
	return New(Config{
		Backend: b, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "weir 1\n") }),
	})
}
