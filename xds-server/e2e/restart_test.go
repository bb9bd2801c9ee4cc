package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// kills is how often the xds-server is killed.
const kills = 50

// TestKilledUnderLoad kills the xds-server again and again, and changes the
// resources each time while it is down: weights, a model that comes and one that
// goes. Envoy serves on, follows when the server is back, and in the end has
// lost everything that went.
func TestKilledUnderLoad(t *testing.T) {
	u := upstream(t)
	visitor := func(i int) string { return fmt.Sprintf("visitor-%02d", i) }
	p := startPlane(t, func(p *plane) {
		p.write(t, "live.yaml", twoVersions("live", u.Address(), 0, ""))
		p.write(t, "steady.yaml", sole("steady", u.Address()))
		p.write(t, "visitor.yaml", sole(visitor(0), u.Address()))
	})
	l := p.loads(t, "live", "steady")
	var fromStart, fromReady []time.Duration
	for i := 1; i <= kills; i++ {
		p.running.kill(t)
		p.isAlone(t)
		p.write(t, "live.yaml", twoVersions("live", u.Address(), i, ""))
		p.write(t, "visitor.yaml", sole(visitor(i), u.Address()))
		began := time.Now()
		p.start(t)
		eventually(t, 30*time.Second, func() error {
			if got := p.weight(t, "live", "v2"); got != i*100 {
				return fmt.Errorf("v2 has %d of 10000, want %d", got, i*100)
			}
			_, err := p.ask(t, visitor(i))
			return err
		})
		fromStart = append(fromStart, time.Since(began))
		fromReady = append(fromReady, time.Since(began)-p.running.booted)
	}
	p.drained(t)
	clusters, err := p.dumped(t.Context(), "dynamic_active_clusters")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"live@v1", "live@v2", "steady@v1", visitor(kills) + "@v1"}
	if got := slices.Sorted(maps.Keys(clusters)); !slices.Equal(got, want) {
		t.Errorf("Envoy has the clusters %q, want %q", got, want)
	}
	routes, err := p.dumped(t.Context(), "dynamic_route_configs")
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(routes)); !slices.Equal(got, []string{"live", "steady", visitor(kills)}) {
		t.Errorf("Envoy has the routes %q", got)
	}
	l.end()
	t.Logf("after %d restarts Envoy had the changes: from the start %s, from ready %s", kills, spread(fromStart), spread(fromReady))
	if middle := median(fromReady); middle > 5*time.Second { // some tenths are usual; a busy machine gets more
		t.Errorf("half of the restarts took more than %s until Envoy had the changes, want at most 5s", middle)
	}
}

// isAlone returns when Envoy has noticed that its xds-server is gone.
func (p *plane) isAlone(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		connected, err := p.envoy.Counter(t.Context(), "control_plane.connected_state")
		if err == nil && connected != 0 {
			err = fmt.Errorf("Envoy is connected")
		}
		return err
	})
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func spread(all []time.Duration) string {
	const unit = time.Millisecond
	return fmt.Sprintf("median %s, most %s", median(all).Round(unit), slices.Max(all).Round(unit))
}

// TestEnvoyFirst starts Envoy when there is neither an xds-server nor a Workload
// API. It comes up as soon as they are there.
func TestEnvoyFirst(t *testing.T) {
	u := upstream(t)
	p := newPlane(t)
	p.write(t, "live.yaml", sole("live", u.Address()))
	p.launchEnvoy(t, p.xds)
	eventually(t, 30*time.Second, func() error {
		failed, err := p.envoy.Counter(t.Context(), "cluster.workload_api.upstream_cx_connect_fail")
		if err == nil && failed < 5 {
			err = fmt.Errorf("Envoy has looked for the Workload API %d times", failed)
		}
		return err
	})
	p.start(t)
	ready := time.Now()
	eventually(t, 30*time.Second, func() error {
		_, err := p.ask(t, "live")
		return err
	})
	took := time.Since(ready)
	t.Logf("the first request was served %s after the xds-server was ready", took.Round(time.Millisecond))
	if took > 10*time.Second { // Envoy looks again within seconds; a busy machine gets more
		t.Errorf("the first request was served %s after the xds-server was ready", took)
	}
	p.settled(t, "")
}

// TestReplicas runs two xds-servers over the same resources. An Envoy that goes
// from one to the other, because the address leads elsewhere or because one is
// killed, takes nothing anew: they agree on every version.
func TestReplicas(t *testing.T) {
	u := upstream(t)
	p := newPlane(t)
	for _, name := range []string{"live", "steady"} {
		p.write(t, name+".yaml", twoVersions(name, u.Address(), 50, "retries: {attempts: 1}"))
	}
	p.start(t) // it is the authority that all identities come from, and serves no Envoy
	var replicas [2]*server
	var addresses [2]string
	for i := range replicas {
		xds, admin := freePort(t), freePort(t)
		replicas[i] = p.launch(t, xds, admin, fmt.Sprintf("%s/replica-%d", p.state, i), []string{"SPIFFE_ENDPOINT_SOCKET=unix://" + p.socket()})
		addresses[i] = loopback(xds)
	}
	r := newRelay(t, addresses[0])
	p.admin = replicas[0].admin
	p.startEnvoy(t, r.port())
	l := p.loads(t, "live", "steady")
	before := p.counters(t)
	unchanged := func(what string) {
		t.Helper()
		if after := p.counters(t); !maps.Equal(before, after) {
			t.Errorf("%s: Envoy's counters went from %v to %v", what, before, after)
		}
	}
	for i := 1; i <= 10; i++ {
		r.lead(addresses[i%2])
		p.admin = replicas[i%2].admin
		p.settled(t, "")
		unchanged(fmt.Sprintf("flip %d", i))
	}
	// What one replica has told, the other knows.
	p.apply(t, func() { p.write(t, "live.yaml", twoVersions("live", u.Address(), 60, "")) })
	version := p.inForce(t)
	p.admin = replicas[0].admin
	eventually(t, 30*time.Second, func() error {
		if other := p.inForce(t); other != version {
			return fmt.Errorf("the replicas have the versions %s and %s", version, other)
		}
		return nil
	})
	before = p.counters(t)
	r.lead(addresses[0], addresses[1])
	replicas[0].kill(t)
	p.admin = replicas[1].admin
	p.settled(t, "")
	unchanged("one replica was killed")
	l.end()
}
