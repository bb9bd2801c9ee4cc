package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

// Identities of a plane. The test program is a client and an upstream at once.
var (
	planeEnvoy    = spiffeid.RequireFromString("spiffe://weir.test/envoy")
	planeServer   = spiffeid.RequireFromString("spiffe://weir.test/xds-server")
	planeClient   = spiffeid.RequireFromString("spiffe://weir.test/client")
	planeUpstream = spiffeid.RequireFromString("spiffe://weir.test/upstream")
)

// plane is an xds-server and one real Envoy between a load and upstreams of the
// test's own: what `weir up` starts, but each part can be killed, started late
// or replaced on its own.
type plane struct {
	dir     string // the resources
	state   string // everything else
	gateway int    // the open listener
	second  int    // for another listener
	xds     int
	admin   int
	log     *logbook
	flags   []string // further ones of the xds-server
	running *server  // nil: none
	envoy   *envoyproc.Process
	node    envoyproc.Config // how Envoy is started
}

// newPlane writes resources without a model and starts nothing.
func newPlane(t *testing.T, flags ...string) *plane {
	t.Helper()
	artefact.Built(t, "xds-server") // or the test is skipped before it does anything
	p := &plane{dir: t.TempDir(), state: t.TempDir(), log: newLogbook(), flags: flags}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the log:\n%s", lastLines(p.log.text(), 150))
		}
	})
	for _, port := range []*int{&p.gateway, &p.second, &p.xds, &p.admin} {
		*port = freePort(t)
	}
	p.node = envoyproc.Config{Binary: artefact.Envoy(t), Concurrency: 2, Log: p.log}
	p.write(t, "trustdomain.yaml", `apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "`+planeServer.String()+`"}
`)
	p.gatewayHas(t, "", "")
	write(t, p.entries(), p.registered(t))
	return p
}

// startPlane starts a server and an Envoy over the models that prepare wrote.
func startPlane(t *testing.T, prepare func(*plane), flags ...string) *plane {
	t.Helper()
	p := newPlane(t, flags...)
	prepare(p)
	p.start(t)
	p.startEnvoy(t, p.xds)
	return p
}

// freePort is a loopback port that nobody has now. The kernel hands out others
// first, so that it stays free.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}

func (p *plane) entries() string { return filepath.Join(p.state, "entries.yaml") }
func (p *plane) socket() string  { return filepath.Join(p.state, "workload.sock") }

// registered are the entries of the Workload API.
func (p *plane) registered(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("entries:\n")
	for _, e := range []struct {
		id   spiffeid.ID
		path string
	}{{planeEnvoy, p.node.Binary}, {planeClient, self}, {planeUpstream, self}} {
		fmt.Fprintf(&b, "  - {id: %q, selectors: [\"unix:uid:%d\", \"unix:path:%s\"]}\n", e.id, os.Getuid(), e.path)
	}
	return b.String()
}

// write replaces a file of the resources in one step.
func (p *plane) write(t *testing.T, file, text string) {
	t.Helper()
	write(t, filepath.Join(p.dir, file), text)
}

func (p *plane) remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(p.dir, file)); err != nil {
		t.Fatal(err)
	}
}

