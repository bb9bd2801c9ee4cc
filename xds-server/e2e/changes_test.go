package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

// TestChangesUnderLoad changes everything that can be changed while 1,000
// requests per second go through a real Envoy: none is answered otherwise than
// with 200.
func TestChangesUnderLoad(t *testing.T) {
	u := upstream(t)
	p := startPlane(t, func(p *plane) {
		for _, name := range []string{"live", "steady"} {
			p.write(t, name+".yaml", twoVersions(name, u.Address(), 0, ""))
		}
	})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *plane, *loadgen.Upstream)
	}{
		{"a live route", testLiveRoute},
		{"weights", testWeights},
		{"moved endpoints", testMovedEndpoints},
		{"more and fewer endpoints", testScaledEndpoints},
		{"policy", testPolicy},
		{"3000 routes", testManyRoutes},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, p, u) })
	}
}

// upstream is an instant server that ends with the test.
func upstream(t *testing.T) *loadgen.Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return upstreamOn(t, l)
}

func upstreamOn(t *testing.T, l net.Listener) *loadgen.Upstream {
	t.Helper()
	u := loadgen.ServeOn(l, loadgen.Answer(`{"object":"chat.completion"}`))
	t.Cleanup(func() { _ = u.Close() }) // the test may have closed it
	return u
}

// twoVersions is a model with two versions, of which v2 has a weight in percent.
func twoVersions(name, endpoint string, percent int, route string) string {
	return model(name, []version{{"v2", endpoint, ""}, {"v1", endpoint, ""}}, []int{percent, 100 - percent}, route)
}

func testLiveRoute(t *testing.T, p *plane, u *loadgen.Upstream) {
	l := p.loads(t, "live", "steady")
	routes := []string{
		"timeout: 60s", "retries: {attempts: 2}", "versionHeader: x-model-version", "salt: another",
		"rules: [{match: {header: x-canary, value: always}, version: v2}]",
		"fallback: [{version: v1}, {version: v2}]",
	}
	for i := range 20 {
		route := strings.Replace(routes[i%len(routes)], "60s", fmt.Sprintf("%ds", 60+i), 1)
		p.apply(t, func() { p.write(t, "live.yaml", twoVersions("live", u.Address(), i%3, route)) })
		l.goOn(route)
	}
	l.end()
}

// testWeights moves all users to v2, a percent at a time, and back at once.
func testWeights(t *testing.T, p *plane, u *loadgen.Upstream) {
	p.apply(t, func() { p.write(t, "live.yaml", twoVersions("live", u.Address(), 0, "timeout: 9s")) })
	before := p.counters(t)
	l := p.loads(t, "live", "steady")
	for percent := 1; percent <= 100; percent++ {
		p.apply(t, func() { p.write(t, "live.yaml", twoVersions("live", u.Address(), percent, "timeout: 9s")) })
		if got := p.weight(t, "live", "v2"); got != percent*100 {
			t.Fatalf("Envoy acknowledged %d %% and gives v2 %d of 10000", percent, got)
		}
	}
	if got, err := p.ask(t, "live"); err != nil || got != "v2" {
		t.Errorf("with all weight on v2: served by %q, %v", got, err)
	}
	l.end()
	// A step is one route, and neither a cluster nor a listener nor the filter.
	for name, value := range p.counters(t) {
		want := before[name]
		if strings.HasSuffix(name, ".rds.live.config_reload") {
			want += 100
		}
		if value != want {
			t.Errorf("%s went from %d to %d in 100 steps of a weight, want %d", name, before[name], value, want)
		}
	}
}

// weight is the share of a version in 1/10000, as Envoy has it.
func (p *plane) weight(t *testing.T, model, version string) int {
	t.Helper()
	routes, err := p.dumped(t.Context(), "dynamic_route_configs")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		VirtualHosts []struct {
			Routes []struct {
				Route struct {
					WeightedClusters struct {
						Clusters []struct {
							Name   string
							Weight int
						}
					} `json:"weighted_clusters"`
				}
			}
		} `json:"virtual_hosts"`
	}
	if err := json.Unmarshal(routes[model], &config); err != nil {
		t.Fatalf("route %s: %v in %s", model, err, routes[model])
	}
	for _, host := range config.VirtualHosts {
		for _, route := range host.Routes {
			for _, c := range route.Route.WeightedClusters.Clusters {
				if c.Name == model+"@"+version {
					return c.Weight
				}
			}
		}
	}
	return 0
}

