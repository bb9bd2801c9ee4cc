// Package xdsproc runs the built xds-server for measurements and tests, as it is
// run on a developer's machine: a folder of resources in, mTLS out, identities
// from the development CA.
package xdsproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Config is one xds-server to start.
type Config struct {
	Binary    string            // its path
	Module    string            // path of filter.wasm
	Documents []source.Document // its resources; they name Envoy and Server
	Envoy     spiffeid.ID       // the identity of the programs
	Server    spiffeid.ID       // the server's own
	Programs  []string          // paths of the programs that are Envoys, or play them
	Log       io.Writer
}

// Process is a running xds-server. Stop ends it.
type Process struct {
	config Config
	dir    string
	xds    netip.AddrPort
	admin  string // host:port
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
}

const (
	readyLimit = 2 * time.Minute  // for the start: a server may have ten thousand files to read
	stopLimit  = 10 * time.Second // from SIGTERM to SIGKILL
)

// Start returns when the server is ready for Envoys. Its files are in a
// temporary folder, which Stop removes.
func Start(ctx context.Context, c Config) (*Process, error) {
	dir, err := os.MkdirTemp("", "weir-xds-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	p := &Process{config: c, dir: dir, ended: make(chan struct{})}
	if err := errors.Join(p.prepare(), p.spawn()); err != nil {
		_ = os.RemoveAll(dir) // the error before it matters more
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := p.awaitReady(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// prepare puts the resources and the entries of the development CA in place.
func (p *Process) prepare() error {
	if err := errors.Join(os.Mkdir(p.resources(), 0o700), os.Mkdir(p.waiting(), 0o700)); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	for _, d := range p.config.Documents {
		if err := p.Write(d); err != nil {
			return err
		}
	}
	var entries strings.Builder
	entries.WriteString("entries:\n")
	for _, program := range p.config.Programs {
		real, err := filepath.EvalSymlinks(program) // as the kernel shows it
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil {
			return fmt.Errorf("find %s: %w", program, err)
		}
		fmt.Fprintf(&entries, "- {id: %q, selectors: [%q]}\n", p.config.Envoy, "unix:path:"+real)
	}
	if err := os.WriteFile(p.entries(), []byte(entries.String()), 0o600); err != nil {
		return fmt.Errorf("write identity entries: %w", err)
	}
	return nil
}

func (p *Process) resources() string { return filepath.Join(p.dir, "resources") }
func (p *Process) waiting() string   { return filepath.Join(p.dir, "waiting") }
func (p *Process) entries() string   { return filepath.Join(p.dir, "entries.yaml") }

// Socket is the path of the Unix socket with the Workload API and SDS.
func (p *Process) Socket() string { return filepath.Join(p.dir, "state", "workload.sock") }

// XDS is the address of delta ADS.
func (p *Process) XDS() netip.AddrPort { return p.xds }

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// spawn starts the server at addresses that were free a moment ago.
func (p *Process) spawn() error {
	admin, err := freeAddress()
	if err == nil {
		p.xds, err = freeAddress()
	}
	if err != nil {
		return err
	}
	p.admin = admin.String()
	p.cmd = exec.Command(p.config.Binary, "--resources", p.resources(), "--filter-module", p.config.Module,
		"--xds-address", p.xds.String(), "--admin-address", p.admin, "--state-dir", filepath.Join(p.dir, "state"),
		"--identity-entries", p.entries(), "--log-level", "error")
	p.cmd.Env = append(os.Environ(), "SPIFFE_ENDPOINT_SOCKET=")
	p.cmd.Stdout, p.cmd.Stderr = p.config.Log, p.config.Log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.config.Binary, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	return nil
}

func freeAddress() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	address, err := netip.ParseAddrPort(l.Addr().String())
	return address, errors.Join(err, l.Close())
}

// Stop ends the server, waits for it and removes its files.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended already
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		_ = p.cmd.Process.Kill() // as above
		<-p.ended
	}
	_ = os.RemoveAll(p.dir) // what stays below the temporary directory is not worth failing for
}

// Write puts a document in place of the one with its name, whole or not at all,
// as an editor or a synchroniser does.
func (p *Process) Write(d source.Document) error {
	fresh := filepath.Join(p.waiting(), d.Name)
	if err := os.WriteFile(fresh, d.Data, 0o600); err != nil {
		return fmt.Errorf("write resources: %w", err)
	}
	if err := os.Rename(fresh, filepath.Join(p.resources(), d.Name)); err != nil {
		return fmt.Errorf("put resources in place: %w", err)
	}
	return nil
}

// Remove removes a document.
func (p *Process) Remove(name string) error {
	if err := os.Remove(filepath.Join(p.resources(), name)); err != nil {
		return fmt.Errorf("remove resources: %w", err)
	}
	return nil
}

// Admin returns the body of a path of the admin interface.
func (p *Process) Admin(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	return body, nil
}

func (p *Process) awaitReady(ctx context.Context) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := p.Admin(ctx, "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("the xds-server ended before it was ready; its log says why")
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// maxHeap lets an Envoy have what a very large configuration needs, in bytes.
const maxHeap = 16 << 30

// Bootstrap is what an Envoy of this server is started with, whose files are in
// dir; the caller sets what else there is to set, and starts it.
func (p *Process) Bootstrap(binary, dir string) (envoyproc.Config, error) {
	real, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return envoyproc.Config{}, fmt.Errorf("find %s: %w", binary, err)
	}
	document, err := bootstrap.Config{
		NodeID: "envoy", NodeCluster: "measured", Admin: netip.MustParseAddrPort("127.0.0.1:0"),
		XDS: p.xds, Socket: p.Socket(), Envoy: p.config.Envoy, XDSServer: p.config.Server, MaxHeap: maxHeap,
	}.YAML()
	return envoyproc.Config{Binary: real, Dir: dir, Bootstrap: document, LogLevel: "error", Log: p.config.Log}, err
}
