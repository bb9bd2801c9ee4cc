package e2e

import (
	"context"
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
	return change{"trustdomain.yaml", "", fmt.Sprintf("  entries:\n    - id: spiffe://weir.test/stranger\n      selectors: [\"unix:uid:%d\", \"unix:path:%s\"]\n", os.Getuid(), self)}
}

// A workload whose identity is genuine, but not one of a Gateway's Envoys, gets
// no configuration, whatever it calls itself.
func testStranger(t *testing.T, s *stack) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+s.socket(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil || svid.ID.String() != "spiffe://weir.test/stranger" {
		t.Fatalf("identity %v, %v", svid, err)
	}
	server := tlsconfig.AuthorizeID(spiffeid.RequireFromString("spiffe://weir.test/xds-server"))
	conn, err := grpc.NewClient(loopback(s.xds), grpc.WithTransportCredentials(credentials.NewTLS(tlsconfig.MTLSClientConfig(source, source, server))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+s.socket(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	config := tlsconfig.TLSClientConfig(source, tlsconfig.AuthorizeAny()) // knows the bundle, and shows no SVID
	conn, err := grpc.NewClient(loopback(s.xds), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
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
