package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
)

// secureListener adds a listener with mutual TLS, where the test program's own
// identity is trusted to name the model.
func secureListener(port int) change {
	listener := "    - name: mtls\n      address: 127.0.0.1\n      port: " + strconv.Itoa(port) + "\n      tls: {}\n"
	return change{"gateway.yaml", "  identity:\n", listener + "  identity:\n    trustedPeers: [" + stranger.String() + "]\n"}
}

// testTrustedPeer sends x-model over mTLS, where it counts, and over the open
// listener, where it must not.
func testTrustedPeer(t *testing.T, s *stack) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	source := s.identity(t)
	gateway := tlsconfig.AuthorizeID(spiffeid.RequireFromString("spiffe://weir.test/envoy"))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsconfig.MTLSClientConfig(source, source, gateway)}}
	defer client.CloseIdleConnections()
	body := `{"messages":[{"role":"user","content":"hello"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+loopback(s.secure)+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-model", "load")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	a, err := readAnswer(resp)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"content":"hello"`) {
		t.Errorf("a trusted peer was answered %d: %s", a.status, clip(a.body))
	}
	if err := refused(s.post(t, "/v1/chat/completions", body, "x-model", "load"), http.StatusBadRequest, "missing_model"); err != nil {
		t.Errorf("somebody who proved nothing: %v", err)
	}
	if a, err := get(ctx, "http://"+loopback(s.secure)+"/v1/models"); err == nil {
		t.Errorf("the listener with mTLS answered in plaintext: %s", a)
	}
}

// TestForeignWorkloadAPI runs a Weir whose identities come from somebody else's
// Workload API, as they do with SPIRE. Here that is another Weir's.
func TestForeignWorkloadAPI(t *testing.T) {
	authority := boot(t)
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "unix://"+authority.socket(t))
	s := boot(t)
	if _, err := os.Stat(filepath.Join(s.state, "workload.sock")); err == nil {
		t.Error("the development CA runs all the same")
	}
	if s.log.has("DEVELOPMENT CA") {
		t.Error("the log speaks of a development CA")
	}
	a := s.post(t, "/v1/embeddings", `{"model":"minilm","input":"hello"}`, "x-tenant-id", "foreign")
	if a.status != http.StatusOK {
		t.Errorf("status %d: %s", a.status, clip(a.body))
	}
}
