package identity_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

// mtlsBootstrap is an Envoy that calls itself: a plain listener in front, a
// cluster with mTLS behind it, and a listener that demands mTLS. All identities
// come over SDS.
const mtlsBootstrap = `
node: {id: envoy, cluster: test}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
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
      endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %[2]q}}}}]}]
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: &tls
          tls_certificate_sds_secret_configs:
          - name: %[3]s
            sds_config: &sds
              resource_api_version: V3
              api_config_source: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: workload_api}}]}
          combined_validation_context:
            default_validation_context: {match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: %[3]q}}]}
            validation_context_sds_secret_config: {name: %[4]s, sds_config: *sds}
  listeners:
  - name: mtls
    address: {pipe: {path: %[2]q}}
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
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
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
	binary := artefact.Envoy(t)
	for _, bundle := range []string{"spiffe://weir.test", "ROOTCA", "ALL"} {
		t.Run(bundle, func(t *testing.T) {
			f := start(t, 4*time.Second, time.Hour, issue.Entry{ID: envoyID, Selectors: []string{ownUID(), "unix:path:" + binary}})
			dir := t.TempDir()
			document := fmt.Sprintf(mtlsBootstrap, strings.TrimPrefix(f.address, "unix://"), filepath.Join(dir, "mtls.sock"), envoyID, bundle)
			envoy, err := envoyproc.Start(t.Context(), envoyproc.Config{Binary: binary, Dir: dir, Bootstrap: []byte(document), Log: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			defer envoy.Stop()
			address, err := envoy.Listener(t.Context(), "plain")
			if err != nil {
				t.Fatal(err)
			}
			serials := map[string]bool{}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for ctx := timeout(t); len(serials) < 3; {
				serials[askEnvoy(t, client, address)] = true
				select {
				case <-ctx.Done():
					t.Fatalf("saw %d SVIDs in time, want 3", len(serials))
				case <-tick.C:
				}
			}
		})
	}
}

// askEnvoy sends a request and returns the serial number of the certificate that
// the far side saw.
func askEnvoy(t *testing.T, client *http.Client, address string) (serial string) {
	t.Helper()
	resp, err := client.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("x-peer") != envoyID.String() {
		t.Fatalf("%d, peer %q: %s, %v", resp.StatusCode, resp.Header.Get("x-peer"), body, err)
	}
	return resp.Header.Get("x-serial")
}
