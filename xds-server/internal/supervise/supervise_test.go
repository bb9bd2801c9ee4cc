package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

// The test binary is its own child: roleEnv says which one.
const roleEnv = "SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// play is the program that the tests supervise.
func play(role string) int {
	fmt.Println("role", role)
	switch role {
	case "fail":
		fmt.Fprintln(os.Stderr, "cannot do my work")
		return 3
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "parent":
		// A child that ignores SIGTERM and outlives this process, were it not for the group.
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleEnv+"=stubborn")
		if err := cmd.Start(); err != nil {
			return 1
		}
		fmt.Println("child", cmd.Process.Pid)
	}
	fmt.Println("up")
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	<-never
	return 0
}

func program(role string) supervise.Program {
	return supervise.Program{Name: role, Path: os.Args[0], Env: append(os.Environ(), roleEnv+"="+role)}
}

// watch collects lines and events, and lets a test wait for one of them.
type watch struct {
	mu     sync.Mutex
	lines  []string
	events []supervise.Event
	change chan struct{} // closed at each change
}

func newWatch() *watch { return &watch{change: make(chan struct{})} }

func (w *watch) Line(name string, line []byte) {
	w.update(func() { w.lines = append(w.lines, name+": "+string(line)) })
}

func (w *watch) event(e supervise.Event) {
	w.update(func() { w.events = append(w.events, e) })
}

func (w *watch) update(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.change)
	w.change = make(chan struct{})
}

// await waits until found says yes.
func (w *watch) await(t *testing.T, what string, found func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		ok, change := found(), w.change
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-limit:
			t.Fatalf("%s did not come; lines %q, events %+v", what, w.lines, w.events)
		}
	}
}

func (w *watch) line(text string) func() bool {
	return func() bool { return slices.Contains(w.lines, text) }
}

// count says whether an event of this kind came n times.
func (w *watch) count(k supervise.Kind, n int) func() bool {
	return func() bool {
		seen := 0
		for _, e := range w.events {
			if e.Kind == k {
				seen++
			}
		}
		return seen >= n
	}
}

func (w *watch) of(k supervise.Kind) (found []supervise.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == k {
			found = append(found, e)
		}
	}
	return found
}

