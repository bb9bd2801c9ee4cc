package xdsbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/credentials"

	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
)

// whole is the built xds-server as it is run: a folder of resources in, mTLS
// out, identities from the development CA.
type whole struct {
	dir   string
	mesh  mesh
	xds   netip.AddrPort
	admin string // host:port
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

// readyLimit bounds the start of a server that reads ten thousand files.
const readyLimit = 2 * time.Minute

func startWhole(ctx context.Context, o Options) (*whole, error) {
	dir, err := os.MkdirTemp("", "weir-xds-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	w := &whole{dir: dir, mesh: mesh{o.Models}, ended: make(chan struct{})}
	if err := errors.Join(w.write(o), w.spawn(o)); err != nil {
		w.remove()
		return nil, err
	}
	if err := within(ctx, readyLimit, w.ready); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// write puts the resources and the entries of the development CA in place.
func (w *whole) write(o Options) error {
	if err := errors.Join(os.Mkdir(w.resources(), 0o700), os.Mkdir(filepath.Join(w.dir, "new"), 0o700)); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	for _, d := range w.mesh.documents() {
		if err := os.WriteFile(filepath.Join(w.resources(), d.Name), d.Data, 0o600); err != nil {
			return fmt.Errorf("write resources: %w", err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the path of this program: %w", err)
	}
	entries := fmt.Sprintf("entries:\n- {id: %q, selectors: [%q]}\n", envoyID, "unix:path:"+program)
	if o.Envoy != "" {
		envoy, err := realPath(o.Envoy)
		if err != nil {
			return err
		}
		entries += fmt.Sprintf("- {id: %q, selectors: [%q]}\n", envoyID, "unix:path:"+envoy)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "entries.yaml"), []byte(entries), 0o600); err != nil {
		return fmt.Errorf("write identity entries: %w", err)
	}
	return nil
}

// realPath is a program's path as the kernel shows it.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return real, nil
}

func (w *whole) resources() string { return filepath.Join(w.dir, "resources") }
func (w *whole) socket() string    { return filepath.Join(w.dir, "state", "workload.sock") }

// spawn starts the server with free ports.
func (w *whole) spawn(o Options) error {
	xds, err := freeAddress()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	w.xds, w.admin = xds, admin.String()
	w.cmd = exec.Command(o.XDSServer, "--resources", w.resources(), "--filter-module", o.Module,
		"--xds-address", xds.String(), "--admin-address", w.admin, "--state-dir", filepath.Join(w.dir, "state"),
		"--identity-entries", filepath.Join(w.dir, "entries.yaml"), "--log-level", "error")
	w.cmd.Env = append(os.Environ(), "SPIFFE_ENDPOINT_SOCKET=")
	w.cmd.Stdout, w.cmd.Stderr = o.Log, o.Log
	if err := w.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", o.XDSServer, err)
	}
	go func() {
		_ = w.cmd.Wait() // how it ended is in its log
		close(w.ended)
	}()
	return nil
}

// freeAddress is a loopback address that was free a moment ago.
func freeAddress() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	address, err := netip.ParseAddrPort(l.Addr().String())
	return address, errors.Join(err, l.Close())
}

func (w *whole) stop() {
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended already
	select {
	case <-w.ended:
	case <-time.After(10 * time.Second):
		_ = w.cmd.Process.Kill() // as above
		<-w.ended
	}
	w.remove()
}

// remove leaves nothing behind; what stays below the temporary directory is not
// worth failing for.
func (w *whole) remove() { _ = os.RemoveAll(w.dir) }

// get returns the body of a path of the admin interface.
func (w *whole) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.admin+path, http.NoBody)
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

func (w *whole) ready(ctx context.Context) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := w.get(ctx, "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-w.ended:
			return errors.New("the xds-server ended before it was ready; its log says why")
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// credentials are those of an Envoy of the mesh, for all simulated clients.
func (w *whole) credentials(ctx context.Context) (credentials.TransportCredentials, *workloadapi.X509Source, error) {
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+w.socket())))
	if err != nil {
		return nil, nil, fmt.Errorf("get an SVID: %w", err)
	}
	return credentials.NewTLS(tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(serverID))), source, nil
}

// envoy starts a real Envoy as `weir up` does.
func (w *whole) envoy(ctx context.Context, o Options) (*realEnvoy, error) {
	binary, err := realPath(o.Envoy)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-xds-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for envoy: %w", err)
	}
	document, err := bootstrap.Config{
		NodeID: "envoy", NodeCluster: "bench", Admin: netip.MustParseAddrPort("127.0.0.1:0"),
		XDS: w.xds, Socket: w.socket(), Envoy: envoyID, XDSServer: serverID, MaxHeap: 16 << 30,
	}.YAML()
	if err != nil {
		return nil, err
	}
	return launch(ctx, envoyproc.Config{Binary: binary, Dir: dir, Bootstrap: document, LogLevel: "error", Log: o.Log})
}

// step writes a model's file as an editor or a synchroniser does: whole or not
// at all.
func (w *whole) step(i, step int) error {
	d := w.mesh.model(i, step)
	fresh := filepath.Join(w.dir, "new", d.Name)
	if err := os.WriteFile(fresh, d.Data, 0o600); err != nil {
		return fmt.Errorf("write a model: %w", err)
	}
	if err := os.Rename(fresh, filepath.Join(w.resources(), d.Name)); err != nil {
		return fmt.Errorf("put a model in place: %w", err)
	}
	return nil
}

// traced is the trace of a change, as /status shows it.
type traced struct {
	Revision  uint64    `json:"revision"`
	Accepted  time.Time `json:"accepted"`
	Converged time.Time `json:"converged"`
	Nodes     []struct {
		Node      string    `json:"node"`
		Converged time.Time `json:"converged"`
	} `json:"nodes"`
}

// traces are those of the last changes.
func (w *whole) traces(ctx context.Context) ([]traced, error) {
	body, err := w.get(ctx, "/status")
	if err != nil {
		return nil, err
	}
	var status struct {
		Changes []traced `json:"changes"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, fmt.Errorf("read /status: %w", err)
	}
	return status.Changes, nil
}

// everywhere reports whether so many nodes have all of the change.
func (t traced) everywhere(nodes int) bool {
	n := 0
	for _, node := range t.Nodes {
		if !node.Converged.IsZero() {
			n++
		}
	}
	return n >= nodes
}
