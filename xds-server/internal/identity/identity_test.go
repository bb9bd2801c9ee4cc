package identity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	workloadpb "github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/identity"
	"github.com/weirmesh/weir/xds-server/internal/identity/devca"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

var (
	td       = spiffeid.RequireTrustDomainFromString("weir.test")
	envoyID  = spiffeid.RequireFromString("spiffe://weir.test/envoy")
	clientID = spiffeid.RequireFromString("spiffe://weir.test/client")
)

// ownUID is a selector that this test's process has.
func ownUID() string { return "unix:uid:" + strconv.Itoa(os.Geteuid()) }

type observer struct{ issued, refused, rejected atomic.Int64 }

func (o *observer) Issued()   { o.issued.Add(1) }
func (o *observer) Refused()  { o.refused.Add(1) }
func (o *observer) Rejected() { o.rejected.Add(1) }

type fixture struct {
	endpoint *identity.Endpoint
	observer *observer
	address  string // unix://...
	conn     *grpc.ClientConn
}

func start(t *testing.T, svidTTL, rootTTL time.Duration, entries ...issue.Entry) *fixture {
	t.Helper()
	dir := t.TempDir()
	authority, err := devca.Open(devca.Config{TrustDomain: td, Dir: filepath.Join(dir, "state"), SVIDTTL: svidTTL, RootTTL: rootTTL, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{observer: &observer{}, address: "unix://" + filepath.Join(dir, "s.sock")}
	f.endpoint, err = identity.NewEndpoint(identity.Config{
		Socket: filepath.Join(dir, "s.sock"), Authority: authority, Observer: f.observer,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.endpoint.SetEntries(entries); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- f.endpoint.Serve(ctx) }()
	f.conn, err = grpc.NewClient(f.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.conn.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestWorkloadAPIWithGoSPIFFE(t *testing.T) {
	f := start(t, 0, 0,
		issue.Entry{ID: envoyID, Selectors: []string{ownUID(), "unix:gid:" + strconv.Itoa(os.Getegid())}},
		issue.Entry{ID: clientID, Selectors: []string{ownUID(), "unix:uid:4294967294"}})
	client, err := workloadapi.New(timeout(t), workloadapi.WithAddr(f.address))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got, err := client.FetchX509Context(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.SVIDs) != 1 || got.SVIDs[0].ID != envoyID {
		t.Fatalf("SVIDs = %v, want %s alone", got.SVIDs, envoyID)
	}
	if id, _, err := x509svid.Verify(got.SVIDs[0].Certificates, got.Bundles); err != nil || id != envoyID {
		t.Fatalf("verify = %s, %v", id, err)
	}
	checkLeaf(t, got.SVIDs[0].Certificates[0])
	bundles, err := client.FetchX509Bundles(timeout(t))
	if err != nil || bundles.Len() != 1 || !bundles.Has(td) {
		t.Fatalf("bundles = %v, %v", bundles, err)
	}
	if _, err = client.FetchJWTSVIDs(timeout(t), jwtParams()); status.Code(err) != codes.Unimplemented {
		t.Fatalf("JWT: %v, want Unimplemented", err)
	}
}

// checkLeaf holds an SVID to the X509-SVID specification, sections 2 to 4.
func checkLeaf(t *testing.T, leaf *x509.Certificate) {
	t.Helper()
	if len(leaf.URIs) != 1 || len(leaf.DNSNames) != 0 || leaf.URIs[0].Path == "" || leaf.IsCA {
		t.Errorf("leaf has URIs %v, DNS names %v, CA %t", leaf.URIs, leaf.DNSNames, leaf.IsCA)
	}
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("key usage = %b, want digitalSignature alone", leaf.KeyUsage)
	}
	if len(leaf.ExtKeyUsage) != 2 {
		t.Errorf("extended key usage = %v, want server and client", leaf.ExtKeyUsage)
	}
	for _, extension := range leaf.Extensions {
		if extension.Id.String() == "2.5.29.15" && !extension.Critical {
			t.Error("key usage is not critical")
		}
	}
	if life := time.Until(leaf.NotAfter); life > time.Hour || life < 59*time.Minute {
		t.Errorf("life = %s, want one hour", life)
	}
}

// watcher passes on what go-spiffe's client receives, until done.
type watcher struct {
	updates chan *workloadapi.X509Context
	done    <-chan struct{}
}

func (w watcher) OnX509ContextUpdate(c *workloadapi.X509Context) {
	select {
	case w.updates <- c:
	case <-w.done:
	}
}
func (watcher) OnX509ContextWatchError(error) {}

func TestRotationAtHalfLife(t *testing.T) {
	f := start(t, 3*time.Second, time.Hour, issue.Entry{ID: envoyID, Selectors: []string{ownUID()}})
	ctx, cancel := context.WithCancel(timeout(t))
	w := watcher{make(chan *workloadapi.X509Context), ctx.Done()}
	watched := make(chan error, 1)
	go func() { watched <- workloadapi.WatchX509Context(ctx, w, workloadapi.WithAddr(f.address)) }()
	defer func() { cancel(); <-watched }()
	next := func() *x509.Certificate {
		select {
		case c := <-w.updates:
			return c.SVIDs[0].Certificates[0]
		case <-ctx.Done():
			t.Fatal("no update")
			return nil
		}
	}
	first, began := next(), time.Now()
	second, renewed := next(), time.Now()
	if first.SerialNumber.Cmp(second.SerialNumber) == 0 {
		t.Fatal("the update holds the same SVID")
	}
	if left := first.NotAfter.Sub(renewed); left <= 0 || left > first.NotAfter.Sub(began)*3/4 {
		t.Fatalf("renewed with %s left of %s, want about half", left, first.NotAfter.Sub(began))
	}
}

func TestRefusals(t *testing.T) {
	f := start(t, 0, 0, issue.Entry{ID: envoyID, Selectors: []string{ownUID(), "unix:path:/no/such/program"}})
	workload := workloadpb.NewSpiffeWorkloadAPIClient(f.conn)
	call := func(ctx context.Context) error {
		stream, err := workload.FetchX509SVID(ctx, &workloadpb.X509SVIDRequest{})
		if err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	}
	if err := call(timeout(t)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("without the header: %v, want InvalidArgument", err)
	}
	with := metadata.AppendToOutgoingContext(timeout(t), "workload.spiffe.io", "true")
	if err := call(with); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), ownUID()) {
		t.Errorf("without an entry: %v, want PermissionDenied that names the selectors", err)
	}
	if _, err := secretv3.NewSecretDiscoveryServiceClient(f.conn).FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("SDS without an entry: %v, want PermissionDenied", err)
	}
	if f.observer.refused.Load() != 2 || f.observer.issued.Load() != 0 {
		t.Errorf("refused %d, issued %d; want 2, 0", f.observer.refused.Load(), f.observer.issued.Load())
	}
}

func TestSelectorsProveTheProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, 0, 0, issue.Entry{ID: envoyID, Selectors: []string{ownUID(), "unix:path:" + program, "unix:sha256:" + sha256File(t, program)}})
	svid, err := workloadapi.FetchX509SVID(timeout(t), workloadapi.WithAddr(f.address))
	if err != nil || svid.ID != envoyID {
		t.Fatalf("SVID = %v, %v", svid, err)
	}
}

