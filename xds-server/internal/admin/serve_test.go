package admin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/identity/devca"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// serve runs a server until the test ends, and demands that it ends well.
func serve(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

func client(t *testing.T, address string, creds credentials.TransportCredentials) adminv1.AdminClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return adminv1.NewAdminClient(conn)
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestLoopback(t *testing.T) {
	b, listener := newBackend(t), listen(t)
	s := newServer(b)
	stop := serve(t, func(ctx context.Context) error { return s.ServeLoopback(ctx, listener) })
	c := client(t, listener.Addr().String(), insecure.NewCredentials())
	nodes, err := c.ListNodes(bounded(t), &adminv1.ListNodesRequest{})
	if err != nil || len(nodes.GetNodes()) != 2 {
		t.Fatalf("%v, %v", nodes, err)
	}
	if _, err := c.Rollback(bounded(t), &adminv1.RollbackRequest{Number: 1}); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
	watch, err := c.Watch(bounded(t), &adminv1.WatchRequest{Interval: durationpb.New(minInterval)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	stop() // with the watch open
	if _, err := watch.Recv(); err == nil {
		t.Error("a watch outlived the server")
	}
}

func TestWatch(t *testing.T) {
	b, listener := newBackend(t), listen(t)
	s := newServer(b)
	serve(t, func(ctx context.Context) error { return s.ServeLoopback(ctx, listener) })
	ctx, cancel := context.WithCancel(bounded(t))
	watch, err := client(t, listener.Addr().String(), insecure.NewCredentials()).Watch(ctx, &adminv1.WatchRequest{Interval: durationpb.New(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	for revision := uint64(3); revision < 6; revision++ {
		b.set(func(b *backend) { b.status.Config.Revision = revision })
		now, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if now.GetConfig().GetRevision() < revision-1 {
			t.Errorf("revision %d is told after %d", now.GetConfig().GetRevision(), revision)
		}
	}
	cancel()
	for err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Canceled {
		t.Errorf("the watch ended with %v", err)
	}
	// All of its slots are free again.
	for range maxWatches {
		s.service.watches <- struct{}{}
	}
	if err := s.service.watch(t.Context(), &adminv1.WatchRequest{}, nil); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one watch too many: %v", err)
	}
}

func TestWatchJSON(t *testing.T) {
	b, listener := newBackend(t), listen(t)
	serve(t, func(ctx context.Context) error { return newServer(b).ServeLoopback(ctx, listener) })
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String()+"/v1/watch?interval=0.1s", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for revision := uint64(3); revision < 5; revision++ {
		b.set(func(b *backend) { b.status.Config.Revision = revision })
		if !lines.Scan() || !json.Valid(lines.Bytes()) || !bytes.Contains(lines.Bytes(), []byte(`"revision":"`)) {
			t.Fatalf("line %q, %v", lines.Bytes(), lines.Err())
		}
	}
	cancel()
	for lines.Scan() { // ends
	}
}

// proofs are SVIDs of the development CA.
type proofs struct {
	t      *testing.T
	ca     *devca.Authority
	bundle *x509bundle.Bundle
}

func newProofs(t *testing.T, ttl time.Duration) proofs {
	t.Helper()
	ca, err := devca.Open(devca.Config{TrustDomain: own.TrustDomain(), Dir: t.TempDir(), SVIDTTL: ttl, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	bundle, _, err := ca.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return proofs{t, ca, bundle}
}

func (p proofs) svid(id spiffeid.ID) *x509svid.SVID {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	cert, err := p.ca.Sign(id, key.Public())
	if err != nil {
		p.t.Fatal(err)
	}
	return &x509svid.SVID{ID: id, Certificates: []*x509.Certificate{cert}, PrivateKey: key}
}

func (p proofs) client(id spiffeid.ID) *tls.Config {
	return tlsconfig.MTLSClientConfig(p.svid(id), p.bundle, tlsconfig.AuthorizeID(own))
}

func TestAuthorization(t *testing.T) {
	p, b, listener := newProofs(t, 0), newBackend(t), listen(t)
	s := newServer(b)
	serve(t, func(ctx context.Context) error { return s.ServeTLS(ctx, listener, p.svid(own), p.bundle) })
	calls := map[string]func(adminv1.AdminClient) error{
		adminv1.Admin_ListNodes_FullMethodName: func(c adminv1.AdminClient) error { _, err := c.ListNodes(bounded(t), nil); return err },
		adminv1.Admin_ListResources_FullMethodName: func(c adminv1.AdminClient) error {
			_, err := c.ListResources(bounded(t), nil)
			return err
		},
		adminv1.Admin_ListSnapshots_FullMethodName: func(c adminv1.AdminClient) error {
			_, err := c.ListSnapshots(bounded(t), nil)
			return err
		},
		adminv1.Admin_Diff_FullMethodName:      func(c adminv1.AdminClient) error { _, err := c.Diff(bounded(t), nil); return err },
		adminv1.Admin_GetStatus_FullMethodName: func(c adminv1.AdminClient) error { _, err := c.GetStatus(bounded(t), nil); return err },
		adminv1.Admin_Watch_FullMethodName: func(c adminv1.AdminClient) error {
			watch, err := c.Watch(bounded(t), nil)
			if err == nil {
				_, err = watch.Recv()
			}
			return err
		},
		adminv1.Admin_Rollback_FullMethodName: func(c adminv1.AdminClient) error {
			_, err := c.Rollback(bounded(t), &adminv1.RollbackRequest{Number: 1})
			return err
		},
		adminv1.Admin_Resume_FullMethodName: func(c adminv1.AdminClient) error { _, err := c.Resume(bounded(t), nil); return err },
	}
	nobody := spiffeid.RequireFromString("spiffe://weir.test/nobody")
	for _, who := range []struct {
		id          spiffeid.ID
		read, write bool
	}{{viewer, true, false}, {pilot, true, true}, {nobody, false, false}, {envoy, false, false}, {own, false, false}} {
		c := client(t, listener.Addr().String(), credentials.NewTLS(p.client(who.id)))
		for method, call := range calls {
			allowed := who.read
			if rights[method] == write {
				allowed = who.write
			}
			want := codes.OK
			if !allowed {
				want = codes.PermissionDenied
			}
			if err := call(c); status.Code(err) != want {
				t.Errorf("%s calls %s: %v, want %s", who.id, method, err, want)
			}
		}
	}
	if want := "rollback 1 by " + pilot.String() + ": "; len(b.asked) != 2 || !strings.Contains(strings.Join(b.asked, "\n"), want) {
		t.Errorf("the backend was asked %q", b.asked)
	}
	methods := len(adminv1.Admin_ServiceDesc.Methods) + len(adminv1.Admin_ServiceDesc.Streams)
	if len(calls) != methods || len(rights) != methods {
		t.Errorf("of %d methods, %d are tested and %d have a right", methods, len(calls), len(rights))
	}
}

// JSON and the paths for machines are guarded as gRPC is.
func TestAuthorizationOfPaths(t *testing.T) {
	p, listener := newProofs(t, 0), listen(t)
	serve(t, func(ctx context.Context) error {
		return newServer(newBackend(t)).ServeTLS(ctx, listener, p.svid(own), p.bundle)
	})
	nobody := spiffeid.RequireFromString("spiffe://weir.test/nobody")
	for _, c := range []struct {
		method, path            string
		nobody, viewer, operate int
	}{
		{"GET", "/healthz", 200, 200, 200},
		{"GET", "/readyz", 200, 200, 200},
		{"GET", "/status", 403, 200, 200},
		{"GET", "/metrics", 403, 200, 200},
		{"GET", "/elsewhere", 403, 404, 404},
		{"GET", "/v1/nodes", 403, 200, 200},
		{"GET", "/v1/resources", 403, 200, 200},
		{"GET", "/v1/snapshots", 403, 200, 200},
		{"GET", "/v1/diff", 403, 200, 200},
		{"GET", "/v1/status", 403, 200, 200},
		{"GET", "/v1/watch?interval=x", 403, 400, 400},
		{"POST", "/v1/rollback", 403, 403, 400},
		{"POST", "/v1/resume", 403, 403, 200},
	} {
		for id, want := range map[spiffeid.ID]int{nobody: c.nobody, viewer: c.viewer, pilot: c.operate} {
			transport := &http.Transport{TLSClientConfig: p.client(id), DisableKeepAlives: true}
			req, err := http.NewRequestWithContext(bounded(t), c.method, "https://"+listener.Addr().String()+c.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			answer, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s %s as %s: %d %s, want %d", c.method, c.path, id, answer.StatusCode, body, want)
			}
		}
	}
}

func TestStrangersDoNotConnect(t *testing.T) {
	p, other, listener := newProofs(t, 0), newProofs(t, 0), listen(t)
	serve(t, func(ctx context.Context) error {
		return newServer(newBackend(t)).ServeTLS(ctx, listener, p.svid(own), p.bundle)
	})
	forged := tlsconfig.MTLSClientConfig(other.svid(pilot), p.bundle, tlsconfig.AuthorizeID(own))
	unproved := tlsconfig.TLSClientConfig(p.bundle, tlsconfig.AuthorizeID(own))
	for name, config := range map[string]*tls.Config{"another root": forged, "no certificate": unproved} {
		if _, err := client(t, listener.Addr().String(), credentials.NewTLS(config)).GetStatus(bounded(t), nil); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client(t, listener.Addr().String(), insecure.NewCredentials()).GetStatus(bounded(t), nil); err == nil {
		t.Error("the listener with mTLS speaks plaintext")
	}
}

// A right that is taken away, and an SVID that ends, end a watch.
func TestWatchEndsWithTheRight(t *testing.T) {
	for name, c := range map[string]struct {
		ttl    time.Duration
		change func(*backend)
		want   codes.Code
	}{
		"right taken away": {time.Hour, func(b *backend) { b.operators = Operators{} }, codes.PermissionDenied},
		"SVID ends":        {3 * time.Second, func(*backend) {}, codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			p, b, listener := newProofs(t, c.ttl), newBackend(t), listen(t)
			serve(t, func(ctx context.Context) error { return newServer(b).ServeTLS(ctx, listener, p.svid(own), p.bundle) })
			watch, err := client(t, listener.Addr().String(), credentials.NewTLS(p.client(viewer))).Watch(bounded(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := watch.Recv(); err != nil {
				t.Fatal(err)
			}
			b.set(c.change)
			for err == nil {
				_, err = watch.Recv()
			}
			if status.Code(err) != c.want {
				t.Errorf("the watch ended with %v", err)
			}
		})
	}
}

func TestProved(t *testing.T) {
	leaf := newProofs(t, time.Hour).svid(viewer).Certificates[0]
	with := func(certs ...*x509.Certificate) *http.Request {
		return (&http.Request{TLS: &tls.ConnectionState{PeerCertificates: certs}}).WithContext(t.Context())
	}
	everybody := func() Operators { return Operators{Read: []spiffeid.ID{viewer, {}}} }
	for name, c := range map[string]struct {
		request *http.Request
		now     time.Time
		want    codes.Code
	}{
		"good":           {with(leaf), leaf.NotAfter.Add(-time.Second), codes.OK},
		"ended":          {with(leaf), leaf.NotAfter, codes.Unauthenticated},
		"no SVID":        {with(&x509.Certificate{NotAfter: leaf.NotAfter}), leaf.NotBefore, codes.PermissionDenied},
		"no certificate": {with(), leaf.NotBefore, codes.PermissionDenied},
		"plaintext":      {&http.Request{}, leaf.NotBefore, codes.PermissionDenied},
	} {
		ctx := context.WithValue(t.Context(), callerKey{}, proved(c.request, c.now))
		if err := authorize(ctx, everybody, adminv1.Admin_ListNodes_FullMethodName); status.Code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := authorize(t.Context(), everybody, adminv1.Admin_ListNodes_FullMethodName); status.Code(err) != codes.PermissionDenied {
		t.Errorf("nobody: %v", err)
	}
	known := context.WithValue(t.Context(), callerKey{}, caller{loopback: true})
	if err := authorize(known, everybody, "/weir.admin.v1.Admin/New"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a method without a right: %v", err)
	}
}
