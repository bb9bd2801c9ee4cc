// Package staticenvoy runs one real Envoy with one HTTP filter between a
// loopback listener and a loopback upstream, without a control plane. It is
// what measurements and filter-only tests run on: nothing but the filter
// differs between two of them.
package staticenvoy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Config is one Envoy to start.
type Config struct {
	Binary      string // Envoy's path
	Dir         string // an existing directory for its files; the caller removes it
	Upstream    string // host:port, HTTP/1.1 without TLS
	Filter      Filter // what stands before the router
	Concurrency int    // workers; 0: 1
	CPUs        []int  // processors it may use; empty: all
	LogLevel    string // empty: warning
	Components  string // Envoy's --component-log-level; empty: none
	Log         io.Writer
	BufferLimit int // per_connection_buffer_limit_bytes; 0: Envoy's default of 1 MiB
}

// Envoy is a running Envoy. Stop ends it.
type Envoy struct {
	dir     string
	admin   string
	address string
	pid     int
	stop    func()
	exited  chan struct{}
}

// startTimeout bounds how long Envoy may take to become ready.
const startTimeout = 30 * time.Second

// Start writes the configuration, starts Envoy and returns when it is ready.
func Start(ctx context.Context, c Config) (*Envoy, error) {
	if err := c.Filter.prepare(c.Dir); err != nil {
		return nil, err
	}
	config, err := json.Marshal(bootstrap(c))
	if err != nil {
		return nil, fmt.Errorf("encode envoy bootstrap: %w", err)
	}
	path := filepath.Join(c.Dir, "envoy.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, fmt.Errorf("write envoy bootstrap: %w", err)
	}
	e := &Envoy{dir: c.Dir, exited: make(chan struct{})}
	if err := e.spawn(c, path); err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := e.awaitReady(ready); err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

// spawn starts the process from a thread that lives as long as Envoy does:
// Envoy asks the kernel to end it with the thread that started it.
func (e *Envoy) spawn(c Config, config string) error {
	level := c.LogLevel
	if level == "" {
		level = "warning"
	}
	args := []string{"-c", config, "--use-dynamic-base-id", "--concurrency", strconv.Itoa(max(c.Concurrency, 1)),
		"--log-level", level, "--admin-address-path", e.adminFile(), "--drain-time-s", "1"}
	if c.Components != "" {
		args = append(args, "--component-log-level", c.Components)
	}
	cmd := exec.Command(c.Binary, args...)
	cmd.Stdout, cmd.Stderr = c.Log, c.Log
	started := make(chan error, 1)
	go func() {
		defer close(e.exited)
		runtime.LockOSThread() // never unlocked: the thread, and the affinity set on it, end with this goroutine
		if err := pin(c.CPUs); err != nil {
			started <- err
			return
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log; who waits asks whether, not how
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", c.Binary, err)
	}
	e.pid = cmd.Process.Pid
	e.stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM) } // fails only when it has ended already
	return nil
}

// pin confines the calling thread, and the process that it starts, to cpus.
func pin(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("confine envoy to processors %v: %w", cpus, err)
	}
	return nil
}

func (e *Envoy) adminFile() string { return filepath.Join(e.dir, "admin-address") }

// awaitReady polls until Envoy has written its admin address, says that it is
// ready, and names the port of its listener.
func (e *Envoy) awaitReady(ctx context.Context) error {
	var last error
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		if last = e.probe(ctx); last == nil {
			return nil
		}
		select {
		case <-e.exited:
			return errors.New("envoy ended before it was ready; its log says why")
		case <-ctx.Done():
			return fmt.Errorf("envoy is not ready: %w", last)
		case <-time.After(wait):
		}
	}
}

func (e *Envoy) probe(ctx context.Context) error {
	b, err := os.ReadFile(e.adminFile())
	if err != nil {
		return fmt.Errorf("read admin address: %w", err)
	}
	e.admin = strings.TrimSpace(string(b))
	if _, err := e.Admin(ctx, "/ready"); err != nil {
		return err
	}
	body, err := e.Admin(ctx, "/listeners?format=json")
	if err != nil {
		return err
	}
	var listeners struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Port int `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &listeners); err != nil {
		return fmt.Errorf("read envoy's listeners: %w", err)
	}
	if len(listeners.Statuses) == 0 {
		return errors.New("envoy has no listener yet")
	}
	e.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(listeners.Statuses[0].Address.Socket.Port))
	return nil
}

// Admin returns the body of a GET on Envoy's admin interface.
func (e *Envoy) Admin(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.admin+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask envoy for %s: %s: %w", path, resp.Status, err)
	}
	return body, nil
}

// Address is the host:port of the listener.
func (e *Envoy) Address() string { return e.address }

// Exited is closed when the process has ended.
func (e *Envoy) Exited() <-chan struct{} { return e.exited }

// Stop ends Envoy and waits for it.
func (e *Envoy) Stop() {
	e.stop()
	<-e.exited
}
