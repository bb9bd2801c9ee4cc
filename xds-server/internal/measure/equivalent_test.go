package measure

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// TestLuaRedactsAsTheFilterDoes holds the Lua filter of the comparison to the
// upstream bodies and the model header of the real one.
func TestLuaRedactsAsTheFilterDoes(t *testing.T) {
	envoy, module := artefact.Envoy(t), artefact.Built(t, "filter.wasm")
	wasm := staticenvoy.Wasm(module, string(spec.Encode(policy(spec.OverflowRefuse, false))))
	for name, body := range map[string][]byte{"clean": clean(), "personal": withPersonal(1024)} {
		byWasm, byLua := upstreamSees(t, envoy, wasm, body), upstreamSees(t, envoy, staticenvoy.Lua(equivalentLua), body)
		if !bytes.Equal(byWasm, byLua) {
			t.Errorf("%s: the upstream got different bodies\nfilter.wasm: %s\nLua:         %s", name, byWasm, byLua)
		}
		if edited := !bytes.Equal(byWasm, body); edited != (name == "personal") {
			t.Errorf("%s: edited is %v: %s", name, edited, byWasm)
		}
	}
}

func upstreamSees(t *testing.T, envoy string, f staticenvoy.Filter, body []byte) []byte {
	t.Helper()
	got := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("x-weir-model") != "gpt-4" {
			t.Errorf("the upstream read %d bytes, %v, with the headers %v", len(b), err, r.Header)
		}
		got <- b
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := staticenvoy.Start(ctx, staticenvoy.Config{Binary: envoy, Dir: t.TempDir(),
		Upstream: strings.TrimPrefix(server.URL, "http://"), Filter: f, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.Address()+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return <-got
}
