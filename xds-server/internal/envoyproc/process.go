// Package envoyproc runs an Envoy process on this machine for measurements and
// tests: it starts it, waits until it is ready, asks its administration
// interface, and ends it; or it has an Envoy look at a bootstrap only. What the
// Envoy does is the caller's bootstrap.
package envoyproc

import (
	"context"
	"fmt"
	"io"
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
	Binary      string   // Envoy's path
	Dir         string   // an existing directory for its files; the caller removes it
	Bootstrap   []byte   // YAML or JSON; the admin address is in it, and its port may be 0
	Concurrency int      // workers; 0: 1
	CPUs        []int    // processors it may use; empty: all
	LogLevel    string   // empty: warning
	Components  string   // Envoy's --component-log-level; empty: none
	Disable     []string // extensions that this Envoy is to lack, such as envoy.health_checkers/envoy.health_checkers.http
	Log         io.Writer
}

// Process is a running Envoy. Stop ends it.
type Process struct {
	admin  string // host:port
	pid    int
	cmd    *exec.Cmd
	exited chan struct{}
}

// bootstrapFile is where the bootstrap is kept; JSON is YAML, too.
const bootstrapFile = "envoy.yaml"

const (
	startTimeout = 30 * time.Second // from the start to being ready
	stopTimeout  = 10 * time.Second // from SIGTERM to SIGKILL
)

// Start launches Envoy and returns when it is ready: its first configuration and
// the secrets in it have come, and its listeners are open.
func Start(ctx context.Context, c Config) (*Process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, err := Launch(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := p.AwaitReady(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Launch writes the bootstrap, starts Envoy and returns when its administration
// interface answers: it may still wait for its configuration.
func Launch(ctx context.Context, c Config) (*Process, error) {
	bootstrap, admin := filepath.Join(c.Dir, bootstrapFile), filepath.Join(c.Dir, "admin-address")
	if err := os.WriteFile(bootstrap, c.Bootstrap, 0o600); err != nil {
		return nil, fmt.Errorf("write envoy's bootstrap: %w", err)
	}
	p := &Process{exited: make(chan struct{}), cmd: exec.Command(c.Binary, c.arguments(bootstrap, admin)...)}
	p.cmd.Stdout, p.cmd.Stderr = c.Log, c.Log
	if err := p.spawn(c.CPUs); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Binary, err)
	}
	err := p.poll(ctx, "envoy's admin interface does not answer", func() error {
		address, err := os.ReadFile(admin)
		if err != nil {
			return fmt.Errorf("read envoy's admin address: %w", err)
		}
		p.admin = strings.TrimSpace(string(address))
		_, err = p.Admin(ctx, "/server_info")
		return err
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// AwaitReady returns when Envoy says that it is ready, see Start.
func (p *Process) AwaitReady(ctx context.Context) error {
	return p.poll(ctx, "envoy is not ready", func() error {
		_, err := p.Admin(ctx, "/ready")
		return err
	})
}

func (c Config) arguments(bootstrap, admin string) []string {
	level := c.LogLevel
	if level == "" {
		level = "warning"
	}
	args := []string{"-c", bootstrap, "--use-dynamic-base-id", "--concurrency", strconv.Itoa(max(c.Concurrency, 1)),
		"--log-level", level, "--admin-address-path", admin, "--drain-time-s", "1"}
	if c.Components != "" {
		args = append(args, "--component-log-level", c.Components)
	}
	if len(c.Disable) > 0 {
		args = append(args, "--disable-extensions", strings.Join(c.Disable, ","))
	}
	return args
}

// spawn starts the process from a thread that lives as long as Envoy does:
// Envoy asks the kernel to end it with the thread that started it.
func (p *Process) spawn(cpus []int) error {
	started := make(chan error, 1)
	go func() {
		defer close(p.exited)
		runtime.LockOSThread() // never unlocked: the thread, and the affinity set on it, end with this goroutine
		if err := pin(cpus); err != nil {
			started <- err
			return
		}
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its log; who waits asks whether, not how
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.pid = p.cmd.Process.Pid
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

// poll tries again and again until try succeeds; otherwise says what is amiss.
func (p *Process) poll(ctx context.Context, otherwise string, try func() error) error {
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s: it has ended; its log says why", otherwise)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", otherwise, err)
		case <-time.After(wait):
		}
	}
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop ends Envoy and waits for it. It may be called more than once.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended already
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill() // as above
		<-p.exited
	}
}
