package identity_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

// mtlsBootstrap is an Envoy that calls itself: a plain listener in front, a
// cluster with mTLS behind it, and a listener that demands mTLS. All identities
// come over SDS.
const mtlsBootstrap = `
node: {id: envoy, cluster: test}
static_resources:
  clusters:
  - name: workload_api
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: workload_api
      endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %[1]q}}}}]}]
  - name: self
    type: STATIC
    max_requests_per_connection: 1
    load_assignment:
      cluster_name: self
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]d}}}}]}]
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: &tls
          tls_certificate_sds_secret_configs:
          - name: %[4]s
            sds_config: &sds
              resource_api_version: V3
              api_config_source: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: workload_api}}]}
          combined_validation_context:
            default_validation_context: {match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: %[4]q}}]}
            validation_context_sds_secret_config: {name: %[5]s, sds_config: *sds}
  listeners:
  - name: mtls
    address: {socket_address: {address: 127.0.0.1, port_value: %[2]d}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context: *tls
      filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: mtls
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
          route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200},
            response_headers_to_add: [{header: {key: x-peer, value: "%%DOWNSTREAM_PEER_URI_SAN%%"}}, {header: {key: x-serial, value: "%%DOWNSTREAM_PEER_SERIAL%%"}}]}]}]}
  - name: plain
    address: {socket_address: {address: 127.0.0.1, port_value: %[3]d}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: plain
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
          route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: self}}]}]}
`

// TestRealEnvoyRotates has a real Envoy speak mTLS with itself over at least
// three SVIDs, with every name that stands for the bundle.
func TestRealEnvoyRotates(t *testing.T) {
	binary := envoyBinary(t)
	for _, bundle := range []string{"spiffe://weir.test", "ROOTCA", "ALL"} {
		t.Run(bundle, func(t *testing.T) {
			f := start(t, 4*time.Second, time.Hour, issue.Entry{ID: envoyID, Selectors: []string{ownUID(), "unix:path:" + binary}})
			mtls, plain := freePort(t), freePort(t)
			config := filepath.Join(t.TempDir(), "envoy.yaml")
			document := fmt.Sprintf(mtlsBootstrap, strings.TrimPrefix(f.address, "unix://"), mtls, plain, envoyID, bundle)
			if err := os.WriteFile(config, []byte(document), 0o600); err != nil {
				t.Fatal(err)
			}
			startEnvoy(t, binary, config)
			serials := map[string]bool{}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for ctx := timeout(t); len(serials) < 3; {
				select {
				case <-ctx.Done():
					t.Fatalf("saw %d SVIDs in time, want 3", len(serials))
				case <-tick.C:
				}
				if serial, ok := askEnvoy(t, client, plain, len(serials) > 0); ok {
					serials[serial] = true
				}
			}
		})
	}
}

// askEnvoy sends a request and returns the serial number of the certificate that
// the far side saw. Until Envoy has served once, failures are its start.
func askEnvoy(t *testing.T, client *http.Client, port int, served bool) (serial string, ok bool) {
	t.Helper()
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		if served {
			t.Fatal(err)
		}
		return "", false
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("x-peer") != envoyID.String() {
		if served {
			t.Fatalf("%d, peer %q: %s", resp.StatusCode, resp.Header.Get("x-peer"), body)
		}
		return "", false
	}
	return resp.Header.Get("x-serial"), true
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

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
