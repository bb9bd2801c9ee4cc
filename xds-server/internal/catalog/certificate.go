package catalog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"

	"github.com/weirmesh/weir/xds-server/api"
)

// minRSABits is what Envoy's TLS library takes at least.
const minRSABits = 2048

// certificate reads the files of a public certificate; without one it is nil.
func (c *checker) certificate(u *unit, field string, written *api.ServerCertificate) *Certificate {
	if written == nil {
		return nil
	}
	chain, haveChain := c.certificateFile(u, field+".certificateFile", written.CertificateFile)
	private, haveKey := c.certificateFile(u, field+".keyFile", written.KeyFile)
	if !haveChain || !haveKey {
		return &Certificate{}
	}
	if err := usable(chain, private); err != nil {
		c.at(u, field, fmt.Sprintf("%s and %s are no certificate and key that Envoy can use: %s", written.CertificateFile, written.KeyFile, err),
			"the one file has the certificate and its issuers in PEM, the other its private key",
			key{certificateFile, written.CertificateFile.String()}, key{certificateFile, written.KeyFile.String()})
	}
	return &Certificate{Chain: chain, Key: private}
}

func (c *checker) certificateFile(u *unit, field string, file api.FileName) (content []byte, found bool) {
	k := key{certificateFile, file.String()}
	if held := c.get(k); held != nil {
		content, found = held.value.([]byte)
		return content, found
	}
	c.at(u, field, fmt.Sprintf("there is no certificate file %q", file), "put it into the folder that the xds-server is given with --certificates", k)
	return nil, false
}

// usable says why Envoy would refuse a certificate.
func usable(chain, private []byte) error {
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return err
	}
	switch public := pair.Leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSABits {
			return fmt.Errorf("the RSA key has %d bits, less than %d", public.N.BitLen(), minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, public.Curve) {
			return fmt.Errorf("the key is on the curve %s, which is none of P-256, P-384 and P-521", public.Curve.Params().Name)
		}
		return nil
	default:
		return errors.New("the key is neither RSA nor ECDSA")
	}
}
