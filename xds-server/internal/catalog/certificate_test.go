package catalog_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// pair is a self-signed certificate and its key, in PEM.
func pair(t *testing.T, private crypto.Signer) (chain, key []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"www.example.com"}}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func ecdsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// public is a right set with a listener for the public.
func public(files map[string][]byte) source.Set {
	set := right().with(folder{"gateway.yaml": strings.Replace(gateway, "port: 10000", "port: 10000, tls: {certificate: {certificateFile: crt, keyFile: key}}", 1)}).set()
	set.Certificates = files
	return set
}

// TestCertificateRotation: a pair is taken when both files are there and belong
// together; until then the last good pair is shown.
func TestCertificateRotation(t *testing.T) {
	chain, key := pair(t, ecdsaKey(t))
	nextChain, nextKey := pair(t, ecdsaKey(t))
	builder := catalog.NewBuilder()
	steps := []struct {
		name  string
		files map[string][]byte
		want  []byte
		held  []string
	}{
		{"first", map[string][]byte{"crt": chain, "key": key}, chain, nil},
		{"half rotated", map[string][]byte{"crt": nextChain, "key": key}, chain, []string{"certificate file/crt"}},
		{"key gone", map[string][]byte{"crt": nextChain}, chain, []string{"certificate file/crt", "certificate file/key"}},
		{"rotated", map[string][]byte{"crt": nextChain, "key": nextKey}, nextChain, nil},
		{"folder gone", nil, nextChain, []string{"certificate file/crt", "certificate file/key"}},
		{"no PEM", map[string][]byte{"crt": []byte("x"), "key": nextKey}, nextChain, []string{"certificate file/crt"}},
		{"back", map[string][]byte{"crt": chain, "key": key, "other": {1}}, chain, nil},
	}
	for _, step := range steps {
		result := builder.Build(public(step.files))
		if result.Catalog == nil {
			t.Fatalf("%s: %v", step.name, result.Problems)
		}
		tls := result.Catalog.Gateways[0].Listeners[0].TLS
		if !bytes.Equal(tls.Certificate.Chain, step.want) || tls.RequireClientCertificate {
			t.Errorf("%s: listener has %+v", step.name, tls)
		}
		var held []string
		for _, h := range result.Held {
			held = append(held, h.Resource)
		}
		if strings.Join(held, ",") != strings.Join(step.held, ",") || (len(held) > 0) != (len(result.Problems) > 0) {
			t.Errorf("%s: held are %q, want %q; problems %v", step.name, held, step.held, result.Problems)
		}
		for _, p := range result.Problems {
			if strings.Contains(p.String(), "PRIVATE") || p.File != "gateway.yaml" {
				t.Errorf("%s: problem is %s", step.name, p)
			}
		}
	}
}

func TestUsableCertificates(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		key  crypto.Signer
		want string
	}{
		"P-256": {ecdsaKey(t), ""}, "RSA 2048": {large, ""},
		"RSA 1024": {small, "1024 bits"}, "P-224": {odd, "P-224"}, "Ed25519": {edwards, "neither RSA nor ECDSA"},
	}
	for name, test := range tests {
		chain, key := pair(t, test.key)
		_, problems := catalog.Build(public(map[string][]byte{"crt": chain, "key": key}))
		if test.want == "" && len(problems) > 0 || test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, test.want)) {
			t.Errorf("%s: problems are %v, want %q", name, problems, test.want)
		}
	}
}

// TestOrigins: problems and parts of the catalog say where they come from.
func TestOrigins(t *testing.T) {
	set := right().set()
	text := "# a model\n" + modelOf("c", "v1", "v2") + "---\n" + routeOf("c", "v1")
	set.Documents = append(set.Documents, source.Document{Name: "etcd/c", Origin: "etcd:/weir/c@12", Data: []byte(text)})
	builder := catalog.NewBuilder()
	model := builder.Build(set).Catalog.Model("c")
	if model.Origin != "etcd:/weir/c@12:2" || model.RouteOrigin != "etcd:/weir/c@12:7" {
		t.Errorf("origins are %q and %q", model.Origin, model.RouteOrigin)
	}
	last := &set.Documents[len(set.Documents)-1]
	*last = source.Document{Name: "etcd/c", Origin: "etcd:/weir/c@13", Data: []byte(text + "more: 1\n")}
	result := builder.Build(set)
	if len(result.Problems) != 1 || !strings.HasPrefix(result.Problems[0].String(), "etcd:/weir/c@13:11:1: ModelRoute/c: more: unknown field") {
		t.Errorf("problems are %v", result.Problems)
	}
	if after := result.Catalog.Model("c"); after.Origin != "etcd:/weir/c@13:2" || after.RouteOrigin != "etcd:/weir/c@12:7" || result.Held[0].Origin != after.RouteOrigin {
		t.Errorf("model is %+v, held are %+v", after, result.Held)
	}
}
