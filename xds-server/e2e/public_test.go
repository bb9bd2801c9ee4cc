package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

// publicRotations is how often a public certificate is replaced under load.
const publicRotations = 20

// TestPublicCertificateRotates replaces the certificate that a listener shows to
// the public, the chain first and then the key, as those who copy files do.
func TestPublicCertificateRotates(t *testing.T) {
	u := upstream(t)
	public := newPublicCA(t)
	folder := t.TempDir()
	p := newPlane(t, "--certificates", folder)
	p.write(t, "live.yaml", sole("live", u.Address()))
	p.gatewayHas(t, fmt.Sprintf("    - {name: public, address: 127.0.0.1, port: %d, tls: {certificate: {certificateFile: tls.crt, keyFile: tls.key}}}\n", p.second), "")
	public.issue(t, folder, 1)
	p.start(t)
	p.startEnvoy(t, p.xds)
	config := &tls.Config{RootCAs: public.pool, ServerName: publicName}
	l := startLoad(t, loadgen.Options{Address: loopback(p.second), Bodies: requestsFor("live"), TLS: config})
	for serial := int64(2); serial <= publicRotations+1; serial++ {
		p.apply(t, func() { public.issue(t, folder, serial) })
		eventually(t, 30*time.Second, func() error {
			conn, err := tls.Dial("tcp", loopback(p.second), config)
			if err != nil {
				return err
			}
			defer conn.Close()
			if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
				return fmt.Errorf("Envoy shows certificate %d, want %d", got, serial)
			}
			return nil
		})
	}
	l.end()
	updates, err := p.envoy.Stats(t.Context(), `^listener_manager\.listener_(modified|in_place_updated)$`)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range updates {
		if n != 0 {
			t.Errorf("%s = %d: a certificate is to be replaced on its own", name, n)
		}
	}
}

const publicName = "models.example"

// publicCA is an authority that clients without SVIDs trust.
type publicCA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newPublicCA(t *testing.T) *publicCA {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1 << 32), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	ca := &publicCA{key: newKey(t), pool: x509.NewCertPool()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.pool.AddCert(ca.certificate)
	return ca
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue writes tls.crt and tls.key to folder.
func (ca *publicCA) issue(t *testing.T, folder string, serial int64) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{publicName}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "tls.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(folder, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}