// reloads are Envoy's counters of what configuration it took, by resource.
const reloads = `^cluster_manager\.cluster_(added|modified|removed)$|^listener_manager\.listener_(added|modified|removed)$|` +
	`\.rds\..*config_reload$|scoped_rds\..*config_reload$|extension_config_discovery\..*config_reload$`

func (p *plane) counters(t *testing.T) map[string]int64 {
	t.Helper()
	all, err := p.envoy.Stats(t.Context(), reloads)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 8 {
		t.Fatalf("Envoy has only these counters: %v", all)
	}
	return all
}

// secureUpstream is an upstream that takes Envoy's SVID and nobody else's.
func (p *plane) secureUpstream(t *testing.T) *loadgen.Upstream {
	t.Helper()
	source := p.identity(t, planeUpstream)
	l, err := tls.Listen("tcp", "127.0.0.1:0", tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(planeEnvoy)))
	if err != nil {
		t.Fatal(err)
	}
	return upstreamOn(t, l)
}

// identity is one of those that the test program has.
func (p *plane) identity(t *testing.T, id spiffeid.ID) *workloadapi.X509Source {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+p.socket())),
		workloadapi.WithDefaultX509SVIDPicker(func(svids []*x509svid.SVID) *x509svid.SVID {
			for _, s := range svids {
				if s.ID == id {
					return s
				}
			}
			return svids[0] // and the peer refuses it
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() }) // it only reads
	return source
}

