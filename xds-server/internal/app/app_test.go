package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

var (
	serverID   = spiffeid.RequireFromString("spiffe://weir.test/xds-server")
	envoyID    = spiffeid.RequireFromString("spiffe://weir.test/envoy")
	canaryID   = spiffeid.RequireFromString("spiffe://weir.test/canary")
	operatorID = spiffeid.RequireFromString("spiffe://weir.test/operator")
)

const resources = `
apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "spiffe://weir.test/xds-server"}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: gw}
spec:
  envoys: ["spiffe://weir.test/envoy"]
  filter: {module: {file: /filter.wasm}}
  listeners:
    - {name: http, address: 127.0.0.1, port: 10000}
---
apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: m}
spec:
  versions:
    - {name: v1, endpoints: ["127.0.0.1:8000"], insecure: true}
---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: m}
spec: {model: m, split: [{version: v1, weight: 100}]}
`

// running is an xds-server of this process.
type running struct {
	options Options
	log     *logLines
	stop    func() error
}

func newOptions(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := ParseOptions([]string{
		"--resources", filepath.Join(dir, "resources"), "--state-dir", filepath.Join(dir, "s"),
		"--identity-entries", filepath.Join(dir, "entries.yaml"),
		"--xds-address", freeAddress(t), "--admin-address", freeAddress(t),
	}, func(string) string { return "" }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	entries := "entries:\n"
	for _, id := range []spiffeid.ID{envoyID, canaryID, operatorID} {
		entries += fmt.Sprintf("- {id: %q, selectors: [%q, %q]}\n", id, "unix:uid:"+strconv.Itoa(os.Geteuid()), "unix:path:"+program)
	}
	if err := errors.Join(os.Mkdir(folderOf(o), 0o700), os.WriteFile(o.IdentityEntries, []byte(entries), 0o600)); err != nil {
		t.Fatal(err)
	}
	write(t, o, resources)
	return o
}

// folderOf is the folder of resources of newOptions.
func folderOf(o Options) string { return filepath.Join(filepath.Dir(o.StateDir), "resources") }

func write(t *testing.T, o Options, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folderOf(o), "all.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startApp runs the server and returns when it says that it is ready.
func startApp(t *testing.T, o Options) *running {
	t.Helper()
	r := &running{options: o, log: newLogLines()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, o, o.NewLog(r.log))
		if ctx.Err() == nil {
			fmt.Fprintf(r.log, "xds-server is ready: no, it ended: %v", err) // wakes who waits
		}
		ended <- err
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	r.log.await(t, "xds-server is ready")
	return r
}

// as opens a delta stream with the SVID of id.
func (r *running) as(t *testing.T, id spiffeid.ID) (discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, *workloadapi.X509Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	source, err := workloadapi.NewX509Source(ctx,
		workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+r.options.Socket)),
		workloadapi.WithDefaultX509SVIDPicker(func(svids []*x509svid.SVID) *x509svid.SVID { return pick(svids, id) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	creds := credentials.NewTLS(tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(serverID)))
	conn, err := grpc.NewClient(r.options.XDSAddress, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream, source
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + r.options.AdminAddress + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (r *running) status(t *testing.T) admin.Status {
	t.Helper()
	_, body := r.get(t, "/status")
	var s admin.Status
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return s
}

type deltaStream = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

func ask(t *testing.T, s deltaStream, req *discoveryv3.DeltaDiscoveryRequest) {
	t.Helper()
	if err := s.Send(req); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, s deltaStream) *discoveryv3.DeltaDiscoveryResponse {
	t.Helper()
	resp, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resp.GetTypeUrl(), ResponseNonce: resp.GetNonce()})
	return resp
}

func TestBadEditKeepsTheLastGood(t *testing.T) {
	r := startApp(t, newOptions(t))
	stream, _ := r.as(t, envoyID)
	ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ListenerType})
	if resp := receive(t, stream); len(resp.GetResources()) != 1 || resp.GetResources()[0].GetName() != "gw/http" {
		t.Fatalf("listeners = %v", resp)
	}
	before := r.status(t)

	write(t, r.options, strings.Replace(resources, "weight: 100", "weight: 100, typo: 1", 1))
	r.log.await(t, "last good versions stay")
	s := r.status(t)
	if len(s.Config.Problems) != 1 || s.Config.Problems[0].Line == 0 || s.Config.Problems[0].File != "all.yaml" ||
		s.Config.Problems[0].Field != "spec.split[0].typo" || s.Config.ProblemsSince.IsZero() {
		t.Fatalf("problems = %+v since %s", s.Config.Problems, s.Config.ProblemsSince)
	}
	if len(s.Config.Held) != 1 || s.Config.Held[0].Resource != "ModelRoute/m" || s.Config.Held[0].Origin == "" || s.Config.Held[0].Since.IsZero() {
		t.Fatalf("held = %+v", s.Config.Held)
	}
	if s.Config.Versions[envoyID.String()] != before.Config.Versions[envoyID.String()] {
		t.Fatal("a bad edit changed what is in force")
	}
	if _, metrics := r.get(t, "/metrics"); !strings.Contains(metrics, "\nweir_config_last_reload_successful 0\n") {
		t.Fatal("the metric does not show the problem")
	}

	write(t, r.options, strings.Replace(resources, "port: 10000", "port: 10001", 1))
	resp := receive(t, stream)
	if len(resp.GetResources()) != 1 || resp.GetSystemVersionInfo() == before.Config.Versions[envoyID.String()] {
		t.Fatalf("update = %v", resp)
	}
	r.log.await(t, "right again")
	if s = r.status(t); len(s.Config.Problems) != 0 || len(s.Nodes) != 1 || s.Nodes[0].SPIFFEID != envoyID {
		t.Fatalf("status = %+v", s)
	}
}

