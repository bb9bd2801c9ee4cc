package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
)

// The shared budget, in tokens, and what one request costs.
const (
	sharedCapacity = 3_000
	sharedRefill   = 5_000 // a second
	sharedRequest  = 100
)

// fleet is an xds-server and several real Envoys, each with a gateway of its own.
type fleet struct {
	*plane
	ports  []int
	envoys []*envoyproc.Process
	spent  atomic.Int64 // tokens that the upstream has answered with
	asked  atomic.Int64 // tokens that clients asked for and were answered about
}

// startFleet starts n Envoys of two workers that share one budget.
func startFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{plane: newPlane(t)}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		f.spent.Add(sharedRequest)
		w.Header().Set("content-type", "application/json")
		_, _ = fmt.Fprintf(w, `{"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`, sharedRequest/2, sharedRequest/2)
	}))
	t.Cleanup(upstream.Close)
	f.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
	f.write(t, "limit.yaml", fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: all}
spec:
  scope: shared
  tokens: {burst: %d, perSecond: %d}
`, sharedCapacity, sharedRefill))
	f.remove(t, "gateway.yaml")
	entries := f.registered(t)
	for i := range n {
		id, port := f.id(i), freePort(t)
		f.ports = append(f.ports, port)
		f.write(t, fmt.Sprintf("gateway-%d.yaml", i), fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: gw-%d}
spec:
  envoys: [%q]
  listeners:
    - {name: http, address: 127.0.0.1, port: %d}
`, i, id, port))
		entries += fmt.Sprintf("  - {id: %q, selectors: [\"unix:uid:%d\", \"unix:path:%s\"]}\n", id, os.Getuid(), f.node.Binary)
	}
	write(t, f.entries(), entries)
	f.start(t)
	for i := range n {
		f.envoys = append(f.envoys, f.another(t, f.id(i)))
	}
	for i := range n {
		eventually(t, 30*time.Second, func() error { _, err := askAt(t, f.ports[i], "m"); return err })
	}
	return f
}

func (f *fleet) id(i int) spiffeid.ID {
	return spiffeid.RequireFromString(fmt.Sprintf("spiffe://weir.test/envoy-%d", i))
}