// gatewayHas writes the Gateway: its open listener, more listeners, and further
// lines of its spec.
func (p *plane) gatewayHas(t *testing.T, listeners, spec string) {
	t.Helper()
	p.write(t, "gateway.yaml", fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: gw}
spec:
  envoys: [%q]
  listeners:
    - {name: http, address: 127.0.0.1, port: %d}
%s  identity: {tenant: {header: x-tenant-id}, user: {header: x-user-id}}
%s`, planeEnvoy, p.gateway, listeners, spec))
}

// version is one of a model; more is further YAML of it, like "connectTimeout: 3s".
type version struct{ name, endpoint, more string }

// model is a Model and its ModelRoute as YAML. Each share is a weight of the
// version at the same place; route is further YAML of the route's spec.
func model(name string, versions []version, shares []int, route string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\napiVersion: weir.dev/v1alpha1\nkind: Model\nmetadata: {name: %s}\nspec:\n  versions:\n", name)
	for _, v := range versions {
		more := v.more
		if !strings.Contains(more, "tls:") {
			more = strings.TrimSuffix("insecure: true, "+more, ", ")
		}
		fmt.Fprintf(&b, "    - {name: %s, endpoints: [%q], %s}\n", v.name, v.endpoint, more)
	}
	fmt.Fprintf(&b, "---\napiVersion: weir.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: %s}\nspec:\n  model: %s\n  split:\n", name, name)
	for i, v := range versions {
		fmt.Fprintf(&b, "    - {version: %s, weight: %d}\n", v.name, shares[i])
	}
	if route != "" {
		fmt.Fprintf(&b, "  %s\n", route)
	}
	return b.String()
}

// sole is a model with one version at one endpoint.
func sole(name, endpoint string) string {
	return model(name, []version{{"v1", endpoint, ""}}, []int{100}, "")
}

// server is an xds-server of a plane.
type server struct {
	group  *supervise.Group
	pid    int
	ended  chan struct{} // closed when the process has
	admin  int
	booted time.Duration // from its start to its being ready
}

// start runs an xds-server and returns when it is ready.
func (p *plane) start(t *testing.T) {
	t.Helper()
	p.running = p.launch(t, p.xds, p.admin, p.state, nil, append([]string{"--identity-entries", p.entries(), "--socket", p.socket()}, p.flags...)...)
}

// launch runs an xds-server over the plane's resources.
func (p *plane) launch(t *testing.T, xds, admin int, state string, env []string, flags ...string) *server {
	t.Helper()
	s := &server{ended: make(chan struct{}), admin: admin}
	s.group = supervise.New(supervise.Options{
		Output: p.log, RestartMin: time.Hour, RestartMax: time.Hour, // the test decides when it comes back
		Notify: func(e supervise.Event) {
			switch e.Kind {
			case supervise.Started:
				s.pid = e.PID
			case supervise.Exited, supervise.Stopped, supervise.Killed:
				close(s.ended)
			}
		},
	})
	began := time.Now()
	err := s.group.Start(t.Context(), supervise.Program{
		Name: "xds-server", Path: artefact.Built(t, "xds-server"), Env: append(os.Environ(), env...),
		Args: append([]string{
			"--resources", p.dir, "--filter-module", artefact.Built(t, "filter.wasm"), "--state-dir", state,
			"--xds-address", loopback(xds), "--admin-address", loopback(admin),
		}, flags...),
		Ready: func(ctx context.Context) error {
			_, err := get(ctx, "http://"+loopback(admin)+"/readyz")
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.booted = time.Since(began)
	t.Cleanup(s.stop)
	return s
}

// kill ends the process as a crash does, and returns when it is gone.
func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(s.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	s.stop()
}

// stop ends the process if it runs. It may be called more than once.
func (s *server) stop() { s.group.Stop(context.Background()) }

// launchEnvoy starts the Envoy, which looks for an xds-server at the port, and
// returns before it has a configuration.
func (p *plane) launchEnvoy(t *testing.T, xds int) {
	t.Helper()
	document, err := bootstrap.Config{
		NodeID: "edge", NodeCluster: "test", Admin: netip.MustParseAddrPort(loopback(freePort(t))),
		XDS: netip.MustParseAddrPort(loopback(xds)), Socket: p.socket(), Envoy: planeEnvoy, XDSServer: planeServer,
	}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	c := p.node
	c.Dir, c.Bootstrap = t.TempDir(), document
	if p.envoy, err = envoyproc.Launch(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-p.envoy.Exited():
			t.Error("envoy ended by itself")
		default:
		}
		p.envoy.Stop()
	})
}

// startEnvoy starts the Envoy and returns when it answers for every model.
func (p *plane) startEnvoy(t *testing.T, xds int) {
	t.Helper()
	p.launchEnvoy(t, xds)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.envoy.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	p.settled(t, "")
}

// ask posts a chat request for a model and returns the version that served it.
func (p *plane) ask(t *testing.T, model string) (version string, err error) {
	t.Helper()
	return askAt(t, p.gateway, model)
}

// askAt asks at one listener.
func askAt(t *testing.T, port int, model string) (version string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(port)+"/v1/chat/completions", strings.NewReader(chatFor(model)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	a, err := send(req)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("%s is answered %d: %s", model, a.status, clip(a.body))
	}
	return a.header.Get("x-weir-version"), nil
}

func chatFor(model string) string {
	return `{"model":"` + model + `","max_tokens":8,"messages":[{"role":"user","content":"hello"}]}`
}

// load is 1,000 requests per second that go on until end.
type load struct {
	t        *testing.T
	cancel   context.CancelFunc
	done     chan *loadgen.Report
	progress loadgen.Progress
	told     int64 // of the failures, by goOn
}

// goOn returns when a while has passed in which all requests were answered well,
// as measured by their number. After says what came before.
func (l *load) goOn(after string) {
	l.t.Helper()
	target := l.progress.Good.Load() + rate/10
	eventually(l.t, 30*time.Second, func() error {
		if good := l.progress.Good.Load(); good < target {
			return fmt.Errorf("%d more requests were to be answered with 200", target-good)
		}
		return nil
	})
	if failed := l.progress.Failed.Load(); failed > l.told {
		l.t.Errorf("%s: %d requests failed", after, failed-l.told)
		l.told = failed
	}
}

// rate is requests per second.
const rate = 1000

// loads sends requests for the models in turn, over the open listener.
func (p *plane) loads(t *testing.T, models ...string) *load {
	t.Helper()
	return startLoad(t, loadgen.Options{Address: loopback(p.gateway), Bodies: requestsFor(models...)})
}

func requestsFor(models ...string) [][]byte {
	var bodies [][]byte
	for i, m := range models {
		bodies = append(bodies, loadgen.Request("/v1/chat/completions", []byte(chatFor(m)), "x-tenant-id: acme", "x-user-id: user-"+strconv.Itoa(i)))
	}
	return bodies
}

func startLoad(t *testing.T, o loadgen.Options) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, cancel: cancel, done: make(chan *loadgen.Report, 1)}
	o.Rate, o.Total, o.Want = rate, rate*600, http.StatusOK
	// Clients that stay, and clients that come.
	o.Conns, o.PerConn, o.Progress = 64, 50, &l.progress
	go func() {
		r, err := loadgen.Run(ctx, o)
		if err != nil {
			t.Error(err)
			r = &loadgen.Report{}
		}
		l.done <- r
	}()
	t.Cleanup(cancel)
	return l
}

// end stops the load and demands that every request was answered with 200.
func (l *load) end() *loadgen.Report {
	l.t.Helper()
	l.cancel()
	r := <-l.done
	l.t.Log(r)
	if !r.Only(http.StatusOK) {
		l.t.Errorf("requests failed: %s", r)
	}
	return r
}

// planeStatus is what the tests read of the xds-server's status.
type planeStatus struct {
	Config struct {
		Versions map[string]string
		Problems []struct {
			File, Message string
			Line          int
		}
	}
	Nodes []struct {
		SPIFFEID, Node, Version string
		Stream                  int
		Accepted, InSync        bool
		Types                   []struct {
			Type    string
			Pending int
			Waiting bool
			Parked  []struct{ Name, Message string }
		}
	}
}

func (p *plane) status(ctx context.Context) (planeStatus, error) { return statusOf(ctx, p.admin) }

func statusOf(ctx context.Context, admin int) (planeStatus, error) {
	text, err := get(ctx, "http://"+loopback(admin)+"/status")
	if err != nil {
		return planeStatus{}, err
	}
	var s planeStatus
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("%w in %s", err, text)
	}
	return s, nil
}

// inForce is the version of the snapshot that Envoys are to have.
func (p *plane) inForce(t *testing.T) string {
	t.Helper()
	s, err := p.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Config.Versions[planeEnvoy.String()]
}

// apply changes resources and returns when Envoy has acknowledged what is new in
// them. What they no longer have may still drain.
func (p *plane) apply(t *testing.T, change func()) {
	t.Helper()
	before := p.inForce(t)
	change()
	p.settled(t, before)
}

// settled returns when another snapshot than before is in force and Envoy has
// acknowledged what is new in it.
func (p *plane) settled(t *testing.T, before string) {
	t.Helper()
	eventually(t, 30*time.Second, func() error { return p.hasSettled(t.Context(), before) })
}

// drained returns when Envoy has also lost what the snapshot in force does not have.
func (p *plane) drained(t *testing.T) {
	t.Helper()
	eventually(t, 60*time.Second, func() error {
		s, err := p.status(t.Context())
		if err != nil {
			return err
		}
		if len(s.Nodes) != 1 || !s.Nodes[0].InSync {
			return fmt.Errorf("not in sync: %+v", s.Nodes)
		}
		return p.hasSettled(t.Context(), "")
	})
}

func (p *plane) hasSettled(ctx context.Context, before string) error {
	s, err := p.status(ctx)
	if err != nil {
		return err
	}
	version := s.Config.Versions[planeEnvoy.String()]
	switch {
	case len(s.Config.Problems) > 0:
		return fmt.Errorf("the resources have problems: %+v", s.Config.Problems)
	case version == before:
		return errors.New("the change is not in force")
	case len(s.Nodes) != 1:
		return fmt.Errorf("%d Envoys are connected", len(s.Nodes))
	case s.Nodes[0].Version != version || !s.Nodes[0].Accepted && !s.Nodes[0].InSync:
		return fmt.Errorf("Envoy has not acknowledged %s: %+v", version, s.Nodes[0])
	}
	return nil
}

// dumped are the resources of a kind in Envoy's config_dump, by name; kind is
// such as dynamic_active_clusters or dynamic_route_configs.
func (p *plane) dumped(ctx context.Context, kind string) (map[string]json.RawMessage, error) {
	body, err := p.envoy.Admin(ctx, "/config_dump?resource="+kind)
	if err != nil {
		return nil, err
	}
	var dump struct {
		Configs []map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &dump); err != nil {
		return nil, err
	}
	all := make(map[string]json.RawMessage, len(dump.Configs))
	for _, c := range dump.Configs {
		for _, key := range []string{"cluster", "route_config", "listener"} {
			var named struct{ Name string }
			if raw, ok := c[key]; ok && json.Unmarshal(raw, &named) == nil {
				all[named.Name] = raw
			}
		}
	}
	return all, nil
}

func lastLines(text string, n int) string {
	lines := bytes.SplitAfter([]byte(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n-1):], nil))
}