func TestEntryRemovedEndsTheStream(t *testing.T) {
	f := start(t, 0, 0, issue.Entry{ID: envoyID, Selectors: []string{ownUID()}})
	ctx := metadata.AppendToOutgoingContext(timeout(t), "workload.spiffe.io", "true")
	stream, err := workloadpb.NewSpiffeWorkloadAPIClient(f.conn).FetchX509SVID(ctx, &workloadpb.X509SVIDRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := f.endpoint.SetEntries(nil); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Fatalf("error = %v, want PermissionDenied", err)
	}
}

func envoyNode() *corev3.Node {
	return &corev3.Node{UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{
		Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40},
	}}}
}

func TestSecretsByName(t *testing.T) {
	f := start(t, 0, 0,
		issue.Entry{ID: envoyID, Selectors: []string{ownUID()}},
		issue.Entry{ID: clientID, Selectors: []string{ownUID()}})
	client := secretv3.NewSecretDiscoveryServiceClient(f.conn)
	for name, want := range map[string]string{
		envoyID.String(): "certificate", clientID.String(): "certificate", "default": "certificate",
		"spiffe://weir.test": "validator", "ROOTCA": "validator", "ALL": "validator",
	} {
		resp, err := client.FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{ResourceNames: []string{name}, Node: envoyNode()})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		secret := onlySecret(t, resp)
		if got := kind(secret); got != want || secret.GetName() != name {
			t.Errorf("%s: %s named %q, want a %s", name, got, secret.GetName(), want)
		}
	}
	old, err := client.FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{ResourceNames: []string{"ROOTCA"}})
	if err != nil || kind(onlySecret(t, old)) != "roots" {
		t.Errorf("a client that does not say its version: %v, %v; want plain roots", old, err)
	}
	if _, err = client.FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{ResourceNames: []string{"ALL"}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("ALL for an old Envoy: %v", err)
	}
	all, err := client.FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{Node: envoyNode()})
	if err != nil || len(all.GetResources()) != 3 {
		t.Errorf("no names: %d resources, %v; want all 3", len(all.GetResources()), err)
	}
	_, err = client.FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{ResourceNames: []string{"spiffe://weir.test/other", "default"}})
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "spiffe://weir.test/other") {
		t.Errorf("another's secret: %v, want PermissionDenied that names it", err)
	}
	if _, err = client.FetchSecrets(timeout(t), &discoveryv3.DiscoveryRequest{TypeUrl: "type.googleapis.com/x"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("another type: %v, want InvalidArgument", err)
	}
}

