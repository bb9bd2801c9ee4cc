// Package sds serves SVIDs and the bundle to Envoy over the Secret Discovery
// Service, state of the world, with the resource names of SPIRE's agent. An
// Envoy that works with the one works with the other.
package sds

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

// Names that stand for a resource without naming it, as SPIRE's agent has them
// (default_svid_name, default_bundle_name, default_all_bundles_name).
const (
	defaultSVID   = "default" // the first SVID
	defaultBundle = "ROOTCA"  // the bundle of the own trust domain
	allBundles    = "ALL"     // all bundles that are trusted
)

// spiffeValidator checks a peer against the bundle of the trust domain that the
// peer claims, instead of against all roots at once.
const spiffeValidator = "envoy.tls.cert_validator.spiffe"

// secrets makes the resources that names ask for; no names ask for all. A name
// that the process has no right to is an error.
func secrets(u issue.Update, names []string, validator bool) ([]*anypb.Any, error) {
	wanted := compact(names)
	if len(wanted) == 0 {
		wanted = append(wanted, u.Bundle.TrustDomain().IDString())
		for _, svid := range u.SVIDs {
			wanted = append(wanted, svid.ID.String())
		}
	}
	resources := make([]*anypb.Any, 0, len(wanted))
	var refused []string
	for _, name := range wanted {
		secret, err := secret(u, name, validator)
		if err != nil {
			return nil, err
		}
		if secret == nil {
			refused = append(refused, fmt.Sprintf("%q", name))
			continue
		}
		packed, err := pack(secret)
		if err != nil {
			return nil, err
		}
		resources = append(resources, packed)
	}
	if refused != nil {
		return nil, refusal{names: refused}
	}
	return resources, nil
}

// refusal says which names the process has no right to.
type refusal struct{ names []string }

func (r refusal) Error() string {
	return "workload is not authorized for the requested identities " + strings.Join(r.names, ", ")
}

// secret makes one resource; nil if there is none of this name for the process.
func secret(u issue.Update, name string, validator bool) (*tlsv3.Secret, error) {
	switch name {
	case u.Bundle.TrustDomain().IDString(), defaultBundle:
		return trust(u, name, validator)
	case allBundles:
		if !validator {
			return nil, fmt.Errorf("%q needs the SPIFFE validator of Envoy 1.18 or newer", allBundles)
		}
		return trust(u, name, validator)
	}
	for i, svid := range u.SVIDs {
		if name == svid.ID.String() || i == 0 && name == defaultSVID {
			return certificate(svid, name)
		}
	}
	return nil, nil
}

func certificate(svid issue.SVID, name string) (*tlsv3.Secret, error) {
	key, err := x509.MarshalPKCS8PrivateKey(svid.Key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", svid.ID, err)
	}
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(certificatesPEM(svid.Chain)),
		PrivateKey:       inline(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}}}, nil
}

// trust is a validation context for peers of the own trust domain, the only one
// of which there is a bundle.
func trust(u issue.Update, name string, validator bool) (*tlsv3.Secret, error) {
	roots := inline(certificatesPEM(u.Bundle.X509Authorities()))
	validation := &tlsv3.CertificateValidationContext{TrustedCa: roots}
	if validator {
		config, err := pack(&tlsv3.SPIFFECertValidatorConfig{
			TrustDomains: []*tlsv3.SPIFFECertValidatorConfig_TrustDomain{{Name: u.Bundle.TrustDomain().Name(), TrustBundle: roots}},
		})
		if err != nil {
			return nil, err
		}
		validation = &tlsv3.CertificateValidationContext{
			CustomValidatorConfig: &corev3.TypedExtensionConfig{Name: spiffeValidator, TypedConfig: config},
		}
	}
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: validation}}, nil
}

// knowsValidator reports whether an Envoy has the SPIFFE validator (1.18 and
// later), as SPIRE decides it. A client that does not say gets plain roots.
func knowsValidator(node *corev3.Node) bool {
	version := node.GetUserAgentBuildVersion().GetVersion()
	return version.GetMajorNumber() > 1 || version.GetMajorNumber() == 1 && version.GetMinorNumber() > 17
}

func certificatesPEM(certs []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, cert := range certs {
		// Writing into memory does not fail.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return out.Bytes()
}

func inline(data []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: data}}
}

// pack encodes deterministically, so that equal secrets are equal bytes.
func pack(m proto.Message) (*anypb.Any, error) {
	packed := &anypb.Any{}
	if err := anypb.MarshalFrom(packed, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		return nil, fmt.Errorf("encode a secret: %w", err)
	}
	return packed, nil
}

// compact returns the distinct names that are not empty, sorted.
func compact(names []string) []string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	return slices.DeleteFunc(sorted, func(name string) bool { return name == "" })
}
