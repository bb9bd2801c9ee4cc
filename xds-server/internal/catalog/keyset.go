package catalog

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxKeySetBytes bounds a key set that is sent with the configuration.
const maxKeySetBytes = 64 << 10

// checkKeySet says why a JSON Web Key Set (RFC 7517) is not to be sent to Envoys:
// what everybody may read holds public keys alone, and Envoy must be able to use one.
func checkKeySet(document []byte) error {
	if len(document) > maxKeySetBytes {
		return fmt.Errorf("%d bytes are more than %d", len(document), maxKeySetBytes)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	usable := 0
	for i, raw := range set.Keys {
		var key jose.JSONWebKey
		err := key.UnmarshalJSON(raw)
		if errors.Is(err, jose.ErrUnsupportedKeyType) {
			continue // Envoy ignores it too
		}
		if err == nil {
			err = verifies(&key)
		}
		if err != nil {
			return fmt.Errorf("keys[%d]: %s", i, strings.TrimPrefix(err.Error(), "go-jose/go-jose: "))
		}
		usable++
	}
	if usable == 0 {
		return errors.New("it has no key of RSA, ECDSA or Ed25519")
	}
	return nil
}

// verifies says why a key is not one that signatures are verified with.
func verifies(key *jose.JSONWebKey) error {
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits { // RFC 7518, section 3.3
			return fmt.Errorf("the RSA key has %d bits, less than %d", k.N.BitLen(), minRSABits)
		}
		return nil
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return nil
	case []byte:
		return errors.New("it is a shared secret, with which everybody who can read the configuration could make tokens")
	default:
		return errors.New("it is a private key: take the public one, and make a new pair if this one was ever sent")
	}
}
