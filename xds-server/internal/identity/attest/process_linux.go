package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
)

// process is a handle on /proc/PID that was opened while the peer was known to
// live. The kernel binds it to that process: after its end every use fails with
// ESRCH, whoever has the number then.
type process struct {
	mu     sync.Mutex
	folder *os.File // nil after release
}

// identify reads the peer's credentials as they were when it connected
// (unix(7), SO_PEERCRED) and binds to its process.
func identify(conn *net.UnixConn) (*Caller, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	pidfd := -1
	var credErr, pidfdErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		pidfd, pidfdErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	})
	if err = errors.Join(err, credErr); err != nil {
		return nil, fmt.Errorf("read the peer's credentials: %w", err)
	}
	if pidfdErr != nil {
		pidfd = -1
	} else {
		defer unix.Close(pidfd)
	}
	folder, err := os.OpenFile("/proc/"+strconv.Itoa(int(cred.Pid)), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("find process %d of the peer: %w", cred.Pid, err)
	}
	if err := sameProcess(folder, cred, pidfd); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return &Caller{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		PID:            cred.Pid, UID: cred.Uid, GID: cred.Gid,
		process: process{folder: folder},
	}, nil
}

// sameProcess makes sure that the folder is that of the peer and not of a
// process that got its number since. With SO_PEERPIDFD (Linux 6.5) this is
// exact: the peer still lives after the folder was opened, so its number was not
// given away before. Older kernels can compare users only; what remains there is
// a process of the same user, which could trace the peer anyway.
func sameProcess(folder *os.File, cred *unix.Ucred, pidfd int) error {
	if pidfd >= 0 {
		if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); err != nil && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("process %d of the peer has ended", cred.Pid)
		}
		return nil
	}
	status, err := readAt(folder, "status")
	if err != nil {
		return err
	}
	// "Uid:" real, effective, saved, file system (proc_pid_status(5)).
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) == 5 && fields[0] == "Uid:" && fields[2] == strconv.Itoa(int(cred.Uid)) {
			return nil
		}
	}
	return fmt.Errorf("process %d is not the peer's any more", cred.Pid)
}

// program is the path of the running program; empty if we may not see it.
func (p *process) program() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folder == nil {
		return "", os.ErrClosed
	}
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(p.folder.Fd()), "exe", buffer)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read its program's path: %w", err)
	case n == len(buffer):
		return "", errors.New("its program's path is too long")
	}
	return string(buffer[:n]), nil
}

// digest is the SHA-256 of the running program's file, in hexadecimal; empty if
// we may not see it.
func (p *process) digest() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folder == nil {
		return "", os.ErrClosed
	}
	program, err := openAt(p.folder, "exe")
	if errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("open its program: %w", err)
	}
	defer program.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, program); err != nil {
		return "", fmt.Errorf("read its program: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (p *process) release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folder == nil {
		return nil
	}
	err := p.folder.Close()
	p.folder = nil
	return err
}

func readAt(folder *os.File, name string) ([]byte, error) {
	f, err := openAt(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func openAt(folder *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(folder.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: folder.Name() + "/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), folder.Name()+"/"+name), nil
}