// another starts an Envoy with an identity.
func (f *fleet) another(t *testing.T, id spiffeid.ID) *envoyproc.Process {
	t.Helper()
	document, err := bootstrap.Config{
		NodeID: "edge", NodeCluster: "test", Admin: netip.MustParseAddrPort(loopback(freePort(t))),
		XDS: netip.MustParseAddrPort(loopback(f.xds)), Socket: f.socket(), Envoy: id, XDSServer: planeServer,
	}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	c := f.node
	c.Dir, c.Bootstrap = t.TempDir(), document
	e, err := envoyproc.Launch(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

// renewed returns when every Envoy has renewed its leases n times more.
func (f *fleet) renewed(t *testing.T, n int64) {
	t.Helper()
	for _, e := range f.envoys {
		target := int64(-1)
		eventually(t, 40*time.Second, func() error {
			count, err := e.Counter(t.Context(), "wasmcustom.weir.lease_renewals")
			if err != nil {
				return err
			}
			if target < 0 {
				target = count + n
			}
			if count < target {
				return fmt.Errorf("%d renewals, waiting for %d", count, target)
			}
			return nil
		})
	}
}

// clients is how many requests a second go to each Envoy.
type clients []atomic.Int64

// drive sends requests to every Envoy at its rate until ctx ends.
func (f *fleet) drive(ctx context.Context, t *testing.T, rates clients) *sync.WaitGroup {
	t.Helper()
	var done sync.WaitGroup
	for i, port := range f.ports {
		const senders = 32 // enough for the rate where answers take long
		for range senders {
			done.Go(func() {
				for ctx.Err() == nil {
					wait := 50 * time.Millisecond
					if n := rates[i].Load(); n > 0 {
						wait = time.Duration(2 * rand.Int64N(int64(time.Second)*senders/n)) // not all at once
						f.send(ctx, t, port)
						f.asked.Add(sharedRequest)
					}
					select {
					case <-ctx.Done():
					case <-time.After(wait):
					}
				}
			})
		}
	}
	return &done
}

// send sends one request.
func (f *fleet) send(ctx context.Context, t *testing.T, port int) {
	resp, err := ask(ctx, loopback(port), fmt.Sprintf(`{"model":"m","max_tokens":%d}`, sharedRequest), "")
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil && ctx.Err() == nil {
		t.Error(err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

// tally is what was spent of a budget, and what of it could have been.
type tally struct {
	at           time.Time
	spent, asked int64   // when it was last read
	due          float64 // what has flowed into one bucket
	wanted       float64 // of that, what clients asked for in time
}

// read brings a tally up to date. Clients ask for four times the budget, so they want
// all of what has flowed in since the last time, unless the machine did not run them.
func (y *tally) read(f *fleet) {
	now, asked := time.Now(), f.asked.Load()
	refill := sharedRefill * now.Sub(y.at).Seconds()
	y.due += refill
	y.wanted += min(refill, float64(asked-y.asked))
	y.at, y.asked, y.spent = now, asked, f.spent.Load()
}

// TestSharedBudgetHoldsOverThreeEnvoys spends one budget over three Envoys whose
// load is uneven and changes, with the xds-server killed in the midst and back: what
// was spent in all is what one bucket would have given.
//
// That it is not more is what the budget promises, and holds on any machine. That it
// is not less is a matter of how fast shares move, and so of the machine: a busy one
// renews late, and lets its clients wait. So what they asked for in each second is
// what counts, and a tenth of it may be lost: some six times what is in quiet.
func TestSharedBudgetHoldsOverThreeEnvoys(t *testing.T) {
	artefact.Built(t, "filter.wasm")
	f := startFleet(t, 3)
	f.renewed(t, 9) // the leases' term, and some time to share evenly and fill up
	rates := make(clients, len(f.ports))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.spent.Store(0)
	began := time.Now()
	done := f.drive(ctx, t, rates)
	all := tally{at: began}
	for _, phase := range []struct {
		what   string
		before func()
		rates  [3]int64 // requests a second; the budget has 50
	}{
		{"uneven", func() {}, [3]int64{120, 60, 20}},
		{"the other way round", func() {}, [3]int64{20, 40, 140}},
		{"without the xds-server", func() { f.running.kill(t) }, [3]int64{20, 40, 140}},
		{"with a new one", func() { f.start(t) }, [3]int64{20, 40, 140}},
		{"one idle", func() {}, [3]int64{0, 100, 100}},
	} {
		phase.before()
		for i, n := range phase.rates {
			rates[i].Store(n)
		}
		from := all
		for range 18 {
			<-time.After(time.Second) // the measure is of a time, not of an event
			all.read(f)
		}
		took := all.at.Sub(from.at).Seconds()
		t.Logf("%s: %.0f tokens a second of %.0f wanted", phase.what, float64(all.spent-from.spent)/took, float64(all.asked-from.asked)/took)
	}
	cancel()
	done.Wait()
	spent := float64(all.spent)
	most, least := 1.05*(sharedCapacity+all.due), 0.90*(sharedCapacity+all.wanted)
	t.Logf("%.0f tokens in %.1f s: %+.2f %% of what was due, %+.2f %% of what was wanted, over %.0f capacities", spent, all.at.Sub(began).Seconds(),
		100*(spent/(sharedCapacity+all.due)-1), 100*(spent/(sharedCapacity+all.wanted)-1), spent/sharedCapacity)
	if all.wanted < all.due/2 {
		t.Fatalf("clients asked for %.0f tokens in time, of %.0f that were due: the test says nothing", all.wanted, all.due)
	}
	if spent > most || spent < least {
		t.Errorf("%.0f tokens were spent, of at least %.0f and at most %.0f", spent, least, most)
	}
}