func onlySecret(t *testing.T, resp *discoveryv3.DiscoveryResponse) *tlsv3.Secret {
	t.Helper()
	if len(resp.GetResources()) != 1 {
		t.Fatalf("%d resources, want 1", len(resp.GetResources()))
	}
	secret := &tlsv3.Secret{}
	if err := resp.GetResources()[0].UnmarshalTo(secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func kind(s *tlsv3.Secret) string {
	switch {
	case s.GetTlsCertificate() != nil:
		return "certificate"
	case s.GetValidationContext().GetCustomValidatorConfig().GetName() == "envoy.tls.cert_validator.spiffe":
		return "validator"
	case s.GetValidationContext().GetTrustedCa() != nil:
		return "roots"
	}
	return "nothing"
}

func TestSecretsStream(t *testing.T) {
	f := start(t, 2*time.Second, time.Hour, issue.Entry{ID: envoyID, Selectors: []string{ownUID()}})
	stream, err := secretv3.NewSecretDiscoveryServiceClient(f.conn).StreamSecrets(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(req *discoveryv3.DiscoveryRequest) {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() *discoveryv3.DiscoveryResponse {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	ask(&discoveryv3.DiscoveryRequest{ResourceNames: []string{envoyID.String()}, Node: envoyNode()})
	first := receive()
	ask(&discoveryv3.DiscoveryRequest{
		ResourceNames: []string{envoyID.String()}, ResponseNonce: first.GetNonce(), ErrorDetail: &statuspb.Status{Message: "no"},
	})
	renewed := receive() // the refused version is not sent again: this is the renewal
	if renewed.GetVersionInfo() == first.GetVersionInfo() {
		t.Fatal("the refused version was sent again")
	}
	if f.observer.rejected.Load() != 1 {
		t.Errorf("rejected = %d, want 1", f.observer.rejected.Load())
	}
	ask(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"ROOTCA"}, ResponseNonce: renewed.GetNonce(), VersionInfo: renewed.GetVersionInfo()})
	if resp := receive(); kind(onlySecret(t, resp)) != "validator" {
		t.Fatal("changed names were not answered")
	}
	ask(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"default"}, ResponseNonce: "stale"})
	ask(&discoveryv3.DiscoveryRequest{TypeUrl: "type.googleapis.com/x", ResponseNonce: "stale"})
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("error = %v, want InvalidArgument and no answer to the stale request", err)
	}
	delta, err := secretv3.NewSecretDiscoveryServiceClient(f.conn).DeltaSecrets(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = delta.Recv(); status.Code(err) != codes.Unimplemented {
		t.Fatalf("delta: %v, want Unimplemented", err)
	}
}

func TestSocketIsGuarded(t *testing.T) {
	config := func(socket string) identity.Config {
		authority, err := devca.Open(devca.Config{TrustDomain: td, Dir: t.TempDir(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return identity.Config{Socket: socket, Authority: authority, Observer: &observer{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now}
	}
	f := start(t, 0, 0)
	taken := strings.TrimPrefix(f.address, "unix://")
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for socket, want := range map[string]string{
		taken:                          "in use",
		filepath.Join(open, "s"):       "chmod go-w",
		plain:                          "not a socket",
		"/" + strings.Repeat("x", 120): "shorter",
	} {
		if _, err := identity.NewEndpoint(config(socket)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error = %v, want one with %q", socket, err, want)
		}
	}
	stale := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	e, err := identity.NewEndpoint(config(stale))
	if err != nil {
		t.Fatalf("the socket of a killed server: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Serve(ended); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestConnectionEndsWithTheSVID(t *testing.T) {
	f := start(t, 3*time.Second, time.Hour, issue.Entry{ID: envoyID, Selectors: []string{ownUID()}})
	source, err := workloadapi.NewX509Source(timeout(t), workloadapi.WithClientOptions(workloadapi.WithAddr(f.address)))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	handshake := make(chan error, 1)
	creds := identity.ServerCredentials(source, source, time.Now)
	go func() {
		raw, err := listener.Accept()
		if err == nil {
			_, _, err = creds.ServerHandshake(raw)
		}
		handshake <- err
	}()
	certificate := tls.Certificate{PrivateKey: svid.PrivateKey, Certificate: [][]byte{svid.Certificates[0].Raw}}
	conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{
		Certificates: []tls.Certificate{certificate}, InsecureSkipVerify: true, NextProtos: []string{"h2"}, // the server's end is what is tested
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := <-handshake; err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection is still open")
	}
	if time.Now().Before(svid.Certificates[0].NotAfter) {
		t.Fatal("the connection was cut while the SVID was good")
	}
}
