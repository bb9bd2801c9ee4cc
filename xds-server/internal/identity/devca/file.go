package devca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

const (
	fileName = "development-ca.pem"
	keyType  = "PRIVATE KEY"
	certType = "CERTIFICATE"
)

// load reads the roots, oldest first. A file that is not there holds none.
func load(path string, td spiffeid.TrustDomain) ([]root, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the development CA: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the development CA's key in %s can be read by others (mode %#o): remove the file, so that a new CA is made, or chmod 600 it if you know who read it", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the development CA: %w", err)
	}
	roots, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("the development CA in %s cannot be used: %w: remove the file, so that a new CA is made", path, err)
	}
	for _, r := range roots {
		if err := r.check(td); err != nil {
			return nil, fmt.Errorf("the development CA in %s cannot be used for %s: it %w: remove the file, so that a new CA is made, or choose another --state-dir", path, td, err)
		}
	}
	return roots, nil
}

// decode reads pairs of a key and its certificate.
func decode(data []byte) ([]root, error) {
	var roots []root
	for len(bytes.TrimSpace(data)) > 0 {
		var key, cert *pem.Block
		if key, data = pem.Decode(data); key == nil || key.Type != keyType {
			return nil, fmt.Errorf("no %s where one should be", keyType)
		}
		if cert, data = pem.Decode(data); cert == nil || cert.Type != certType {
			return nil, fmt.Errorf("no %s where one should be", certType)
		}
		r, err := decodePair(key.Bytes, cert.Bytes)
		if err != nil {
			return nil, err
		}
		roots = append(roots, r)
	}
	return roots, nil
}

func decodePair(key, cert []byte) (root, error) {
	parsedKey, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return root{}, fmt.Errorf("read the root key: %w", err)
	}
	signer, ok := parsedKey.(*ecdsa.PrivateKey)
	if !ok {
		return root{}, fmt.Errorf("the root key is a %T, not ECDSA", parsedKey)
	}
	parsedCert, err := x509.ParseCertificate(cert)
	if err != nil {
		return root{}, fmt.Errorf("read the root certificate: %w", err)
	}
	return root{cert: parsedCert, key: signer}, nil
}

// save writes the roots so that a crash leaves the old file or the new one.
func save(path string, roots []root) error {
	var out bytes.Buffer
	for _, r := range roots {
		der, err := x509.MarshalPKCS8PrivateKey(r.key)
		if err != nil {
			return fmt.Errorf("encode the root key: %w", err)
		}
		// Writing into memory does not fail.
		_ = pem.Encode(&out, &pem.Block{Type: keyType, Bytes: der})
		_ = pem.Encode(&out, &pem.Block{Type: certType, Bytes: r.cert.Raw})
	}
	if err := replace(path, out.Bytes()); err != nil {
		return fmt.Errorf("save the development CA: %w", err)
	}
	return nil
}

func replace(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), fileName+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone after the rename
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
