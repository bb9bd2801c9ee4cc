package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// seen is a request as an upstream of the test got it.
type seen struct{ host, path, model, version, body string }

// fickle is an upstream that does what its mode says and remembers what it got.
type fickle struct {
	name   string
	server *httptest.Server
	mu     sync.Mutex
	mode   string // guarded by mu: "" answers, "503", "reset"
	got    []seen // guarded by mu
}

func newFickle(t *testing.T, name, mode string) *fickle {
	t.Helper()
	f := &fickle{name: name, mode: mode}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fickle) address() string { return strings.TrimPrefix(f.server.URL, "http://") }

// requests are those since the last call.
func (f *fickle) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

func (f *fickle) become(mode string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = mode
}

func (f *fickle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f.mu.Lock()
	mode := f.mode
	f.got = append(f.got, seen{r.Host, r.URL.Path, r.Header.Get("x-weir-model"), r.Header.Get("x-weir-version"), string(body)})
	f.mu.Unlock()
	switch mode {
	case "503":
		http.Error(w, "busy", http.StatusServiceUnavailable)
	case "reset":
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("content-type", "application/json")
		fmt.Fprintf(w, `{"by":%q,"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}`, f.name)
	}
}

// nowhere is an address that refuses connections.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// chat posts a body and returns the answer.
func (p *plane) chat(t *testing.T, path, body string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+loopback(p.gateway)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	a, err := send(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestFallback has the version that was picked fail in each way before its first
// byte: the next one answers, called by its own name, and says that it did.
func TestFallback(t *testing.T) {
	first, second, other := newFickle(t, "first", ""), newFickle(t, "second", ""), newFickle(t, "other", "")
	gone := nowhere(t)
	p := startPlane(t, func(p *plane) {
		route := "fallback: [{version: v2}, {model: other, version: only}]\n  versionHeader: x-model-version"
		p.write(t, "chat.yaml", strings.Replace(model("chat", []version{
			{"v1", first.address(), "upstreamModel: org/chat-1"}, {"v2", second.address(), ""}, {"v3", gone, "upstreamModel: c3"},
		}, []int{100, 0, 0}, route), "spec:\n", "spec:\n  aliases: [gpt-4]\n", 1))
		p.write(t, "other.yaml", model("other", []version{{"only", other.address(), "upstreamModel: other"}}, []int{100}, ""))
		p.write(t, "limit.yaml", `apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: budget}
spec: {models: [chat], key: [tenant], tokens: {perSecond: 0.001, burst: 10000000, defaultOutput: 100}}
`)
	})
	const body = `{"model":"gpt-4","messages":[{"role":"user","content":"hello"}]}`
	named := func(name string) string { return strings.Replace(body, "gpt-4", name, 1) }
	answered := func(t *testing.T, a answer, by, model, version string) {
		t.Helper()
		var said struct{ By string }
		if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil || said.By != by {
			t.Fatalf("answer is %d %s, want one by %s", a.status, a.body, by)
		}
		if got := a.header.Get("x-weir-version"); got != version {
			t.Errorf("the answer says version %q, want %q", got, version)
		}
		if got := a.header.Get("x-weir-model"); got != model {
			t.Errorf("the answer says model %q, want %q", got, model)
		}
	}
	got := func(t *testing.T, f *fickle, want ...seen) {
		t.Helper()
		requests := f.requests()
		if len(requests) != len(want) {
			t.Fatalf("%s got %d requests, want %d: %+v", f.name, len(requests), len(want), requests)
		}
		for i := range want {
			requests[i].host, requests[i].path = "", ""
			if requests[i] != want[i] {
				t.Errorf("%s got %+v, want %+v", f.name, requests[i], want[i])
			}
		}
	}
	inFirst := seen{model: "chat", version: "v1", body: named("org/chat-1")}
	inSecond := seen{model: "chat", version: "v2", body: body}
	inOther := seen{model: "other", version: "only", body: named("other")}
	t.Run("none", func(t *testing.T) {
		answered(t, p.chat(t, "/v1/chat/completions", body), "first", "chat", "v1")
		got(t, first, inFirst)
		got(t, second)
	})
	for _, mode := range []string{"503", "reset"} {
		t.Run(mode, func(t *testing.T) {
			first.become(mode)
			answered(t, p.chat(t, "/v1/chat/completions", body), "second", "chat", "v2")
			got(t, first, inFirst)
			got(t, second, inSecond)
			second.become(mode)
			answered(t, p.chat(t, "/v1/chat/completions", body), "other", "other", "only")
			got(t, first, inFirst)
			got(t, second, inSecond)
			got(t, other, inOther)
			second.become("")
		})
	}
	t.Run("no connection", func(t *testing.T) {
		answered(t, p.chat(t, "/v1/chat/completions", body, "x-model-version", "v3"), "second", "chat", "v2")
		got(t, second, inSecond)
	})
	t.Run("path", func(t *testing.T) {
		first.become("503")
		second.become("503")
		answered(t, p.chat(t, "/v2/models/gpt-4/infer", `{"inputs":[]}`), "other", "other", "only")
		for _, f := range []struct {
			*fickle
			path string
		}{{first, "/v2/models/org%2Fchat-1/infer"}, {second, "/v2/models/gpt-4/infer"}, {other, "/v2/models/other/infer"}} {
			if requests := f.requests(); len(requests) != 1 || requests[0].path != strings.ReplaceAll(f.path, "%2F", "/") {
				t.Errorf("%s got %+v, want one for %s", f.name, requests, f.path)
			}
		}
		second.become("")
	})
	t.Run("charged once", func(t *testing.T) {
		tenant := []string{"x-tenant-id", "once"}
		first.become("503")
		p.chat(t, "/v1/chat/completions", body, tenant...)
		left, err := strconv.Atoi(p.chat(t, "/v1/chat/completions", body, tenant...).header.Get("x-ratelimit-remaining-tokens"))
		if err != nil {
			t.Fatal(err)
		}
		// The first cost 7 by its usage, the second has reserved its prompt and 100.
		if spent := 10000000 - left; spent < 107 || spent > 7+2*100 {
			t.Errorf("%d tokens are gone after two requests", spent)
		}
		first.requests()
		second.requests()
	})
	t.Run("large body", func(t *testing.T) {
		p.apply(t, func() { p.gatewayHas(t, "", "  body: {holdLimit: 4MiB}\n") })
		first.become("503")
		large := strings.Replace(body, "hello", strings.Repeat("a", 1<<20), 1)
		answered(t, p.chat(t, "/v1/chat/completions", large), "second", "chat", "v2")
		if requests := second.requests(); len(requests) != 1 || requests[0].body != large {
			t.Errorf("the body of %d bytes did not arrive whole", len(large))
		}
		first.become("")
		first.requests()
		p.chat(t, "/v1/chat/completions", large)
		if requests := first.requests(); len(requests) != 1 || requests[0].body != strings.Replace(large, "gpt-4", "org/chat-1", 1) {
			t.Errorf("the renamed body of %d bytes did not arrive whole", len(large))
		}
		first.become("503")
		large = strings.Replace(body, "hello", strings.Repeat("a", 2<<20), 1)
		if a := p.chat(t, "/v1/chat/completions", large); a.status != http.StatusServiceUnavailable {
			t.Errorf("a body above the limit is answered %d by %s", a.status, a.header.Get("x-weir-version"))
		}
	})
	if p.log.has("[lua]") {
		t.Error("a script failed")
	}
}

// TestMirror copies a sample of the requests to a version that gets none itself.
func TestMirror(t *testing.T) {
	const requests, percent = 400, 25
	live, shadow := newFickle(t, "live", ""), newFickle(t, "shadow", "")
	p := startPlane(t, func(p *plane) {
		p.write(t, "chat.yaml", model("chat", []version{
			{"v1", live.address(), ""}, {"next", shadow.address(), "upstreamModel: chat-next"},
		}, []int{100, 0}, fmt.Sprintf("mirrors: [{version: next, sample: %d}]", percent)))
		p.write(t, "limit.yaml", `apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: budget}
spec: {models: [chat], tokens: {perSecond: 0.001, burst: 100000, defaultOutput: 100}}
`)
	})
	const body = `{"model":"chat","messages":[{"role":"user","content":"hello"}]}`
	shadow.become("503") // nobody hears of it
	live.requests()
	shadow.requests()
	var left string
	for range requests {
		a := p.chat(t, "/v1/chat/completions", body)
		if a.status != http.StatusOK || a.header.Get("x-weir-version") != "v1" {
			t.Fatalf("answer is %d %s by %q", a.status, a.body, a.header.Get("x-weir-version"))
		}
		left = a.header.Get("x-ratelimit-remaining-tokens")
	}
	// The last has reserved its prompt and 100; the others cost 7 each by their usage.
	if n, err := strconv.Atoi(left); err != nil || 100000-n < (requests-1)*7+100 || 100000-n > (requests-1)*7+200 {
		t.Errorf("%s tokens are left after %d requests of 7", left, requests)
	}
	for _, r := range live.requests() {
		if r.version != "v1" || r.body != body {
			t.Fatalf("the version itself got %+v", r)
		}
	}
	var copies []seen
	low, high := requests*percent/100-50, requests*percent/100+50 // six standard deviations
	eventually(t, 30*time.Second, func() error {
		if copies = append(copies, shadow.requests()...); len(copies) < low {
			return fmt.Errorf("%d copies of %d requests", len(copies), requests)
		}
		return nil
	})
	if len(copies) > high {
		t.Errorf("%d copies of %d requests", len(copies), requests)
	}
	for _, r := range copies {
		want := strings.Replace(body, `"chat"`, `"chat-next"`, 1)
		if r.version != "next" || r.model != "chat" || r.body != want || !strings.Contains(r.host, "-shadow") {
			t.Fatalf("the copy is %+v", r)
		}
	}
	if a := p.chat(t, "/v1/chat/completions", body); a.status != http.StatusOK {
		t.Errorf("after the copies: %d", a.status)
	}
}

// TestOutlier has one of three endpoints fail: it is asked no more.
func TestOutlier(t *testing.T) {
	var endpoints []*fickle
	var addresses []string
	for i := range 3 {
		f := newFickle(t, strconv.Itoa(i), "")
		endpoints, addresses = append(endpoints, f), append(addresses, f.address())
	}
	p := startPlane(t, func(p *plane) {
		p.write(t, "chat.yaml", strings.Replace(
			model("chat", []version{{"v1", "ENDPOINTS", "outlierDetection: {consecutive5xx: 3, interval: 1s, baseEjectionTime: 60s}"}}, []int{100}, ""),
			`"ENDPOINTS"`, `"`+strings.Join(addresses, `", "`)+`"`, 1))
	})
	endpoints[1].become("503")
	failed := func(requests int) (n int) {
		for range requests {
			if _, err := p.ask(t, "chat"); err != nil {
				n++
			}
		}
		return n
	}
	eventually(t, 30*time.Second, func() error {
		if n := failed(30); n > 0 {
			return fmt.Errorf("%d of 30 requests still fail", n)
		}
		return nil
	})
	endpoints[1].requests()
	if n := failed(60); n > 0 || len(endpoints[1].requests()) > 0 {
		t.Errorf("%d of 60 requests failed after the endpoint was ejected", n)
	}
}

// TestCircuitBreaker fills the one place that a version has: the next request is
// answered at once, and no fallback takes it, because Envoy tries no second time
// what it did not let out a first time.
func TestCircuitBreaker(t *testing.T) {
	busy, spare := newSlow(t), newFickle(t, "spare", "")
	p := startPlane(t, func(p *plane) {
		p.write(t, "chat.yaml", model("chat", []version{{"v1", busy.address, "circuitBreakers: {maxRequests: 1}"}, {"v2", spare.address(), ""}},
			[]int{100, 0}, "fallback: [{version: v2}]"))
	})
	answered := make(chan error, 1)
	go func() {
		_, err := p.ask(t, "chat")
		answered <- err
	}()
	<-busy.entered
	a := p.chat(t, "/v1/chat/completions", chatFor("chat"))
	if a.status != http.StatusServiceUnavailable || len(spare.requests()) > 0 {
		t.Errorf("above the bound the answer is %d %s", a.status, a.body)
	}
	close(busy.release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestFallbackFromUnhealthy: a version without a healthy endpoint has its fallback
// still, be it that checks fail or that the endpoints are ejected.
func TestFallbackFromUnhealthy(t *testing.T) {
	gone, sick, spare := nowhere(t), newFickle(t, "sick", "503"), newFickle(t, "spare", "")
	p := startPlane(t, func(p *plane) {
		for name, v1 := range map[string]version{
			"checked": {"v1", gone, "healthCheck: {path: /health, interval: 100ms, timeout: 100ms, unhealthyThreshold: 1}"},
			"ejected": {"v1", sick.address(), "outlierDetection: {consecutive5xx: 1, maxEjectionPercent: 100}"},
		} {
			p.write(t, name+".yaml", model(name, []version{v1, {"v2", spare.address(), ""}}, []int{100, 0}, "fallback: [{version: v2}]"))
		}
	})
	for _, name := range []string{"checked", "ejected"} {
		for range 20 {
			if by, err := p.ask(t, name); err != nil || by != "v2" {
				t.Fatalf("%s is answered by %q, %v", name, by, err)
			}
		}
	}
	stats, err := p.envoy.Stats(t.Context(), `^cluster\.(checked|ejected)@v1\.(membership_healthy|outlier_detection\.ejections_active)$`)
	if err != nil || stats["cluster.checked@v1.membership_healthy"] != 0 || stats["cluster.ejected@v1.membership_healthy"] != 0 {
		t.Errorf("not all endpoints were out of use: %v, %v", stats, err)
	}
}
