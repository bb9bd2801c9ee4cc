package catalog_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// guarded is a right set whose gateway verifies tokens with the keys of a file.
func guarded(keys string) source.Set {
	const jwt = "  jwt: {providers: [{name: corp, issuer: corp, audiences: [weir], jwks: {file: keys.json}}]}\n"
	set := right().with(folder{"gateway.yaml": gateway + jwt}).set()
	set.Certificates = map[string][]byte{"keys.json": []byte(keys)}
	return set
}

func keySet(t *testing.T, keys ...any) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: "a"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestKeySets: what is sent to Envoys holds public keys, of which one can be used.
func TestKeySets(t *testing.T) {
	edwards, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ keys, want string }{
		"RSA":           {keySet(t, rsaKey(t, 2048).Public()), ""},
		"ECDSA":         {keySet(t, ecdsaKey(t).Public(), large.Public()), ""},
		"Ed25519":       {keySet(t, edwards), ""},
		"small RSA":     {keySet(t, edwards, rsaKey(t, 1024).Public()), "keys[1]: the RSA key has 1024 bits"},
		"private RSA":   {keySet(t, rsaKey(t, 2048)), "keys[0]: it is a private key"},
		"private ECDSA": {keySet(t, ecdsaKey(t)), "it is a private key"},
		"private":       {keySet(t, private), "it is a private key"},
		"shared":        {keySet(t, []byte("0123456789abcdef")), "it is a shared secret"},
		"none":          {`{"keys": []}`, "it has no key"},
		"another":       {`{"keys": [{"kty": "other"}]}`, "it has no key"},
		"one of two":    {`{"keys": [{"kty": "other"},` + strings.TrimPrefix(keySet(t, edwards), `{"keys":[`), ""},
		"a list":        {`[]`, "cannot be read"},
		"too large":     {strings.Repeat(" ", 1<<16) + keySet(t, edwards), "more than 65536"},
	}
	for name, test := range tests {
		_, problems := catalog.Build(guarded(test.keys))
		switch {
		case test.want == "" && len(problems) > 0:
			t.Errorf("%s: %v", name, problems)
		case test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), "gateway.yaml:") || !strings.Contains(problems[0].Message, test.want)):
			t.Errorf("%s: problems are %v, want %q", name, problems, test.want)
		}
	}
}

// TestKeyRotation: the last good keys count until there are others.
func TestKeyRotation(t *testing.T) {
	first, second := keySet(t, ecdsaKey(t).Public()), keySet(t, ecdsaKey(t).Public())
	builder := catalog.NewBuilder()
	for _, step := range []struct{ keys, want string }{{first, first}, {"torn", first}, {second, second}} {
		result := builder.Build(guarded(step.keys))
		if got := string(result.Catalog.Gateways[0].Tokens.Providers[0].Keys); got != step.want || (len(result.Held) > 0) != (step.keys != step.want) {
			t.Errorf("with %.10s keys are %.40s, held are %v", step.keys, got, result.Held)
		}
	}
}
