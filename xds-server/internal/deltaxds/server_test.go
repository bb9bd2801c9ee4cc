package deltaxds

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

var envoyID = spiffeid.RequireFromString("spiffe://weir.test/envoy")

// recorder passes on what the server reports.
type recorder struct {
	closed     chan string
	parked     chan string // type and names
	suppressed chan string // type
	pushed     chan string // version
	converged  chan string // node and version
}

func newRecorder() *recorder {
	return &recorder{
		closed: make(chan string, 1<<11), parked: make(chan string, 16), suppressed: make(chan string, 1<<10),
		pushed: make(chan string, 1<<12), converged: make(chan string, 1<<12),
	}
}

func (r *recorder) StreamOpened()                      {}
func (r *recorder) StreamClosed(reason string)         { r.closed <- reason }
func (r *recorder) ResponseSent(string, int, int, int) {}
func (r *recorder) Acked(string, time.Duration)        {}
func (r *recorder) Nacked(string)                      {}
func (r *recorder) Suppressed(typeURL string, _ int)   { r.suppressed <- typeURL }
func (r *recorder) Parked(_ spiffeid.ID, _, _, typeURL string, names []string, _ string) {
	r.parked <- typeURL + " " + strings.Join(names, " ")
}
func (r *recorder) Pushed(_ spiffeid.ID, _, version string, _ time.Duration) { r.pushed <- version }
func (r *recorder) Converged(_ spiffeid.ID, node, version string, _ time.Duration) {
	r.converged <- node + " " + version
}

type bench struct {
	left     chan struct{} // one for each time that a client was told to leave its connection
	registry *Registry
	server   *Server
	client   discoveryv3.AggregatedDiscoveryServiceClient
	observer *recorder
}

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

// startServer serves on an in-memory listener; the peer's identity comes from a
// header, in the place of a certificate.
func startServer(t *testing.T, renew func() time.Time, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{left: make(chan struct{}, 16), observer: newRecorder()}
	config := Config{
		Peer: func(ctx context.Context) (Peer, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			id, err := spiffeid.FromString(strings.Join(md.Get("id"), ""))
			return Peer{ID: id, Expires: time.Now().Add(time.Hour), Renew: renew(), Leave: func() { b.left <- struct{}{} }}, err
		},
		Observer: b.observer, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now,
	}
	for _, c := range change {
		c(&config)
	}
	b.registry = NewRegistry(config.Now)
	config.Registry = b.registry
	b.server = NewServer(config)
	listener := bufconn.Listen(1 << 16)
	grpcServer := grpc.NewServer()
	b.server.Register(grpcServer)
	served := make(chan error, 1)
	go func() { served <- grpcServer.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///mem", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(1<<16), // the same for all streams, whatever they read
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	b.client = discoveryv3.NewAggregatedDiscoveryServiceClient(conn)
	t.Cleanup(func() {
		conn.Close()
		grpcServer.Stop()
		<-served
		b.server.Wait()
	})
	return b
}

func (b *bench) open(t *testing.T, id string) discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "id", id), 20*time.Second)
	t.Cleanup(cancel)
	c, err := b.client.DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exchange(t *testing.T, c discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, req *discoveryv3.DeltaDiscoveryRequest) *discoveryv3.DeltaDiscoveryResponse {
	t.Helper()
	if err := c.Send(req); err != nil {
		t.Fatal(err)
	}
	resp, err := c.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (b *bench) publish(t *testing.T, m mesh) {
	t.Helper()
	b.registry.Publish(map[spiffeid.ID]Entitlement{envoyID: {Snapshot: m.snapshot(t)}})
}

func TestStateOfTheWorldIsRefused(t *testing.T) {
	b := startServer(t, inAnHour)
	c, err := b.client.StreamAggregatedResources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Recv(); status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "DELTA_GRPC") {
		t.Fatalf("error = %v, want Unimplemented that names DELTA_GRPC", err)
	}
}

func TestIdentityDecides(t *testing.T) {
	b := startServer(t, inAnHour)
	b.publish(t, oneModel(0))
	for id, want := range map[string]codes.Code{
		"":                          codes.Unauthenticated,
		"not an ID":                 codes.Unauthenticated,
		"spiffe://weir.test/other":  codes.PermissionDenied,
		"spiffe://other.test/envoy": codes.PermissionDenied,
	} {
		if _, err := b.open(t, id).Recv(); status.Code(err) != want {
			t.Errorf("identity %q: error = %v, want %s", id, err, want)
		}
	}
}

func TestOneIdentityMayHaveTwoStreams(t *testing.T) {
	b := startServer(t, inAnHour)
	b.publish(t, oneModel(0))
	first, second := b.open(t, envoyID.String()), b.open(t, envoyID.String())
	for _, c := range []discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient{first, second} {
		resp := exchange(t, c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
		if len(resp.GetResources()) != 1 {
			t.Fatalf("response = %v, want one cluster", resp)
		}
		if err := c.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType, ResponseNonce: resp.GetNonce()}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(b.server.Status()); got != 2 {
		t.Fatalf("%d streams in the status, want 2", got)
	}
	b.publish(t, oneModel(1))
	for _, c := range []discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient{first, second} {
		if resp, err := c.Recv(); err != nil || len(resp.GetResources()) != 1 {
			t.Fatalf("update = %v, %v", resp, err)
		}
	}
}

func TestStreamEndsWithEntitlement(t *testing.T) {
	b := startServer(t, inAnHour)
	b.publish(t, oneModel(0))
	c := b.open(t, envoyID.String())
	exchange(t, c, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	b.registry.Publish(nil)
	if _, err := c.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Fatalf("error = %v, want PermissionDenied", err)
	}
	if reason := <-b.observer.closed; reason != "entitlement removed" {
		t.Fatalf("reason = %q", reason)
	}
}

// TestStreamEndsForAFreshSVID has a stream end when it is time to renew, and one
// that comes on the same connection later, too.
func TestStreamEndsForAFreshSVID(t *testing.T) {
	var renew time.Time // set with the first stream
	b := startServer(t, func() time.Time {
		if renew.IsZero() {
			renew = time.Now().Add(100 * time.Millisecond)
		}
		return renew
	})
	b.publish(t, oneModel(0))
	for range 2 {
		if _, err := b.open(t, envoyID.String()).Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "fresh") {
			t.Fatalf("error = %v, want Unavailable that asks for a fresh SVID", err)
		}
		if <-b.left; time.Now().Before(renew) {
			t.Fatal("the client was sent away before its time")
		}
	}
	if reason := <-b.observer.closed; reason != "SVID to be renewed" {
		t.Fatalf("reason = %q", reason)
	}
}
