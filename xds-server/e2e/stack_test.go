package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/echo"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

// stack is a Weir that `weir up` runs, over a copy of examples/local with its
// own ports.
type stack struct {
	dir       string // the resources
	state     string // the state folder
	gateway   int
	xds       int
	admin     int
	envoy     int // Envoy's admin interface
	sidecar   int
	metrics   int
	secure    int // for a second listener, with mTLS
	log       *logbook
	processes *supervise.Group
	mayEnd    atomic.Bool  // the test ends weir itself
	own       atomic.Int64 // weir's own process
}

// weir is the process of weir up itself.
func (s *stack) weir(t *testing.T) int {
	t.Helper()
	if s.own.Load() == 0 {
		t.Fatal("weir up was not started")
	}
	return int(s.own.Load())
}

// boot starts a Weir and stops it with the test. Each change edits a file of
// the resources before.
func boot(t *testing.T, changes ...change) *stack {
	t.Helper()
	return bootWith(t, func(*stack) []change { return changes })
}

// bootWith is boot for changes that need the ports.
func bootWith(t *testing.T, changes func(*stack) []change) *stack {
	t.Helper()
	weir := artefact.Built(t, "weir")
	model := httptest.NewServer(echo.Handler())
	t.Cleanup(model.Close)
	s := &stack{log: newLogbook()}
	s.reserve(t)
	s.dir = s.resources(t, strings.TrimPrefix(model.URL, "http://"), changes(s))
	s.processes = supervise.New(supervise.Options{
		Output: s.log, Notify: func(e supervise.Event) { s.watch(t, e) }, Grace: time.Minute,
		RestartMin: time.Hour, RestartMax: time.Hour, // a weir that ends is not wanted again
	})
	s.state = t.TempDir()
	program := supervise.Program{Name: "up", Path: weir, Args: s.arguments(s.state), Ready: func(context.Context) error {
		if !s.log.has("| ready: ") {
			return errors.New("no ready line yet")
		}
		return nil
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	t.Cleanup(func() {
		s.processes.Stop(context.Background())
		if t.Failed() {
			t.Logf("log of weir up:\n%s", s.log.text())
		}
	})
	if err := s.processes.Start(ctx, program); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) watch(t *testing.T, e supervise.Event) {
	switch e.Kind {
	case supervise.Started:
		s.own.Store(int64(e.PID))
	case supervise.Exited, supervise.Killed:
		if !s.mayEnd.Load() {
			t.Errorf("weir up ended: %v", e.Err)
		}
	}
}

func (s *stack) arguments(state string) []string {
	return []string{
		"up", "-f", s.dir, "--state-dir", state, "--concurrency", "2", "--color", "never",
		"--xds-address", loopback(s.xds), "--admin-address", loopback(s.admin), "--envoy-admin", loopback(s.envoy),
		"--sidecar-http", loopback(s.sidecar), "--sidecar-metrics", loopback(s.metrics),
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// reserve finds free ports: all are open at once, so that no two are equal.
func (s *stack) reserve(t *testing.T) {
	t.Helper()
	for _, port := range []*int{&s.gateway, &s.xds, &s.admin, &s.envoy, &s.sidecar, &s.metrics, &s.secure} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
	}
}

// change edits a resource file: every old text becomes the new one. An empty
// old text appends; to a file that is not there, too.
type change struct{ file, old, new string }

// resources copies examples/local to a new folder.
func (s *stack) resources(t *testing.T, echoAddress string, changes []change) string {
	t.Helper()
	dir := t.TempDir()
	const example = "../../examples/local"
	entries, err := os.ReadDir(example)
	if err != nil {
		t.Fatal(err)
	}
	ports := strings.NewReplacer("port: 10000", "port: "+strconv.Itoa(s.gateway),
		"127.0.0.1:8000", loopback(s.sidecar), "127.0.0.1:8080", echoAddress)
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(example, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, e.Name()), ports.Replace(string(data)))
	}
	write(t, filepath.Join(dir, "load.yaml"), ports.Replace(loadModel))
	for _, c := range changes {
		edit(t, dir, c)
	}
	return dir
}

// loadModel is a model without a budget and with two versions, for tests that
// send many requests.
const loadModel = `apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: load}
spec:
  versions:
    - {name: v1, endpoints: ["127.0.0.1:8080"], insecure: true}
    - {name: v2, endpoints: ["127.0.0.1:8080"], insecure: true}
---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: load}
spec:
  model: load
  split:
    - {version: v2, weight: 0}
    - {version: v1, weight: 100}
`

// edit changes a resource file in one step, as an editor that saves does.
func edit(t *testing.T, dir string, c change) {
	t.Helper()
	path := filepath.Join(dir, c.file)
	data, err := os.ReadFile(path)
	if err != nil && c.old != "" {
		t.Fatal(err)
	}
	text := string(data) + c.new
	if c.old != "" {
		if text = strings.ReplaceAll(string(data), c.old, c.new); text == string(data) {
			t.Fatalf("%s does not hold %q", c.file, c.old)
		}
	}
	write(t, path, text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// url is a path of the gateway.
func (s *stack) url(path string) string { return "http://" + loopback(s.gateway) + path }

// pid is the process that weir up started last under a name.
func (s *stack) pid(t *testing.T, name string) int {
	t.Helper()
	_, after, found := cutLast(s.log.text(), "| "+name+" started (pid ")
	if !found {
		t.Fatalf("the log does not say that %s started", name)
	}
	digits, _, _ := strings.Cut(after, ")")
	pid, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// eventually polls until try returns nil, without a fixed sleep: the pause
// grows, and limit bounds it all.
func eventually(t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v still: %v", limit, err)
		}
		timer := time.NewTimer(pause)
		<-timer.C
	}
}

// logbook keeps the lines that programs wrote.
type logbook struct {
	mu    sync.Mutex
	lines strings.Builder // guarded by mu
}

func newLogbook() *logbook { return &logbook{} }

// Line implements supervise.Output.
func (l *logbook) Line(_ string, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.Write(line)
	l.lines.WriteByte('\n')
}

// Write implements io.Writer, for programs that share the log.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *logbook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *logbook) has(text string) bool { return strings.Contains(l.text(), text) }

// get returns the body of a GET that is answered with 200.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	a, err := send(req)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("GET %s: %d %s", url, a.status, a.body)
	}
	return string(a.body), nil
}