func TestTrustDomainCannotChangeWhileServing(t *testing.T) {
	r := startApp(t, newOptions(t))
	write(t, r.options, strings.Replace(resources, "weir.test/xds-server", "weir.test/another", 1))
	r.log.await(t, "cannot change while the xds-server runs")
	if code, _ := r.get(t, "/readyz"); code != http.StatusOK {
		t.Fatalf("readyz = %d: the server must serve on", code)
	}
}

func TestOnlyEntitledIdentitiesAreServed(t *testing.T) {
	r := startApp(t, newOptions(t))
	stream, _ := r.as(t, serverID) // proved, but no Envoy
	if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Fatalf("error = %v, want PermissionDenied", err)
	}
	conn, err := grpc.NewClient(r.options.XDSAddress, grpc.WithTransportCredentials(credentials.NewTLS(tlsconfig.TLSClientConfig(nil, tlsconfig.AuthorizeAny()))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	nobody, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err == nil {
		_, err = nobody.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("without a certificate: %v, want a failed handshake", err)
	}
}

func TestEntitlementEndsWithTheEdit(t *testing.T) {
	r := startApp(t, newOptions(t))
	stream, _ := r.as(t, envoyID)
	ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	receive(t, stream)
	write(t, r.options, strings.Replace(resources, "weir.test/envoy", "weir.test/another-envoy", 1))
	removed := time.Now()
	if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Fatalf("error = %v, want PermissionDenied", err)
	}
	if took := time.Since(removed); took > 5*time.Second {
		t.Fatalf("the stream of a removed identity ended after %s", took)
	}
}

