// Package identity is where the programs get their SVIDs from in development:
// one Unix socket with the SPIFFE Workload API and Envoy's Secret Discovery
// Service, over an embedded certificate authority. In production SPIRE's agent
// has that place. What the xds-server itself needs of SVIDs is here too, and
// works with both.
package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is what sockaddr_un holds on Linux, less its closing NUL.
const maxSocketPath = 107

// listen opens the socket for everyone, as SPIRE's agent does: who may have what
// is decided by attestation, not by the file's mode. The folder must be ours, or
// another user could put a socket in its place.
func listen(path string) (*net.UnixListener, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("identity socket: %w", err)
	}
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("identity socket %s: the path has %d bytes, a Unix socket takes at most %d: choose a shorter one with --socket", path, len(path), maxSocketPath)
	}
	if err := prepareFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("identity socket: %w", err)
	}
	if err := os.Chmod(path, 0o777); err != nil { //nolint:gosec // attestation decides, as the comment above says
		return nil, errors.Join(fmt.Errorf("open the identity socket to workloads: %w", err), l.Close())
	}
	return l, nil
}

func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // workloads of other users must reach the socket
		return fmt.Errorf("folder of the identity socket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("folder of the identity socket: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("others can write to %s (mode %#o) and could replace the identity socket: chmod go-w it, or choose another place with --socket", dir, info.Mode().Perm())
	}
	return nil
}

// removeStale removes the socket of a server that was killed. One that answers
// is another server's.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("identity socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("identity socket: %s is there and is not a socket: remove it, or choose another place with --socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("identity socket %s is in use by another process: stop it, or choose another place with --socket", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("identity socket: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the identity socket of a server that has ended: %w", err)
	}
	return nil
}
