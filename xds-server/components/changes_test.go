package components

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

// rate is the load on the live model, in requests a second.
const rate = 300

// TestRouteChangesBesideEnvoyGateway has Weir and Envoy Gateway, one after the
// other, through the same changes under the same load: a live route that changes
// 20 times, many routes that come and go, and single routes of which the time
// from the file to the first answer is taken. It prints both, and asserts that
// Weir fails no request: what the other does is its own business.
func TestRouteChangesBesideEnvoyGateway(t *testing.T) {
	artefact.Program(t, "WEIR_ENVOY_GATEWAY") // or the test is skipped before it does anything
	routes := number(t, "WEIR_ROUTES", 100)
	for _, start := range []func(*testing.T, string) contender{
		func(t *testing.T, upstream string) contender { return startWeir(t, upstream) },
		func(t *testing.T, upstream string) contender { return startEnvoyGateway(t, upstream) },
	} {
		t.Run("", func(t *testing.T) {
			upstream, err := loadgen.Serve(loadgen.Answer(`{"ok":true}`))
			mustDo(t, err)
			t.Cleanup(func() { mustDo(t, upstream.Close()) })
			c := start(t, upstream.Address())
			if last := answers(t, c, 0, http.StatusOK, time.Minute); last != "" {
				t.Fatalf("%s does not start: %s", c.name(), last)
			}
			report, times := underChanges(t, c, routes)
			t.Logf("%-14s live route changed 20 times, %d routes added and removed: %d of %d answers not 200, %d connections broken",
				c.name(), routes, report.Answered()-report.Statuses[http.StatusOK], report.Answered(), report.Broken)
			t.Logf("%-14s %s", c.name(), report)
			if slices.Sort(times); len(times) > 0 {
				t.Logf("%-14s a new route answers %s after its file was written (median of %d; most %s)",
					c.name(), times[len(times)/2].Round(time.Millisecond), len(times), times[len(times)-1].Round(time.Millisecond))
			}
			if _, ours := c.(*weir); ours && !report.Only(http.StatusOK) {
				t.Errorf("Weir failed requests: %s; the first: %+v", report, report.Odd)
			}
		})
	}
}

// underChanges makes the changes while the live model is under load.
func underChanges(t *testing.T, c contender, routes int) (*loadgen.Report, []time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var report *loadgen.Report
	var failed error
	wg.Go(func() {
		report, failed = loadgen.Run(ctx, loadgen.Options{
			Address: c.address(), Conns: 16, Total: 1 << 20, Rate: rate, Want: http.StatusOK,
			Bodies: [][]byte{loadgen.Request("/v1/chat/completions", body(0), "x-model: "+model(0))},
		})
	})
	for i := range 20 {
		c.write(t, "live.yaml", 0, 1, 5*i)
		pause(t, 250*time.Millisecond)
	}
	const batch = 100
	for first := 1; first <= routes; first += batch {
		c.write(t, fmt.Sprintf("batch-%d.yaml", first), first, min(batch, routes+1-first), 50)
	}
	arrive(t, c, "the last new route", routes, http.StatusOK)
	var times []time.Duration
	for i := range 7 {
		c.write(t, fmt.Sprintf("probe-%d.yaml", i), 5000+i, 1, 50)
		took, arrived := arrive(t, c, "a new route", 5000+i, http.StatusOK)
		if !arrived {
			break
		}
		times = append(times, took)
	}
	for first := 1; first <= routes; first += batch {
		c.remove(t, fmt.Sprintf("batch-%d.yaml", first))
	}
	arrive(t, c, "the removal of the last route", routes, http.StatusNotFound)
	cancel()
	wg.Wait()
	mustDo(t, failed)
	return report, times
}

// arrive waits until a model answers with a status, and says how long it took.
// Weir must get there; of others it is said when they do not.
func arrive(t *testing.T, c contender, what string, i, status int) (took time.Duration, arrived bool) {
	t.Helper()
	const limit = time.Minute
	began := time.Now()
	last := answers(t, c, i, status, limit)
	if last == "" {
		return time.Since(began), true
	}
	if _, ours := c.(*weir); ours {
		t.Fatalf("Weir: %s does not answer with %d within %s: %s", what, status, limit, last)
	}
	t.Logf("%-14s %s does not answer with %d within %s: %s", c.name(), what, status, limit, last)
	return limit, false
}

func body(i int) []byte {
	return fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":"hi"}]}`, model(i))
}

// answers waits until a model answers with a status; it returns the last answer
// if that does not come in time, and nothing if it does.
func answers(t *testing.T, c contender, i, status int, limit time.Duration) (last string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for ; ctx.Err() == nil; pause(t, 2*time.Millisecond) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.address()+"/v1/chat/completions", bytes.NewReader(body(i)))
		mustDo(t, err)
		request.Header.Set("content-type", "application/json")
		request.Header.Set("x-model", model(i))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue // not listening yet
		}
		_ = response.Body.Close()
		if last = response.Status; response.StatusCode == status {
			return ""
		}
	}
	return "the last answer was " + cmp.Or(last, "none")
}

// pause lets time pass between two changes or two questions.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
