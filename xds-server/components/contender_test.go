package components

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/xdsproc"
)

// contender is a control plane with an Envoy. Models are what the tests change:
// each has two versions, at one upstream.
type contender interface {
	name() string
	address() string // of the Envoy's listener
	// write puts a document in place, with so many models from first on;
	// canary is the second version's weight in percent.
	write(t *testing.T, document string, first, count, canary int)
	remove(t *testing.T, document string)
}

func model(i int) string { return fmt.Sprintf("m%04d", i) }

// weir is the built xds-server.
type weir struct {
	process  *xdsproc.Process
	upstream string
	listener string
}

func startWeir(t *testing.T, upstream string) *weir {
	t.Helper()
	envoyID, serverID := spiffeid.RequireFromString("spiffe://weir.test/envoy"), spiffeid.RequireFromString("spiffe://weir.test/xds-server")
	w := &weir{upstream: upstream, listener: freeAddress(t)}
	_, port, _ := net.SplitHostPort(w.listener)
	gateway := fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: %q}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: gw}
spec:
  envoys: [%q]
  listeners: [{name: http, address: 127.0.0.1, port: %s}]
`, serverID, envoyID, port)
	binary := artefact.Envoy(t)
	process, err := xdsproc.Start(t.Context(), xdsproc.Config{
		Binary: artefact.Built(t, "xds-server"), Module: artefact.Built(t, "filter.wasm"),
		Documents: []source.Document{{Name: "gateway.yaml", Data: []byte(gateway)}, w.document("live.yaml", 0, 1, 10)},
		Envoy:     envoyID, Server: serverID, Programs: []string{binary}, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	w.process = process
	config, err := process.Bootstrap(binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config.Concurrency = 2
	envoy, err := envoyproc.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(envoy.Stop)
	return w
}

func (w *weir) name() string    { return "Weir" }
func (w *weir) address() string { return w.listener }

func (w *weir) document(name string, first, count, canary int) source.Document {
	var b strings.Builder
	for i := first; i < first+count; i++ {
		fmt.Fprintf(&b, `apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: %[1]s}
spec:
  versions:
    - {name: v1, endpoints: [%[2]q], insecure: true}
    - {name: v2, endpoints: [%[2]q], insecure: true}
---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: %[1]s}
spec:
  model: %[1]s
  split: [{version: v2, weight: %[3]d}, {version: v1, weight: %[4]d}]
---
`, model(i), w.upstream, canary, 100-canary)
	}
	return source.Document{Name: name, Data: []byte(strings.TrimSuffix(b.String(), "---\n"))}
}

func (w *weir) write(t *testing.T, document string, first, count, canary int) {
	t.Helper()
	if err := w.process.Write(w.document(document, first, count, canary)); err != nil {
		t.Error(err)
	}
}

func (w *weir) remove(t *testing.T, document string) {
	t.Helper()
	if err := w.process.Remove(document); err != nil {
		t.Error(err)
	}
}

// envoyGateway is Envoy Gateway without Kubernetes. It has ports of its own that
// cannot be chosen, so one runs at a time.
type envoyGateway struct {
	dir      string
	upstream string
	listener string
}

func startEnvoyGateway(t *testing.T, upstream string) *envoyGateway {
	t.Helper()
	binary := artefact.Program(t, "WEIR_ENVOY_GATEWAY")
	g := &envoyGateway{dir: t.TempDir(), upstream: upstream, listener: freeAddress(t)}
	bin := filepath.Join(g.dir, "data/envoy-versions/1.40.0/bin")
	for _, dir := range []string{"resources", "config", "data", "state", "run"} {
		mustDo(t, os.Mkdir(filepath.Join(g.dir, dir), 0o700))
	}
	mustDo(t, os.MkdirAll(bin, 0o700)) // it fetches an Envoy if there is none
	mustDo(t, os.Symlink(artefact.Envoy(t), filepath.Join(bin, "envoy")))
	_, port, _ := net.SplitHostPort(g.listener)
	g.fill(t, "envoy-gateway.yaml", filepath.Join(g.dir, "config.yaml"), "DIR", g.dir)
	g.fill(t, "gateway.yaml", filepath.Join(g.dir, "resources/gateway.yaml"), "PORT", port)
	g.write(t, "live.yaml", 0, 1, 10)
	if out, err := exec.Command(binary, "certgen", "--local", "--config-home", filepath.Join(g.dir, "config")).CombinedOutput(); err != nil {
		t.Fatalf("make its certificates: %v\n%s", err, out)
	}
	g.run(t, binary)
	return g
}

// run starts the process, with its Envoy in a process group of their own: both
// end with the test.
func (g *envoyGateway) run(t *testing.T, binary string) {
	t.Helper()
	cmd := exec.Command(binary, "server", "--config-path", filepath.Join(g.dir, "config.yaml"))
	log, err := os.Create(filepath.Join(g.dir, "log"))
	mustDo(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	mustDo(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended already
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of the group, if anything is
		<-ended
		_ = log.Close()
	})
}

func (g *envoyGateway) fill(t *testing.T, template, path string, replacements ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", template))
	mustDo(t, err)
	mustDo(t, os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(string(text))), 0o600))
}

func (g *envoyGateway) name() string    { return "Envoy Gateway" }
func (g *envoyGateway) address() string { return g.listener }

func (g *envoyGateway) write(t *testing.T, document string, first, count, canary int) {
	t.Helper()
	host, port, _ := net.SplitHostPort(g.upstream)
	var b strings.Builder
	for i := first; i < first+count; i++ {
		fmt.Fprintf(&b, `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %[1]s, namespace: default}
spec:
  parentRefs: [{name: eg}]
  rules:
    - matches: [{headers: [{name: x-model, value: %[1]s}]}]
      backendRefs:
        - {group: gateway.envoyproxy.io, kind: Backend, name: %[1]s-v1, weight: %[2]d}
        - {group: gateway.envoyproxy.io, kind: Backend, name: %[1]s-v2, weight: %[3]d}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: %[1]s-v1, namespace: default}
spec: {endpoints: [{ip: {address: %[4]s, port: %[5]s}}]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: %[1]s-v2, namespace: default}
spec: {endpoints: [{ip: {address: %[4]s, port: %[5]s}}]}
---
`, model(i), 100-canary, canary, host, port)
	}
	// In place: it does not always see a file that is moved there.
	mustDo(t, os.WriteFile(filepath.Join(g.dir, "resources", document), []byte(strings.TrimSuffix(b.String(), "---\n")), 0o600))
}

func (g *envoyGateway) remove(t *testing.T, document string) {
	t.Helper()
	mustDo(t, os.Remove(filepath.Join(g.dir, "resources", document)))
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// number reads an environment variable that makes a test larger or smaller.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	mustDo(t, err)
	return n
}
