// Package devca is a certificate authority for development: it keeps a root in
// a file, replaces it before it ends, and signs X509-SVIDs. It is not for
// production, where SPIRE does this.
//
// It may import go-spiffe's identifiers and nothing of this repository.
package devca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// backdate is how long before its making a certificate begins, for clocks that
// are a little behind; SPIRE takes the same.
const backdate = 10 * time.Second

const organization = "Weir development CA, not for production"

// root is one generation of the authority.
type root struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newRoot makes a self-signed root for the trust domain (X509-SVID, section 4:
// the SPIFFE ID of a signing certificate has no path).
func newRoot(td spiffeid.TrustDomain, now time.Time, ttl time.Duration) (root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return root{}, fmt.Errorf("make the root key: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return root{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// The serial makes the subjects of two roots differ.
		Subject:               pkix.Name{Organization: []string{organization}, SerialNumber: hex.EncodeToString(serial.Bytes())},
		URIs:                  []*url.URL{td.ID().URL()},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(ttl),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return root{}, fmt.Errorf("sign the root: %w", err)
	}
	return root{cert: cert, key: key}, nil
}

// svid signs an X509-SVID leaf: exactly one URI SAN with a path, no CA, digital
// signature only, both extended usages (X509-SVID, sections 2 to 4).
func (r root) svid(id spiffeid.ID, public crypto.PublicKey, now time.Time, ttl time.Duration) (*x509.Certificate, error) {
	if id.Path() == "" {
		return nil, fmt.Errorf("sign %s: the SPIFFE ID of a workload must have a path", id)
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	notAfter := now.Add(ttl)
	if notAfter.After(r.cert.NotAfter) {
		notAfter = r.cert.NotAfter
	}
	return sign(&x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{organization}},
		URIs:                  []*url.URL{id.URL()},
		NotBefore:             now.Add(-backdate),
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, r.cert, public, r.key)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// serialNumber draws 127 random bits, so that it is positive and within the 20
// octets of RFC 5280, section 4.1.2.2.
func serialNumber() (*big.Int, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	b[0] &= 0x7f
	b[15] |= 1 // never zero
	return new(big.Int).SetBytes(b[:]), nil
}

// at is the moment when the given share of the root's life has passed.
func (r root) at(numerator, denominator int64) time.Time {
	made := r.cert.NotBefore.Add(backdate)
	return made.Add(time.Duration(int64(r.cert.NotAfter.Sub(made)) / denominator * numerator))
}

var errOtherDomain = errors.New("belongs to another trust domain")

// check reports what forbids using a root that was read from a file.
func (r root) check(td spiffeid.TrustDomain) error {
	if len(r.cert.URIs) != 1 || r.cert.URIs[0].String() != td.IDString() {
		return errOtherDomain
	}
	public, ok := r.key.Public().(*ecdsa.PublicKey)
	if !ok || !public.Equal(r.cert.PublicKey) {
		return errors.New("key and certificate do not belong together")
	}
	if !r.cert.IsCA {
		return errors.New("is not the certificate of an authority")
	}
	return nil
}
