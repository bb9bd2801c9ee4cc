package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

const (
	hotCapacity = 15_000  // tokens
	hotRefill   = 100_000 // tokens a second
)

// hot is a policy of one budget that is in demand.
const hot = `{"limits":[{"mode":"tokens","name":"all","onFailure":"closed","tokens":{"capacity":15000,"defaultOutput":512,"refillMilli":100000000}}],` +
	`"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":false,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// TestBudgetIsKeptAndSpent has a hundred clients press for more than a budget grants,
// through a real Envoy of four workers. Nothing that is under way at the upstream, with
// what was settled before, ever exceeds the budget, and in the end it is spent.
func TestBudgetIsKeptAndSpent(t *testing.T) {
	const clients, capacities = 100, 101
	u := &hotUpstream{}
	upstream := httptest.NewServer(u)
	t.Cleanup(upstream.Close)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(upstream.URL, "http://"), Concurrency: 4, Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter.wasm"), hot),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	u.began = time.Now()
	var done sync.WaitGroup
	for c := range clients {
		done.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 8))
			for u.spent() < capacities*hotCapacity {
				if err := press(t.Context(), client, e.Address(), random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	took := time.Since(u.began)
	granted := hotCapacity + hotRefill*took.Seconds()
	if u.problem != "" {
		t.Error(u.problem)
	}
	// More than is granted is never spent, on any machine. It is spent to 99 %, but the
	// bucket is full after 150 ms in which a busy machine does not run the clients.
	if part := float64(u.settled) / granted; part < 0.90 || part > 1 || u.open != 0 {
		t.Errorf("settled %d tokens of %.0f granted in %v (%.4f), %d are open", u.settled, granted, took, part, u.open)
	}
	eventually(t, 30*time.Second, func() error {
		if n := numbers(t, e); n.settled != u.settled || n.byUsage != u.answers || n.overrun != 0 {
			return fmt.Errorf("Envoy has settled %+v, the upstream %d tokens in %d answers", n, u.settled, u.answers)
		}
		return nil
	})
	t.Logf("settled %.1f capacities in %d answers, %.4f of what was granted in %v, up to %d at once", float64(u.settled)/hotCapacity, u.answers,
		float64(u.settled)/granted, took.Round(time.Millisecond), u.most)
}

// hotUpstream answers with random lengths within the caps, and keeps the books: what it
// has under way is reserved in Envoy, and stays so until it has answered.
type hotUpstream struct {
	mu      sync.Mutex
	began   time.Time
	open    int64 // tokens that are reserved for what is under way
	settled int64 // tokens that what was answered cost
	answers int64
	flights int
	most    int
	problem string
}

func (u *hotUpstream) spent() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.settled
}

func (u *hotUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	most, _ := strconv.ParseInt(r.Header.Get("x-cap"), 10, 64)  // the test sent it
	cost, _ := strconv.ParseInt(r.Header.Get("x-cost"), 10, 64) // likewise
	u.begin(most)
	w.Header().Set("content-type", "text/event-stream")
	for range 3 {
		_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"word"}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		time.Sleep(time.Duration(cost) * 20 * time.Microsecond) // as a model takes its time
	}
	u.end(most, cost)
	_, _ = fmt.Fprintf(w, `data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":%d}}`+"\n\ndata: [DONE]\n\n", cost)
}

func (u *hotUpstream) begin(most int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open += most
	u.flights++
	u.most = max(u.most, u.flights)
	if granted := hotCapacity + int64(hotRefill*time.Since(u.began).Seconds()); u.open+u.settled > granted && u.problem == "" {
		u.problem = fmt.Sprintf("%d tokens are under way and %d settled, of %d that were granted", u.open, u.settled, granted)
	}
}

func (u *hotUpstream) end(most, cost int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open -= most
	u.settled += cost
	u.answers++
	u.flights--
}

// press sends one request and reads its answer; one that is refused waits a little.
func press(ctx context.Context, client *http.Client, address string, random *rand.Rand) error {
	most := 200 + random.IntN(800)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/chat/completions",
		strings.NewReader(fmt.Sprintf(`{"model":"m","max_tokens":%d,"stream":true}`, most)))
	if err != nil {
		return err
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("x-cap", strconv.Itoa(most))
	req.Header.Set("x-cost", strconv.Itoa(random.IntN(most+1)))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusTooManyRequests:
		time.Sleep(time.Duration(30+random.IntN(30)) * time.Millisecond)
		return nil
	}
	return fmt.Errorf("answered %d", resp.StatusCode)
}
