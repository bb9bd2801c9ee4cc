package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// programs are those that weir up starts.
var programs = []string{"xds-server", "sidecar", "envoy"}

// TestCleanStop stops a Weir as Ctrl-C does: nothing is left.
func TestCleanStop(t *testing.T) {
	s := boot(t)
	pids := s.pids(t)
	s.processes.Stop(context.Background())
	wantGone(t, pids)
	for _, port := range []int{s.gateway, s.xds, s.admin, s.envoy, s.sidecar, s.metrics} {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			t.Errorf("port %d is still taken: %v", port, err)
			continue
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if !s.log.has("| envoy stopped") || s.log.has("was killed") {
		t.Error("the log does not tell of a clean stop")
	}
}

// TestKilledParent kills weir itself, which then cannot clean up.
func TestKilledParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends children with their parent")
	}
	s := boot(t)
	s.mayEnd.Store(true)
	pids := s.pids(t)
	if err := syscall.Kill(s.weir(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantGone(t, pids)
}

func (s *stack) pids(t *testing.T) []int {
	t.Helper()
	var pids []int
	for _, name := range programs {
		pid := s.pid(t, name)
		if gone(pid) {
			t.Fatalf("%s does not run", name)
		}
		pids = append(pids, pid)
	}
	return pids
}

// gone says whether a process has ended. One that is still to be reaped by
// whoever adopted it has.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	after := string(stat[bytes.LastIndexByte(stat, ')')+1:])
	return strings.HasPrefix(after, " Z") || strings.HasPrefix(after, " X")
}

func wantGone(t *testing.T, pids []int) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		for i, pid := range pids {
			if !gone(pid) {
				return fmt.Errorf("%s (%d) still runs", programs[i], pid)
			}
		}
		return nil
	})
}

// TestPortInUse demands an error about the port and not about a program's log.
func TestPortInUse(t *testing.T) {
	s := &stack{log: newLogbook()}
	weir := artefact.Built(t, "weir")
	s.reserve(t)
	l, err := net.Listen("tcp", loopback(s.envoy))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.dir = s.resources(t, loopback(s.metrics), nil)
	out, err := exec.CommandContext(t.Context(), weir, s.arguments(t.TempDir())...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{loopback(s.envoy), "is in use", "--envoy-admin"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "started") {
		t.Errorf("a program was started:\n%s", out)
	}
}

// A dead Envoy is reported and started again.
func testDeadEnvoy(t *testing.T, s *stack) {
	pid := s.pid(t, "envoy")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() error {
		if s.pid(t, "envoy") == pid {
			return errors.New("envoy was not started again")
		}
		_, err := get(t.Context(), s.url("/v1/models"))
		return err
	})
	if !s.log.has("| envoy ended (signal: killed)") {
		t.Error("the log does not say that envoy ended")
	}
	a := s.post(t, "/v1/chat/completions", chat("hello"), "x-tenant-id", "after-restart")
	if a.status != http.StatusOK {
		t.Errorf("status %d: %s", a.status, clip(a.body))
	}
}
