package components

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/xdsproc"
)

// serviceConfig is what the service itself knows of budgets: those of the limit written.
const serviceConfig = `domain: weir
descriptors:
  - key: limit
    value: written
    descriptors:
      - key: tenant
        rate_limit: {unit: day, requests_per_unit: 15}
      - key: tenant
        value: large
        rate_limit: {unit: day, requests_per_unit: 1000}
`

// servedResources leave all budgets to a service.
const servedResources = `apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "spiffe://weir.test/xds-server"}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: gw}
spec:
  envoys: ["spiffe://weir.test/envoy"]
  listeners: [{name: http, address: 127.0.0.1, port: PORT}]
  identity: {tenant: {header: x-tenant-id}}
  rateLimit: {endpoints: ["SERVICE"], insecure: true, timeout: 5s}
---
apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: told}
spec: {versions: [{name: v1, endpoints: ["UPSTREAM"], insecure: true}]}
---
apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: written}
spec: {versions: [{name: v1, endpoints: ["UPSTREAM"], insecure: true}]}
---
apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: told}
spec: {backend: ratelimit, models: [told], key: [tenant], tokens: {perDay: 25}, requests: {perDay: 6}}
---
apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: written}
spec: {backend: ratelimit, models: [written], key: [tenant], tokens: {}}
`

// startRateLimit runs envoyproxy/ratelimit over a Redis of the test's own.
func startRateLimit(t *testing.T) (address string, redis *miniredis.Miniredis) {
	t.Helper()
	binary, dir := artefact.Program(t, "WEIR_RATELIMIT"), t.TempDir()
	redis = miniredis.RunT(t)
	folder := filepath.Join(dir, "ratelimit", "config")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "weir.yaml"), []byte(serviceConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	address = freeAddress(t)
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "USE_STATSD=false", "LOG_LEVEL=warn", "REDIS_SOCKET_TYPE=tcp", "REDIS_URL="+redis.Addr(),
		"RUNTIME_ROOT="+dir, "RUNTIME_SUBDIRECTORY=ratelimit", "RUNTIME_WATCH_ROOT=false")
	for name, at := range map[string]string{"": freeAddress(t), "GRPC_": address, "DEBUG_": freeAddress(t)} {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, name+"HOST="+host, name+"PORT="+port)
	}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only when it has ended already
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return address, redis
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service does not listen: %v", err)
		}
		pause(t, 20*time.Millisecond)
	}
}

// startServed is a real Envoy whose budgets the service keeps; it returns its address.
func startServed(t *testing.T, service, upstream string) string {
	t.Helper()
	listener, binary := freeAddress(t), artefact.Envoy(t)
	_, port, err := net.SplitHostPort(listener)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("PORT", port, "SERVICE", service, "UPSTREAM", upstream).Replace(servedResources)
	process, err := xdsproc.Start(t.Context(), xdsproc.Config{
		Binary: artefact.Built(t, "xds-server"), Module: artefact.Built(t, "filter.wasm"),
		Documents: []source.Document{{Name: "all.yaml", Data: []byte(text)}},
		Envoy:     spiffeid.RequireFromString("spiffe://weir.test/envoy"), Server: spiffeid.RequireFromString("spiffe://weir.test/xds-server"),
		Programs: []string{binary}, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	config, err := process.Bootstrap(binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	envoy, err := envoyproc.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(envoy.Stop)
	return listener
}

// TestRealRateLimitService has an envoyproxy/ratelimit keep budgets: of such as Weir
// tells it, and of such as it knows by itself. Each request costs 10 tokens.
func TestRealRateLimitService(t *testing.T) {
	service, redis := startRateLimit(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, `{"usage":{"prompt_tokens":3,"completion_tokens":7}}`)
	}))
	t.Cleanup(upstream.Close)
	gateway := startServed(t, service, strings.TrimPrefix(upstream.URL, "http://"))
	for _, tt := range []struct {
		model, tenant string
		requests      int
		refused       bool   // the last of them
		tokens        string // that the service has counted then
	}{
		{"told", "acme", 4, true, "30"}, // 25 are exceeded by the third
		{"told", "other", 2, false, "20"},
		{"written", "acme", 3, true, "20"},
		{"written", "large", 5, false, "50"},
	} {
		spent := 0
		for i := range tt.requests {
			status, header := askServed(t, gateway, tt.model, tt.tenant)
			refused := tt.refused && i == tt.requests-1
			switch {
			case !refused && status == http.StatusOK:
				spent += 10
			case refused && status == http.StatusTooManyRequests && positive(header.Get("retry-after")):
			default:
				t.Fatalf("%s of %s, request %d: %d, %v", tt.model, tt.tenant, i, status, header)
			}
			awaitHits(t, redis, "weir_limit_"+tt.model+"_tenant_"+tt.tenant+"_", strconv.Itoa(spent))
		}
		awaitHits(t, redis, "weir_limit_"+tt.model+"_tenant_"+tt.tenant+"_", tt.tokens)
	}
	awaitHits(t, redis, "weir_limit_told/requests_tenant_acme_", "4")
}

func positive(seconds string) bool {
	n, err := strconv.Atoi(seconds)
	return err == nil && n > 0
}

func askServed(t *testing.T, gateway, model, tenant string) (status int, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+gateway+"/v1/chat/completions",
		strings.NewReader(fmt.Sprintf(`{"model":%q,"max_tokens":1000}`, model)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-tenant-id", tenant)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

// awaitHits returns when the only window of a descriptor has so many hits.
func awaitHits(t *testing.T, redis *miniredis.Miniredis, prefix, want string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := ""
		for _, key := range redis.Keys() {
			if strings.HasPrefix(key, prefix) {
				got, _ = redis.Get(key) // it was there just now
			}
		}
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has %q hits, want %s; keys %q", prefix, got, want, redis.Keys())
		}
		pause(t, 10*time.Millisecond)
	}
}
