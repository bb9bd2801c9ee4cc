// Package identitytest has an authority and a Workload API, for tests of mutual TLS.
package identitytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
)

// Authority is the certificate authority of the trust domain weir.test in a test.
type Authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// NewAuthority returns an Authority with a key of its own.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	a := &Authority{t: t, key: newKey(t)}
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		URIs: []*url.URL{{Scheme: "spiffe", Host: "weir.test"}},
	}, nil, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate for key; without a parent it is self-signed.
func (a *Authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// SVID answers the Workload API's form of a new SVID of the given path.
func (a *Authority) SVID(path string) *workload.X509SVIDResponse {
	a.t.Helper()
	key := newKey(a.t)
	id := &url.URL{Scheme: "spiffe", Host: "weir.test", Path: path}
	cert := a.sign(&x509.Certificate{
		URIs: []*url.URL{id}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &workload.X509SVIDResponse{Svids: []*workload.X509SVID{{
		SpiffeId: id.String(), X509Svid: cert.Raw, X509SvidKey: der, Bundle: a.cert.Raw,
	}}}
}

// fakeWorkloadAPI gives each workload that asks what comes from updates.
type fakeWorkloadAPI struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	updates chan *workload.X509SVIDResponse
}

// Certificate makes what a TLS peer presents of a Workload API's answer.
func Certificate(t *testing.T, r *workload.X509SVIDResponse) tls.Certificate {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(r.GetSvids()[0].GetX509SvidKey())
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{r.GetSvids()[0].GetX509Svid()}, PrivateKey: key}
}

// FetchX509SVID implements the Workload API.
func (f *fakeWorkloadAPI) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	for {
		select {
		case u := <-f.updates:
			if err := stream.Send(u); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// Serve serves a Workload API on a Unix socket and returns its address. Whoever asks gets what is put into updates.
func Serve(t *testing.T) (address string, updates chan *workload.X509SVIDResponse) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "api.sock")
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	api := &fakeWorkloadAPI{updates: make(chan *workload.X509SVIDResponse, 4)}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, api)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "unix://" + socket, api.updates
}
