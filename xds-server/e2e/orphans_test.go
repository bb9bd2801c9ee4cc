package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// TestTrapSettlesReservations makes the filter trap while streams are under way that
// have reservations. Nobody tells the next VM of them, but they stand in the list: the
// streams that were cut cost what had come of them by the last tick, and the rest of
// what they had reserved flows back.
func TestTrapSettlesReservations(t *testing.T) {
	const streams, words = 16, 10
	finish := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("content-type", "text/event-stream")
		_, _ = io.WriteString(w, strings.Repeat(`data: {"choices":[{"index":0,"delta":{"content":"word"}}]}`+"\n\n", words))
		w.(http.Flusher).Flush()
		select {
		case <-finish:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(upstream.Close)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(upstream.URL, "http://"), Concurrency: 2, Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter-trapdrill.wasm"), metered),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	bodies := make([]io.Reader, streams)
	for i := range bodies {
		resp, err := ask(t.Context(), e.Address(), `{"model":"m","max_tokens":1000,"stream":true}`, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		bodies[i] = resp.Body
		if _, err := io.ReadFull(resp.Body, make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
	tickOfAllWorkers(t, e, streams)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.Address()+"/v1/chat/completions", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-weir-trap", "now")
	if resp, err := plain.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	close(finish)
	cut := int64(0)
	var done sync.WaitGroup
	var counting sync.Mutex
	for _, body := range bodies {
		done.Go(func() {
			_, err := io.Copy(io.Discard, body)
			counting.Lock()
			defer counting.Unlock()
			if err != nil {
				cut++
			}
		})
	}
	done.Wait()
	if cut == 0 || cut == streams {
		t.Fatalf("%d of %d streams were cut: one of two workers was to lose its own", cut, streams)
	}
	var n settledNumbers
	eventually(t, 30*time.Second, func() error {
		orphans, err := e.Counter(t.Context(), "wasmcustom.weir.reservations_orphaned")
		if n = numbers(t, e); err != nil || orphans != cut || n.settlements() != streams-cut {
			return fmt.Errorf("of %d streams that were cut %d are settled, of the others %d of %d (%w)", cut, orphans, n.settlements(), streams-cut, err)
		}
		return nil
	})
	n = numbers(t, e)
	prompt := n.reserved/(streams-cut) - 1000
	left, err := remaining(t.Context(), e.Address())
	if err != nil {
		t.Fatal(err)
	}
	if gone := int64(meteredTokens) - left; gone != n.settled+cut*(prompt+words) || n.settled != (streams-cut)*(prompt+words) {
		t.Errorf("%d tokens are gone, settled are %d, and %d streams were cut; a prompt has %d", gone, n.settled, cut, prompt)
	}
	t.Logf("%d of %d streams were cut, and settled by another worker", cut, streams)
}

// tickOfAllWorkers waits for a tick of every worker that comes after so many requests,
// by which each writes down what its streams cost so far: with the tick each tells of
// the requests that it had, of which everyWorker more meet all.
func tickOfAllWorkers(t *testing.T, e *staticenvoy.Envoy, requests int64) {
	t.Helper()
	for range everyWorker {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Address()+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		resp, err := plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	eventually(t, 30*time.Second, func() error {
		told, err := e.Counter(t.Context(), "wasmcustom.weir.requests")
		if err == nil && told < requests+everyWorker {
			err = fmt.Errorf("the workers have told of %d requests", told)
		}
		return err
	})
}
