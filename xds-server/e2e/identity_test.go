package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

const listenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"

// registerTest gives the test program an identity that no Gateway names.
func registerTest(t *testing.T) change {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		t.Fatal(err)
	}
	return change{"trustdomain.yaml", "", fmt.Sprintf("  entries:\n    - id: %s\n      selectors: [\"unix:uid:%d\", \"unix:path:%s\"]\n", stranger, os.Getuid(), self)}
}

// stranger is the identity of the test program.
var stranger = spiffeid.RequireFromString("spiffe://weir.test/stranger")

// identity is what the test program proves itself with, from the Workload API.
func (s *stack) identity(t *testing.T) *workloadapi.X509Source {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+s.socket(t))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() }) // it only reads
	svid, err := source.GetX509SVID()
	if err != nil || svid.ID != stranger {
		t.Fatalf("identity %v, %v", svid, err)
	}
	return source
}

// deltaStream opens a stream to the xds-server, which may refuse it now or at
// the first receive.
func (s *stack) deltaStream(t *testing.T, config *tls.Config) (discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, error) {
	t.Helper()
	conn, err := grpc.NewClient(loopback(s.xds), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(func() {
		cancel()
		_ = conn.Close() // nothing is to be said any more
	})
	return discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
}

// A workload whose identity is genuine, but not one of a Gateway's Envoys, gets
// no configuration, whatever it calls itself.
func testStranger(t *testing.T, s *stack) {
	source := s.identity(t)
	server := tlsconfig.AuthorizeID(spiffeid.RequireFromString("spiffe://weir.test/xds-server"))
	stream, err := s.deltaStream(t, tlsconfig.MTLSClientConfig(source, source, server))
	if err != nil {
		t.Fatal(err)
	}
	// It takes the name of the Envoy that is allowed.
	if err := stream.Send(&discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: "weir", Cluster: "local"}, TypeUrl: listenerType}); err != nil {
		t.Logf("send: %v", err) // the server may have refused before
	}
	got, err := stream.Recv()
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("got %v, %v; want PermissionDenied", got, err)
	}
}

// Without a certificate there is no connection at all.
func testNobody(t *testing.T, s *stack) {
	// The client knows the bundle, and shows no SVID.
	stream, err := s.deltaStream(t, tlsconfig.TLSClientConfig(s.identity(t), tlsconfig.AuthorizeAny()))
	if err == nil {
		var got *discoveryv3.DeltaDiscoveryResponse
		if got, err = stream.Recv(); err == nil {
			t.Fatalf("a client without a certificate got %v", got)
		}
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("%v; want the handshake to fail", err)
	}
}

var pipePath = regexp.MustCompile(`pipe: \{path: "([^"]+)"\}`)

// socket is the Workload API's, as Envoy is told it.
func (s *stack) socket(t *testing.T) string {
	t.Helper()
	bootstrap, err := os.ReadFile(filepath.Join(s.state, "bootstrap.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	match := pipePath.FindSubmatch(bootstrap)
	if match == nil {
		t.Fatalf("no socket in the bootstrap:\n%s", bootstrap)
	}
	return string(match[1])
}
