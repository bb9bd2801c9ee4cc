package app

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// TestRealEnvoy has a real Envoy prove itself with SVIDs of a few seconds: its
// stream ends with the SVID that proved it, and it comes back with a fresh one
// and the same configuration. The filter that the resources name is not there,
// so that Envoy refuses its configuration: that is shown, and nothing else stops.
func TestRealEnvoy(t *testing.T) {
	binary := envoyBinary(t)
	o := newOptions(t)
	o.SVIDTTL, o.RootTTL = 6*time.Second, time.Minute
	writeFile(t, o.IdentityEntries, fmt.Sprintf("entries:\n- {id: %q, selectors: [%q]}\n", envoyID, "unix:path:"+binary))
	port := netip.MustParseAddrPort(freeAddress(t)).Port()
	write(t, o, strings.Replace(resources, "port: 10000", fmt.Sprintf("port: %d", port), 1))
	r := startApp(t, o)
	document, err := bootstrap.Config{
		NodeID: "envoy", NodeCluster: "test", Admin: netip.MustParseAddrPort("127.0.0.1:0"),
		XDS: netip.MustParseAddrPort(o.XDSAddress), Socket: o.Socket, Envoy: envoyID, XDSServer: serverID,
	}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "envoy.yaml")
	writeFile(t, config, string(document))
	startEnvoy(t, binary, config)
	r.log.await(t, "xDS stream opened")
	r.log.await(t, "Envoy refused a configuration")
	first := r.node(t)
	for _, typ := range first.Types {
		if refused := typ.TypeURL == snapshot.ExtensionType; refused != (typ.LastNack != nil) {
			t.Fatalf("status of %s: %+v", typ.TypeURL, typ)
		}
	}
	r.log.await(t, "SVID expired")
	r.log.await(t, "xDS stream opened")
	if second := r.node(t); second.Stream == first.Stream || !second.Expires.After(first.Expires) || second.Version != first.Version {
		t.Fatalf("after the SVID's end: %+v", second)
	}
}

// node is the status of the one Envoy.
func (r *running) node(t *testing.T) deltaxds.StreamStatus {
	t.Helper()
	nodes := r.status(t).Nodes
	if len(nodes) != 1 || nodes[0].SPIFFEID != envoyID || nodes[0].Node != "envoy" {
		t.Fatalf("nodes = %+v, want one Envoy", nodes)
	}
	return nodes[0]
}

// envoyBinary is the Envoy of WEIR_TOOLS, by the path that the kernel shows.
func envoyBinary(t *testing.T) string {
	t.Helper()
	tools := os.Getenv("WEIR_TOOLS")
	if tools == "" {
		t.Skip("WEIR_TOOLS is not set: a real Envoy is not tried; `make test` sets it")
	}
	absolute, err := filepath.Abs(filepath.Join(tools, "bin", "envoy"))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		t.Fatalf("WEIR_TOOLS is set, but there is no Envoy: %v", err)
	}
	return binary
}

// startEnvoy runs Envoy until the test ends. Envoy dies with the thread that
// started it, so that thread is kept.
func startEnvoy(t *testing.T, binary, config string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := &strings.Builder{}
	envoy := exec.CommandContext(ctx, binary, "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning")
	envoy.Stdout, envoy.Stderr = log, log
	envoy.Cancel = func() error { return envoy.Process.Signal(syscall.SIGTERM) }
	envoy.WaitDelay = 5 * time.Second
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := envoy.Start()
		started <- err
		if err == nil {
			_ = envoy.Wait() // it was told to end
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if t.Failed() {
			t.Logf("Envoy said:\n%s", log)
		}
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}
