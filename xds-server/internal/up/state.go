package up

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSocketPath bounds the path of the Workload API socket: sockaddr_un holds
// 107 bytes on Linux and 103 elsewhere.
const maxSocketPath = 100

// socketName is the Workload API socket's.
const socketName = "workload.sock"

// state is the folder that one running Weir owns.
type state struct {
	dir    string // absolute
	socket string // path of the Workload API socket
	short  string // a folder made for the socket alone; empty: none
	lock   *os.File
}

// openState makes the folder and takes its lock, so that two never share one.
// socket is the Workload API socket of someone else; empty: our own.
func openState(dir, socket string) (*state, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	s := &state{dir: dir, socket: socket}
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	if s.socket != "" {
		return s, nil
	}
	s.socket = filepath.Join(dir, socketName)
	if len(s.socket) < maxSocketPath {
		return s, nil
	}
	s.short, err = os.MkdirTemp("", "weir-")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("folder for the socket, as %s is too long for one: %w", s.socket, err), s.close())
	}
	s.socket = filepath.Join(s.short, socketName)
	return s, nil
}

func (s *state) takeLock() error {
	lock, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close() // nothing was written to it
		return fmt.Errorf("state folder %s is in use by another weir: stop it, or name another folder with --state-dir", s.dir)
	}
	s.lock = lock
	return nil
}

// path is a file of the state folder.
func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// close gives the folder back.
func (s *state) close() error {
	err := s.lock.Close()
	if s.short != "" {
		err = errors.Join(err, os.RemoveAll(s.short))
	}
	return err
}

// workloadSocket is the path in SPIFFE_ENDPOINT_SOCKET; empty when it is not
// set. Envoy reaches Unix sockets only.
func workloadSocket(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	path, ok := strings.CutPrefix(value, "unix:")
	if !ok {
		return "", fmt.Errorf("SPIFFE_ENDPOINT_SOCKET=%s: Envoy needs a Unix socket: unix:///path", value)
	}
	path = "/" + strings.TrimLeft(path, "/")
	if len(path) >= maxSocketPath {
		return "", fmt.Errorf("SPIFFE_ENDPOINT_SOCKET=%s: the path is too long for a Unix socket", value)
	}
	return path, nil
}
