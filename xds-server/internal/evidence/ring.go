package evidence

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

// secretSize is the length of a secret in bytes.
const secretSize = 32

// secret is one of the secrets that keys are derived from.
type secret struct {
	Number  uint32    `json:"number"` // from 1
	Created time.Time `json:"created"`
	Secret  []byte    `json:"secret"` // base64
}

// ringFile is the file of a Ring.
type ringFile struct {
	Secrets []secret `json:"secrets"` // the newest last
}

// Ring holds the secrets that the keys of Envoys are derived from. They stand in a file
// that only its owner may read; a newer secret in it is used without a restart. A Ring is
// safe for concurrent use.
type Ring struct {
	path string

	mu      sync.Mutex
	changed time.Time // when the file last was, as far as it is known
	file    ringFile
}

// OpenRing reads the file at path.
func OpenRing(path string) (*Ring, error) {
	r := &Ring{path: path}
	return r, r.refresh()
}

// MakeRing reads the file at path, and makes it with a first secret from random if there
// is none.
func MakeRing(path string, random io.Reader, now time.Time) (*Ring, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("folder of the evidence keys: %w", err)
		}
		if err := writeRing(path, ringFile{}, random, now); err != nil {
			return nil, err
		}
	}
	return OpenRing(path)
}

// Rotate adds a secret to the file at path and returns its number.
func Rotate(path string, random io.Reader, now time.Time) (uint32, error) {
	file, _, err := readRing(path)
	if err != nil {
		return 0, err
	}
	return file.Secrets[len(file.Secrets)-1].Number + 1, writeRing(path, file, random, now)
}

// writeRing writes the file anew, with one more secret.
func writeRing(path string, file ringFile, random io.Reader, now time.Time) error {
	next := secret{Number: 1, Created: now.UTC().Truncate(time.Second), Secret: make([]byte, secretSize)}
	if n := len(file.Secrets); n > 0 {
		next.Number = file.Secrets[n-1].Number + 1
	}
	if _, err := io.ReadFull(random, next.Secret); err != nil {
		return fmt.Errorf("a secret for evidence: %w", err)
	}
	file.Secrets = append(file.Secrets, next)
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("evidence keys: %w", err)
	}
	fresh := path + ".next"
	if err := os.WriteFile(fresh, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("evidence keys: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("evidence keys: %w", err)
	}
	return nil
}

func readRing(path string) (ringFile, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return ringFile{}, time.Time{}, fmt.Errorf("evidence keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return ringFile{}, time.Time{}, fmt.Errorf("evidence keys: %s may be read by others than its owner (mode %o): chmod 600 it, and rotate the keys if somebody did", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ringFile{}, time.Time{}, fmt.Errorf("evidence keys: %w", err)
	}
	var file ringFile
	if err := json.Unmarshal(data, &file); err != nil {
		return ringFile{}, time.Time{}, fmt.Errorf("evidence keys: %s: %w", path, err)
	}
	return file, info.ModTime(), file.check(path)
}

func (f ringFile) check(path string) error {
	if len(f.Secrets) == 0 {
		return fmt.Errorf("evidence keys: %s holds no secret: restore it, or remove it and lose what was sealed", path)
	}
	for i, s := range f.Secrets {
		if len(s.Secret) != secretSize || s.Number == evidence.NoKey || i > 0 && s.Number <= f.Secrets[i-1].Number {
			return fmt.Errorf("evidence keys: %s: secret %d is damaged: it needs %d bytes, and a number above 0 and the one before", path, i, secretSize)
		}
	}
	return nil
}

// refresh reads the file if it has changed.
func (r *Ring) refresh() error {
	if info, err := os.Stat(r.path); err == nil && info.ModTime().Equal(r.changed) {
		return nil
	}
	file, changed, err := readRing(r.path)
	if err != nil {
		return err
	}
	r.file, r.changed = file, changed
	return nil
}

// Keys returns the newest keys of an Envoy. Those for chains are its own, so that no
// Envoy can make up a record of another; those for values are the same for all.
func (r *Ring) Keys(envoy string) (evidence.Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(); err != nil {
		return evidence.Keys{}, err
	}
	newest := r.file.Secrets[len(r.file.Secrets)-1]
	chain, err := derive(newest.Secret, "weir evidence chain: "+envoy)
	if err != nil {
		return evidence.Keys{}, err
	}
	values, err := derive(newest.Secret, "weir evidence values")
	if err != nil {
		return evidence.Keys{}, err
	}
	return evidence.Keys{Number: newest.Number, Chain: [evidence.KeySize]byte(chain), Values: [evidence.KeySize]byte(values)}, nil
}

// Chain returns an Envoy's key for chains of a number, nil if there is none.
func (r *Ring) Chain(envoy string, number uint32) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for again := range 2 {
		for _, s := range r.file.Secrets {
			if s.Number == number {
				key, _ := derive(s.Secret, "weir evidence chain: "+envoy) // fails for absurd lengths only
				return key
			}
		}
		if again == 0 && r.refresh() != nil {
			return nil
		}
	}
	return nil
}

// Values returns the key for values of a number, nil if there is none.
func (r *Ring) Values(number uint32) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.file.Secrets {
		if s.Number == number {
			key, _ := derive(s.Secret, "weir evidence values")
			return key
		}
	}
	return nil
}

// Newest is the number of the newest secret.
func (r *Ring) Newest() uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Secrets[len(r.file.Secrets)-1].Number
}

// derive is HKDF-SHA256 (RFC 5869) without a salt: secrets are random.
func derive(secret []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, evidence.KeySize)
	if err != nil {
		return nil, fmt.Errorf("a key for evidence: %w", err)
	}
	return key, nil
}