// TestRestartChangesNothing starts the server again on the same folders, as
// after kill -9: the root is the same, and a client that has everything gets
// nothing but the endpoints that it may wait for.
func TestRestartChangesNothing(t *testing.T) {
	o := newOptions(t)
	r := startApp(t, o)
	stream, source := r.as(t, envoyID)
	have := map[string]map[string]string{}
	for _, url := range []string{snapshot.ClusterType, snapshot.ListenerType, snapshot.ScopedRouteType} {
		ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url})
		have[url] = map[string]string{}
		for _, res := range receive(t, stream).GetResources() {
			have[url][res.GetName()] = res.GetVersion()
		}
	}
	bundle, err := source.GetX509BundleForTrustDomain(serverID.TrustDomain())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	again := startApp(t, o)
	stream, source = again.as(t, envoyID)
	if after, err := source.GetX509BundleForTrustDomain(serverID.TrustDomain()); err != nil || !after.Equal(bundle) {
		t.Fatalf("the restarted server has another root: %v", err)
	}
	for url, versions := range have {
		ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, InitialResourceVersions: versions})
	}
	ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.EndpointType, ResourceNamesSubscribe: []string{"m@v1"}})
	if resp := receive(t, stream); resp.GetTypeUrl() != snapshot.EndpointType {
		t.Fatalf("the first response is %v, want the endpoints alone", resp)
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		change func(*testing.T, *Options)
		want   string
	}{
		"no folder":     {func(_ *testing.T, o *Options) { o.Sources = []source.Source{file.NewFolder("/no/such/folder")} }, "/no/such/folder"},
		"bad resources": {func(t *testing.T, o *Options) { write(t, *o, "kind: Gatewy\n") }, "all.yaml:1"},
		"taken xDS":     {func(_ *testing.T, o *Options) { o.XDSAddress = taken.Addr().String() }, "--xds-address"},
		"taken admin":   {func(_ *testing.T, o *Options) { o.AdminAddress = taken.Addr().String() }, "--admin-address"},
		"no entries":    {func(_ *testing.T, o *Options) { o.IdentityEntries += "x" }, "--identity-entries"},
		"bad entries":   {func(t *testing.T, o *Options) { writeFile(t, o.IdentityEntries, "entries: [{id: x}]") }, "entries.yaml:1"},
		"impossible entry": {func(t *testing.T, o *Options) {
			writeFile(t, o.IdentityEntries, `entries: [{id: "spiffe://weir.test/x", selectors: ["unix:gid:1", "unix:gid:2"]}]`)
		}, "entries[0].selectors[1]: no process can match both"},
		"foreign entry": {func(t *testing.T, o *Options) {
			writeFile(t, o.IdentityEntries, `entries: [{id: "spiffe://else.test/x", selectors: ["unix:uid:0"]}]`)
		}, "trust domain weir.test"},
		"no module": {func(t *testing.T, o *Options) {
			o.FilterModule = "/no/filter.wasm"
			write(t, *o, strings.Replace(resources, "  filter: {module: {file: /filter.wasm}}\n", "", 1))
		}, "--filter-module"},
		"SPIRE expected": {func(t *testing.T, o *Options) {
			write(t, *o, strings.Replace(resources, "source: development", "source: spire", 1))
		}, "SPIFFE_ENDPOINT_SOCKET"},
		"real domain": {func(t *testing.T, o *Options) {
			o.IdentityEntries = ""
			write(t, *o, strings.ReplaceAll(resources, "weir.test", "weir.dev"))
		}, "--force-development-ca"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOptions(t)
			c.change(t, &o)
			err := Run(t.Context(), o, o.NewLog(io.Discard))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestWorkloadAPITakesThePlaceOfTheCA runs a second server on the identities of
// the first one's socket, as it would on SPIRE's.
func TestWorkloadAPITakesThePlaceOfTheCA(t *testing.T) {
	first := startApp(t, newOptions(t))
	o := newOptions(t)
	o.WorkloadAPI, o.IdentityEntries = "unix://"+first.options.Socket, ""
	second := startApp(t, o)
	if _, err := os.Stat(filepath.Join(o.StateDir, "development-ca.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the development CA was opened: %v", err)
	}
	second.options.Socket = first.options.Socket
	stream, _ := second.as(t, envoyID)
	ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ClusterType})
	receive(t, stream)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// logLines takes the server's log and lets tests wait for lines of it.
type logLines struct {
	mu     sync.Mutex
	text   strings.Builder
	seen   int // what was awaited already
	change chan struct{}
}

func newLogLines() *logLines { return &logLines{change: make(chan struct{})} }

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	close(l.change)
	l.change = make(chan struct{})
	return len(p), nil
}

// await returns when a part of the log that was not awaited before holds text.
func (l *logLines) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		all, change := l.text.String(), l.change
		at := strings.Index(all[l.seen:], text)
		if at >= 0 {
			l.seen += at + len(text)
		}
		l.mu.Unlock()
		if at >= 0 {
			return
		}
		select {
		case <-change:
		case <-deadline:
			t.Fatalf("the log never said %q:\n%s", text, all)
		}
	}
}