func group(t *testing.T, grace time.Duration) (*supervise.Group, *watch) {
	t.Helper()
	w := newWatch()
	g := supervise.New(supervise.Options{
		Output: w, Notify: w.event, Grace: grace, RestartMin: time.Millisecond, RestartMax: 20 * time.Millisecond,
	})
	t.Cleanup(func() { g.Stop(t.Context()) })
	return g, w
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestStopsInTheOppositeOrder(t *testing.T) {
	g, w := group(t, 10*time.Second)
	for _, name := range []string{"first", "second", "third"} {
		p := program("wait")
		p.Name = name
		if err := g.Start(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	g.Stop(t.Context())
	var order []string
	for _, e := range w.of(supervise.Stopped) {
		order = append(order, e.Program)
		if alive(e.PID) {
			t.Errorf("%s still runs", e.Program)
		}
	}
	if want := []string{"third", "second", "first"}; !slices.Equal(order, want) {
		t.Errorf("stopped %v, want %v", order, want)
	}
	if n := len(w.of(supervise.Exited)); n != 0 {
		t.Errorf("%d ends were called unexpected", n)
	}
}

func TestWaitsUntilReady(t *testing.T) {
	g, w := group(t, time.Second)
	probes := 0
	p := program("wait")
	p.Ready = func(context.Context) error {
		if probes++; probes < 4 {
			return errors.New("warming up")
		}
		return nil
	}
	if err := g.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if probes != 4 || len(w.of(supervise.Ready)) != 1 {
		t.Errorf("%d probes and %d ready events", probes, len(w.of(supervise.Ready)))
	}
}

func TestStartSaysWhyItFailed(t *testing.T) {
	never := func(context.Context) error { return errors.New("connection refused") }
	expired, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("300 ms are over"))
	defer cancel()
	for name, tc := range map[string]struct {
		ctx     context.Context
		program supervise.Program
		want    []string
	}{
		"it ends":         {t.Context(), supervise.Program{Path: os.Args[0], Env: []string{roleEnv + "=fail"}, Ready: never}, []string{"exit status 3", "cannot do my work"}},
		"no such program": {t.Context(), supervise.Program{Path: filepath.Join(t.TempDir(), "none")}, []string{"no such file"}},
		"never ready":     {expired, supervise.Program{Path: os.Args[0], Env: []string{roleEnv + "=wait"}, Ready: never}, []string{"300 ms are over", "connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, w := group(t, time.Second)
			tc.program.Name = "child"
			err := g.Start(tc.ctx, tc.program)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tc.want, "start child") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			for _, e := range w.of(supervise.Started) {
				if alive(e.PID) {
					t.Error("the process still runs")
				}
			}
			if len(w.of(supervise.Killed)) != 0 {
				t.Error("it was killed without being asked to end")
			}
			if len(w.of(supervise.Exited)) != 0 {
				t.Error("a program that never was ready was started again")
			}
		})
	}
}

func TestStartsADeadProgramAgain(t *testing.T) {
	g, w := group(t, time.Second)
	if err := g.Start(t.Context(), program("wait")); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		pids := w.of(supervise.Started)
		if err := syscall.Kill(pids[len(pids)-1].PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		w.await(t, "the next start", w.count(supervise.Ready, n+1))
	}
	ends := w.of(supervise.Exited)
	if len(ends) != 3 || ends[0].Err == nil || !strings.Contains(ends[0].Err.Error(), "killed") {
		t.Errorf("ends: %+v", ends)
	}
	if ends[0].In != time.Millisecond || ends[0].In > ends[1].In {
		t.Errorf("pauses: %v, %v", ends[0].In, ends[1].In)
	}
}

func TestStopDoesNotWaitForARestart(t *testing.T) {
	w := newWatch()
	g := supervise.New(supervise.Options{Output: w, Notify: w.event, RestartMin: time.Hour, RestartMax: time.Hour})
	if err := g.Start(t.Context(), program("wait")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(w.of(supervise.Started)[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.await(t, "its end", w.count(supervise.Exited, 1))
	g.Stop(t.Context())
	if n := len(w.of(supervise.Started)); n != 1 {
		t.Errorf("started %d times", n)
	}
}

func TestKillsWhatWillNotEnd(t *testing.T) {
	t.Run("after the grace time", func(t *testing.T) {
		g, w := group(t, 50*time.Millisecond)
		startUp(t, g, w, "stubborn")
		g.Stop(t.Context())
		wantKilled(t, w)
	})
	t.Run("at once when told so", func(t *testing.T) {
		g, w := group(t, time.Hour)
		startUp(t, g, w, "stubborn")
		now, cancel := context.WithCancel(t.Context())
		cancel()
		g.Stop(now)
		wantKilled(t, w)
	})
}

func startUp(t *testing.T, g *supervise.Group, w *watch, role string) {
	t.Helper()
	if err := g.Start(t.Context(), program(role)); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the line of the child", w.line(role+": up"))
}

func wantKilled(t *testing.T, w *watch) {
	t.Helper()
	killed := w.of(supervise.Killed)
	if len(killed) != 1 || alive(killed[0].PID) {
		t.Errorf("killed: %+v", killed)
	}
}

// What a child started must not outlive it.
func TestLeavesNoGrandchild(t *testing.T) {
	g, w := group(t, time.Second)
	startUp(t, g, w, "parent")
	var grandchild int
	w.await(t, "the grandchild", func() bool {
		for _, line := range w.lines {
			if s, ok := strings.CutPrefix(line, "parent: child "); ok {
				grandchild, _ = strconv.Atoi(s)
			}
		}
		return grandchild != 0
	})
	g.Stop(t.Context())
	// Its death is on the way: the kernel has the signal, and whoever adopted the
	// orphan reaps it when it likes, so a zombie counts as gone.
	limit := time.Now().Add(10 * time.Second)
	for !buried(grandchild) {
		if time.Now().After(limit) {
			t.Fatalf("the grandchild %d still runs", grandchild)
		}
		runtime.Gosched()
	}
}

// buried says whether a process that is no child of ours has ended.
func buried(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return !alive(pid)
	}
	return strings.Contains(string(status), "State:\tZ") || strings.Contains(string(status), "State:\tX")
}

func TestConsole(t *testing.T) {
	var plain, colored bytes.Buffer
	for _, tc := range []struct {
		out   *bytes.Buffer
		color bool
		want  string
	}{
		{&plain, false, "envoy  | one\nweir   | two\nenvoy  | three\n"},
		{&colored, true, "\x1b[36menvoy  |\x1b[0m one\n\x1b[35mweir   |\x1b[0m two\n\x1b[36menvoy  |\x1b[0m three\n"},
	} {
		c := supervise.NewConsole(tc.out, 6, tc.color)
		c.Line("envoy", []byte("one"))
		c.Line("weir", []byte("two"))
		c.Line("envoy", []byte("three"))
		if got := tc.out.String(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
