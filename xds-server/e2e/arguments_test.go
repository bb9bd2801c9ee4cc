package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// ownKey is a value of the caller whose line breaks JSON escapes.
const ownKey = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"

// calling is an upstream that calls a tool with the tokens that it was given and with a
// stranger's address, one character an event.
func calling(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	asked := regexp.MustCompile(`\[[A-Z_]+_\d+_[a-z]+\]`).FindAllString(string(body), -1)
	inner, err := json.Marshal(map[string]any{"values": asked, "to": strangerMail})
	if err != nil {
		return
	}
	arguments, err := json.Marshal(map[string]any{"values": asked, "to": strangerMail, "number": 13987654321, "body": string(inner)})
	if err != nil {
		return
	}
	w.Header().Set("content-type", "text/event-stream")
	for _, c := range string(arguments) {
		_, _ = fmt.Fprintf(w, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":%q}}]},"finish_reason":null}]}`+"\n\n", string(c))
		w.(http.Flusher).Flush()
	}
	_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`+"\n\ndata: [DONE]\n\n")
}

// TestArgumentsOfCalls has a real Envoy put a key with line breaks into the arguments of
// a call, which stay JSON, and JSON in that too; a stranger's address does not arrive.
func TestArgumentsOfCalls(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(calling))
	defer server.Close()
	policy := strings.Replace(gossiped, `{"directions":["response"],"kind":"residentID","mode":"block"}`, `{"kind":"privateKey","mode":"token"}`, 1)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(server.URL, "http://"), Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter.wasm"), policy),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	body, err := json.Marshal(map[string]any{"model": "m", "stream": true, "messages": []any{map[string]string{"role": "user", "content": ownKey + " of " + ownMail}}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := plain.Post("http://"+e.Address()+"/v1/chat/completions", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stream, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got, inner struct {
		Values []string
		To     string
		Number int
		Body   string
	}
	joined := spoken(t, string(stream))["0/arguments"]
	if err := json.Unmarshal([]byte(joined), &got); err != nil {
		t.Fatalf("%v: %s", err, stream)
	}
	if err := json.Unmarshal([]byte(got.Body), &inner); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	want := fmt.Sprintf("%q", []string{strings.TrimSuffix(ownKey, "\n"), ownMail})
	if fmt.Sprintf("%q", got.Values) != want || fmt.Sprintf("%q", inner.Values) != want || got.To != "<EMAIL>" || inner.To != "<EMAIL>" || got.Number != 13987654321 {
		t.Errorf("the call has %+v, %+v, want %s", got, inner, want)
	}
}