// testMovedEndpoints moves a model from one server to the next. The old one
// drains as soon as Envoy has acknowledged the move; a request that is under way
// there ends there.
func testMovedEndpoints(t *testing.T, p *plane, u *loadgen.Upstream) {
	slow := newSlow(t)
	current := upstream(t)
	p.apply(t, func() {
		p.write(t, "live.yaml", sole("live", current.Address()))
		p.write(t, "slow.yaml", sole("slow", slow.address))
	})
	l := p.loads(t, "live", "steady")
	for range 10 {
		next := upstream(t)
		p.apply(t, func() { p.write(t, "live.yaml", sole("live", next.Address())) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := current.Drain(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		l.goOn("the old server has gone")
		current = next
	}
	answered := make(chan error, 1)
	go func() {
		_, err := p.ask(t, "slow")
		answered <- err
	}()
	<-slow.entered
	p.apply(t, func() { p.write(t, "slow.yaml", sole("slow", u.Address())) })
	if _, err := p.ask(t, "slow"); err != nil {
		t.Errorf("after the move: %v", err)
	}
	close(slow.release)
	if err := <-answered; err != nil {
		t.Errorf("the request that was under way while its endpoint was replaced: %v", err)
	}
	p.apply(t, func() {
		p.remove(t, "slow.yaml")
		p.write(t, "live.yaml", sole("live", u.Address()))
	})
	l.end()
}

// testScaledEndpoints adds endpoints to a version one by one, and takes them away
// again. Each change is one of endpoints alone, but for the one that lets more
// requests through and makes the cluster anew.
func testScaledEndpoints(t *testing.T, p *plane, u *loadgen.Upstream) {
	const most = 10
	var addresses []string
	var servers []*loadgen.Upstream
	scaled := func(n int) string {
		return strings.Replace(sole("live", "ENDPOINTS"), `"ENDPOINTS"`, `"`+strings.Join(addresses[:n], `", "`)+`"`, 1)
	}
	for range most {
		servers = append(servers, upstream(t))
		addresses = append(addresses, servers[len(servers)-1].Address())
	}
	p.apply(t, func() { p.write(t, "live.yaml", scaled(1)) })
	modified := func() int64 { return p.counters(t)["cluster_manager.cluster_modified"] }
	l := p.loads(t, "live", "steady")
	for n := 2; n <= most; n++ {
		before := modified()
		p.apply(t, func() { p.write(t, "live.yaml", scaled(n)) })
		l.goOn(fmt.Sprintf("%d endpoints", n))
		if got, want := modified()-before, map[bool]int64{true: 1}[n == 9]; got != want {
			t.Errorf("going to %d endpoints made %d clusters anew, want %d", n, got, want)
		}
		if servers[n-1].Served() == 0 {
			t.Errorf("endpoint %d got no request", n)
		}
	}
	for n := most - 1; n > 0; n-- {
		p.apply(t, func() { p.write(t, "live.yaml", scaled(n)) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := servers[n].Drain(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		l.goOn(fmt.Sprintf("back to %d endpoints", n))
	}
	p.apply(t, func() { p.write(t, "live.yaml", sole("live", u.Address())) })
	l.end()
}

// slow is a server that answers when it is told to.
type slow struct {
	address string
	entered chan struct{} // gets a value for each request
	release chan struct{} // closed: answer
}

func newSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{entered: make(chan struct{}), release: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.entered <- struct{}{}
		<-s.release
		_, _ = w.Write([]byte(`{}`)) // the client's side tells
	}))
	t.Cleanup(server.Close)
	s.address = strings.TrimPrefix(server.URL, "http://")
	return s
}

// testPolicy changes what the filter does: budgets, redaction and limits.
func testPolicy(t *testing.T, p *plane, _ *loadgen.Upstream) {
	l := p.loads(t, "live", "steady")
	for i := range 5 {
		for _, change := range []func(){
			func() {
				p.write(t, "limit.yaml", fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: live}
spec:
  models: [live]
  key: [tenant]
  tokens: {perSecond: 1000000, burst: %d, defaultOutput: 16}
  onFailure: closed
`, 10_000_000+i))
			},
			func() {
				p.write(t, "redaction.yaml", fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: live}
spec:
  models: [live]
  entities: [{kind: %s, mode: mask}]
  onFailure: closed
`, []string{"phone", "email"}[i%2]))
			},
			func() { p.gatewayHas(t, "", fmt.Sprintf("  body: {maxDepth: %d}\n", 32+i)) },
			func() {
				p.remove(t, "limit.yaml")
				p.remove(t, "redaction.yaml")
			},
		} {
			p.apply(t, change)
			l.goOn("the policy was changed")
		}
	}
	l.end()
}

// manyRoutes is how many models come and go.
const manyRoutes = 3000

// testManyRoutes adds 3,000 models and takes them away again, 200 at a time, or
// one by one with WEIR_ONE_BY_ONE set. Each is served from when Envoy has
// acknowledged it.
func testManyRoutes(t *testing.T, p *plane, u *loadgen.Upstream) {
	atATime := 200
	if os.Getenv("WEIR_ONE_BY_ONE") != "" {
		atATime = 1
	}
	l := p.loads(t, "live", "steady")
	began := time.Now()
	for first := 0; first < manyRoutes; first += atATime {
		p.apply(t, func() { p.write(t, batchFile(first), batch(first, atATime, u.Address())) })
		for _, name := range []string{routeName(first), routeName(first + atATime - 1)} {
			if _, err := p.ask(t, name); err != nil {
				t.Errorf("added and acknowledged: %v", err)
			}
		}
	}
	t.Logf("%d routes were added in %s", manyRoutes, time.Since(began).Round(time.Millisecond))
	routes, err := p.dumped(t.Context(), "dynamic_route_configs")
	if err != nil || len(routes) != manyRoutes+2 {
		t.Errorf("Envoy has %d routes, %v; want %d", len(routes), err, manyRoutes+2)
	}
	began = time.Now()
	for first := 0; first < manyRoutes; first += atATime {
		p.apply(t, func() { p.remove(t, batchFile(first)) })
	}
	p.drained(t)
	t.Logf("%d routes were removed in %s", manyRoutes, time.Since(began).Round(time.Millisecond))
	clusters, err := p.dumped(t.Context(), "dynamic_active_clusters")
	if err != nil || len(clusters) > 3 {
		t.Errorf("Envoy has still %d clusters, %v", len(clusters), err)
	}
	l.end()
}

func batchFile(first int) string { return fmt.Sprintf("batch-%04d.yaml", first) }
func routeName(i int) string     { return fmt.Sprintf("route-%04d", i) }

func batch(first, atATime int, endpoint string) string {
	var b strings.Builder
	for i := first; i < first+atATime; i++ {
		b.WriteString(sole(routeName(i), endpoint))
	}
	return b.String()
}
