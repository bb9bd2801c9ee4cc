package identity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/inference-sidecar/internal/identity"
	"github.com/weirmesh/weir/inference-sidecar/internal/identitytest"
)

func peers(t *testing.T, ids ...string) (out []spiffeid.ID) {
	t.Helper()
	for _, s := range ids {
		id, err := identity.ParsePeer(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

// shake does one handshake over a pipe and returns the server's certificate and the server's error.
func shake(t *testing.T, server *tls.Config, client tls.Certificate) (*x509.Certificate, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	deadline := time.Now().Add(10 * time.Second)
	_, _ = a.SetDeadline(deadline), b.SetDeadline(deadline)
	done := make(chan error, 1)
	go func() {
		err := tls.Server(a, server).Handshake()
		a.Close()
		done <- err
	}()
	// The identities are under test, and the client's view of the server is compared by the caller.
	config := &tls.Config{InsecureSkipVerify: true}
	if client.PrivateKey != nil {
		config.Certificates = []tls.Certificate{client}
	}
	conn := tls.Client(b, config)
	clientError := conn.Handshake()
	if clientError == nil {
		_, _ = conn.Read(make([]byte, 1)) // in TLS 1.3 the refusal comes after the client's handshake
	}
	b.Close()
	if err := <-done; err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0], clientError
}

func TestServerLetsItsPeersInAndNobodyElse(t *testing.T) {
	ca, stranger := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
	address, updates := identitytest.Serve(t)
	updates <- ca.SVID("/inference-sidecar")
	config, closer, err := identity.Server(context.Background(), identity.Options{
		WorkloadAPI: address, Peers: peers(t, "spiffe://weir.test/envoy", "spiffe://weir.test/other"), Wait: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	for _, path := range []string{"/envoy", "/other"} {
		cert, err := shake(t, config, identitytest.Certificate(t, ca.SVID(path)))
		if err != nil || cert.URIs[0].String() != "spiffe://weir.test/inference-sidecar" {
			t.Errorf("%s: %v, %v", path, cert, err)
		}
	}
	for name, client := range map[string]tls.Certificate{
		"another ID": identitytest.Certificate(t, ca.SVID("/client")), "a prefix": identitytest.Certificate(t, ca.SVID("/envoy/2")),
		"another authority": identitytest.Certificate(t, stranger.SVID("/envoy")), "no certificate": {},
	} {
		if _, err := shake(t, config, client); err == nil {
			t.Errorf("%s is let in", name)
		}
	}
}

func TestServerFollowsRotation(t *testing.T) {
	ca := identitytest.NewAuthority(t)
	address, updates := identitytest.Serve(t)
	first, second := ca.SVID("/inference-sidecar"), ca.SVID("/inference-sidecar")
	updates <- first
	config, closer, err := identity.Server(context.Background(), identity.Options{WorkloadAPI: address, Peers: peers(t, "spiffe://weir.test/envoy"), Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	client := identitytest.Certificate(t, ca.SVID("/envoy"))
	cert, err := shake(t, config, client)
	if err != nil || string(cert.Raw) != string(first.GetSvids()[0].GetX509Svid()) {
		t.Fatalf("the first: %v", err)
	}
	updates <- second
	for deadline := time.Now().Add(30 * time.Second); ; {
		cert, err := shake(t, config, client)
		if err != nil {
			t.Fatal(err)
		}
		if string(cert.Raw) == string(second.GetSvids()[0].GetX509Svid()) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the second SVID is not presented")
		}
	}
}

func TestServerRefuses(t *testing.T) {
	if _, _, err := identity.Server(context.Background(), identity.Options{}); err == nil || !strings.Contains(err.Error(), "no peer may connect") {
		t.Errorf("no peers: %v", err)
	}
	address, _ := identitytest.Serve(t)
	opt := identity.Options{WorkloadAPI: address, Peers: peers(t, "spiffe://weir.test/envoy"), Wait: 50 * time.Millisecond}
	if _, _, err := identity.Server(context.Background(), opt); err == nil || !strings.Contains(err.Error(), "getting an X.509-SVID") {
		t.Errorf("no SVID: %v", err)
	}
	opt.WorkloadAPI = "nonsense"
	if _, _, err := identity.Server(context.Background(), opt); err == nil {
		t.Error("an address that is none is taken")
	}
}

func TestParsePeer(t *testing.T) {
	for _, s := range []string{"", "weir.test/envoy", "https://weir.test/envoy", "spiffe://weir.test/a//b", "spiffe://WEIR/x"} {
		if id, err := identity.ParsePeer(s); err == nil {
			t.Errorf("%q is taken as %s", s, id)
		}
	}
}
