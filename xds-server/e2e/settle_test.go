package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// meteredTokens is the budget of metered.
const meteredTokens = 10_000_000

// metered is a policy of one budget that does not refill.
const metered = `{"limits":[{"mode":"tokens","name":"all","onFailure":"closed","tokens":{"capacity":10000000,"defaultOutput":512,"refillMilli":0}}],` +
	`"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// Ways in which a stream of the test ends.
const (
	endWhole   = "whole"   // the answer arrives, with its usage
	endClient  = "client"  // the client goes away in the midst
	endReset   = "reset"   // the upstream breaks off
	endRefused = "refused" // the upstream answers 503
	endSilence = "silence" // the upstream falls silent, until its time is over
)

// TestEveryStreamIsSettled has many streams at once through a real Envoy of four
// workers end in every way, and then asks the budget what is left: what the streams
// cost is gone, and no reservation.
func TestEveryStreamIsSettled(t *testing.T) {
	const clients, each, usage = 8, 15, 37
	upstream := httptest.NewServer(http.HandlerFunc(serveStream))
	t.Cleanup(upstream.Close)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(upstream.URL, "http://"), Concurrency: 4, Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter.wasm"), metered), IdleTimeout: 400 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	ends := []string{endWhole, endClient, endReset, endRefused, endSilence}
	var done sync.WaitGroup
	for c := range clients {
		done.Go(func() {
			for i := range each {
				if err := endStream(t.Context(), e.Address(), ends[(c+i)%len(ends)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	var n settledNumbers
	eventually(t, 30*time.Second, func() error {
		n = numbers(t, e)
		if n.settlements() < clients*each {
			return fmt.Errorf("%d of %d streams are settled: %+v", n.settlements(), clients*each, n)
		}
		return nil
	})
	n = numbers(t, e) // the number of settlements is told last
	own := limitNumbers(t, e, "all")
	for count, want := range map[string]int64{"allowed": clients * each, "limited": 0, "failed": 0,
		"reserved": n.reserved, "settled": n.settled, "refunded": n.refunded, "overrun": n.overrun} {
		if own[count] != want {
			t.Errorf("weir.limit.all.%s is %d, want %d", count, own[count], want)
		}
	}
	left, err := remaining(t.Context(), e.Address())
	if err != nil {
		t.Fatal(err)
	}
	if gone := int64(meteredTokens) - left; gone != n.settled {
		t.Errorf("%d tokens are gone, settled are %d", gone, n.settled)
	}
	if n.settlements() != clients*each || n.reserved != n.settled+n.refunded-n.overrun || n.byUsage != clients*each/int64(len(ends)) {
		t.Errorf("%+v for %d streams", n, clients*each)
	}
	if n.settled < n.byUsage*usage {
		t.Errorf("settled %d tokens, the whole answers alone cost %d", n.settled, n.byUsage*usage)
	}
}

// serveStream answers as the request's header x-end wants it.
func serveStream(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	end := r.Header.Get("x-end")
	if end == endRefused {
		http.Error(w, `{"error":{"message":"busy"}}`, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("content-type", "text/event-stream")
	for i := 0; end == endClient || i < 5; i++ {
		if _, err := io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"word"}}],"usage":null}`+"\n\n"); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		if r.Context().Err() != nil {
			return // the client has gone, and Envoy says so
		}
	}
	switch end {
	case endReset:
		panic(http.ErrAbortHandler)
	case endSilence:
		<-r.Context().Done()
		return
	}
	_, _ = io.WriteString(w, `data: {"choices":[],"usage":{"prompt_tokens":32,"completion_tokens":5}}`+"\n\ndata: [DONE]\n\n")
}

// endStream sends one request and reads its answer up to the end that is wanted.
func endStream(ctx context.Context, address, end string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := ask(ctx, address, `{"model":"m","max_tokens":1000,"stream":true}`, end)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if end == endClient {
		_, err := io.ReadFull(resp.Body, make([]byte, 1000))
		return err
	}
	body, err := io.ReadAll(resp.Body)
	switch {
	case (end == endReset || end == endSilence) && err == nil:
		return fmt.Errorf("the answer that broke off ended well: %s", body)
	case end == endReset, end == endSilence:
		return nil
	case end == endWhole && (strings.Contains(string(body), "prompt_tokens") || !strings.HasSuffix(string(body), "[DONE]\n\n")):
		return fmt.Errorf("the client got %s", body)
	case resp.Header.Get("x-ratelimit-remaining-requests") == "":
		return fmt.Errorf("an answer %d without limits: %v", resp.StatusCode, resp.Header)
	}
	return err
}

func ask(ctx context.Context, address, body, end string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-end", end)
	return plain.Do(req)
}

// remaining asks for nothing and reads what is left.
func remaining(ctx context.Context, address string) (int64, error) {
	resp, err := ask(ctx, address, `{"model":"m","max_tokens":0}`, endRefused)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return strconv.ParseInt(resp.Header.Get("x-ratelimit-remaining-tokens"), 10, 64)
}

// settledNumbers are the filter's counters of tokens and settlements.
type settledNumbers struct {
	reserved, settled, refunded, overrun int64
	byUsage, counted, none               int64
}

func (n *settledNumbers) settlements() int64 { return n.byUsage + n.counted + n.none }

func numbers(t *testing.T, e *staticenvoy.Envoy) (n settledNumbers) {
	t.Helper()
	for name, to := range map[string]*int64{
		"tokens_reserved": &n.reserved, "tokens_settled": &n.settled, "tokens_refunded": &n.refunded, "tokens_overrun": &n.overrun,
		"settlements.usage": &n.byUsage, "settlements.counted": &n.counted, "settlements.none": &n.none,
	} {
		value, err := e.Counter(t.Context(), "wasmcustom.weir."+name)
		if err != nil {
			t.Fatal(err)
		}
		*to = value
	}
	return n
}

// limitNumbers are the counters of one limit.
func limitNumbers(t *testing.T, e *staticenvoy.Envoy, name string) map[string]int64 {
	t.Helper()
	prefix := "wasmcustom.weir.limit." + name + "."
	stats, err := e.Stats(t.Context(), "^"+regexp.QuoteMeta(prefix))
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int64, len(stats))
	for stat, n := range stats {
		counts[strings.TrimPrefix(stat, prefix)] = n
	}
	return counts
}
