package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// scarce is a policy of one budget of 1,000 tokens that ends streams, and half a second
// later their upstreams.
const scarce = `{"limits":[{"graceMs":500,"key":["user"],"leastOutput":16,"mode":"tokens","name":"all","onFailure":"closed","stop":true,"tokens":{"capacity":1000,"defaultOutput":100,"refillMilli":0}}],` +
	`"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"userHeader":"x-user","workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// TestBudgetRunsOutDuringTheAnswer has upstreams that know no end answer through a real
// Envoy: the client gets a whole answer, and the upstream is reset, whether it goes on
// or falls silent, while the client still waits.
func TestBudgetRunsOutDuringTheAnswer(t *testing.T) {
	gone := make(chan string, 2)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveEndless(w, r)
		gone <- r.Header.Get("x-user")
	}))
	t.Cleanup(upstream.Close)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(upstream.URL, "http://"), Concurrency: 2, Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter.wasm"), scarce),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	for _, user := range []string{"endless", "silent"} {
		body, err := readAll(t.Context(), e.Address(), user)
		end := strings.Index(body, "data: [DONE]\n\n")
		if end < 0 || !strings.Contains(body, `"finish_reason":"length"}]}`) || strings.Count(body, "word") != 1001 || len(body) != end+len("data: [DONE]\n\n") {
			t.Errorf("%s: the client got %d bytes, %d words, in the end %q (%v)", user, len(body), strings.Count(body, "word"), body[max(0, len(body)-300):], err)
		}
		if err == nil {
			t.Errorf("%s: the stream ended without a reset", user)
		}
		select {
		case who := <-gone:
			if who != user {
				t.Errorf("the upstream of %s has gone, not that of %s", who, user)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the upstream was not reset", user)
		}
	}
	eventually(t, 30*time.Second, func() error {
		for name, want := range map[string]int64{"streams_stopped": 2, "streams_cut_off": 2, "settlements.counted": 2} {
			got, err := e.Counter(t.Context(), "wasmcustom.weir."+name)
			if err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("%s is %d, want %d", name, got, want)
			}
		}
		return nil
	})
}

// serveEndless streams words until Envoy has gone: for ever, or 1,100 of them.
func serveEndless(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	w.Header().Set("content-type", "text/event-stream")
	for i := 0; r.Header.Get("x-user") == "endless" || i < 1100; i++ {
		if _, err := io.WriteString(w, `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word"}}]}`+"\n\n"); err != nil {
			return
		}
		if i%50 == 0 {
			w.(http.Flusher).Flush()
		}
		if r.Context().Err() != nil {
			return
		}
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// readAll asks as a user and reads on to the end of the connection.
func readAll(ctx context.Context, address, user string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-user", user)
	resp, err := plain.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
