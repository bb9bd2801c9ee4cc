package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/inference"
)

// ledgerOf counts hits by the entries of descriptors, as an envoyproxy/ratelimit does
// in a window that does not end: a hit counts even if it is refused for it.
type ledgerOf struct {
	rlsv3.UnimplementedRateLimitServiceServer
	server  *grpc.Server
	address string

	mu      sync.Mutex
	hits    map[string]uint64
	domains map[string]bool
}

// budgetReset is how long the windows of the service still last, as it says.
const budgetReset = 17 * time.Second

func startLedger(t *testing.T) *ledgerOf {
	t.Helper()
	s := &ledgerOf{hits: make(map[string]uint64), domains: make(map[string]bool), server: grpc.NewServer()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	rlsv3.RegisterRateLimitServiceServer(s.server, s)
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(l) }()
	t.Cleanup(func() {
		s.server.Stop()
		if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // before it served
			t.Error(err)
		}
	})
	return s
}

// ShouldRateLimit adds the hits of each descriptor, and refuses if one is above its limit.
func (s *ledgerOf) ShouldRateLimit(_ context.Context, r *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domains[r.GetDomain()] = true
	answer := &rlsv3.RateLimitResponse{OverallCode: rlsv3.RateLimitResponse_OK}
	for _, d := range r.GetDescriptors() {
		var name strings.Builder
		for _, e := range d.GetEntries() {
			fmt.Fprintf(&name, "/%s=%s", e.GetKey(), e.GetValue())
		}
		s.hits[name.String()] += d.GetHitsAddend().GetValue()
		verdict := &rlsv3.RateLimitResponse_DescriptorStatus{Code: rlsv3.RateLimitResponse_OK, DurationUntilReset: durationpb.New(budgetReset)}
		if s.hits[name.String()] > uint64(d.GetLimit().GetRequestsPerUnit()) {
			verdict.Code, answer.OverallCode = rlsv3.RateLimitResponse_OVER_LIMIT, rlsv3.RateLimitResponse_OVER_LIMIT
		}
		answer.Statuses = append(answer.Statuses, verdict)
	}
	return answer, nil
}

// counted is how many hits a descriptor has, given by its entries.
func (s *ledgerOf) counted(name string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[name]
}

// await returns when a descriptor has exactly so many hits, and none but those that are
// listed has any.
func (s *ledgerOf) await(t *testing.T, want map[string]uint64) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, n := range s.hits {
			if n != want[name] {
				return fmt.Errorf("%s has %d hits, want %d", name, n, want[name])
			}
		}
		for name, n := range want {
			if s.hits[name] != n {
				return fmt.Errorf("%s has %d hits, want %d", name, s.hits[name], n)
			}
		}
		return nil
	})
}

// servedUpstream is a model of which each answer costs 3 tokens of input and 7 of output.
func servedUpstream(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.Contains(string(asked), `"stream":true`) {
			w.Header().Set("content-type", "text/event-stream")
			_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}`+"\n\n"+
				`data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7}}`+"\n\ndata: [DONE]\n\n")
			return
		}
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, `{"usage":{"prompt_tokens":3,"completion_tokens":7}}`)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// startServed is a plane whose budgets the service at an address keeps.
func startServed(t *testing.T, service string) *plane {
	t.Helper()
	upstream := servedUpstream(t)
	_, rpc := startInference(t, "one")
	return startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", fmt.Sprintf("  accessLog: true\n  rateLimit: {endpoints: [%q], insecure: true, domain: models, timeout: 2s}\n", service))
		limit := func(name, spec string) string {
			return "---\napiVersion: weir.dev/v1alpha1\nkind: TokenLimit\nmetadata: {name: " + name + "}\nspec: {backend: ratelimit, " + spec + "}\n"
		}
		p.write(t, "models.yaml", sole("chat", upstream)+sole("lenient", upstream)+sole("few", upstream)+sole("free", upstream)+
			model("rpc", []version{{"v1", rpc, "grpc: true"}}, []int{100}, "")+
			limit("closed", `models: [chat, rpc], key: [user], tokens: {perMinute: 25, weights: {output: 2}}`)+
			limit("open", `models: [lenient], tokens: {perDay: 15}, onFailure: open`)+
			limit("counted", `models: [few], key: [tenant, "header:x-team", model], requests: {perHour: 2}`)+
			"---\napiVersion: weir.dev/v1alpha1\nkind: TokenLimit\nmetadata: {name: own}\nspec: {models: [chat], tokens: {perDay: 100000}}\n")
	})
}

// TestRateLimitService has budgets kept by a service that real Envoys ask: it hears what
// the models said that the requests cost, and its refusals come in the clients' protocols.
func TestRateLimitService(t *testing.T) {
	service := startLedger(t)
	p := startServed(t, service.address)
	t.Run("usage", func(t *testing.T) { testServedUsage(t, p, service) })
	t.Run("requests", func(t *testing.T) { testServedRequests(t, p, service) })
	t.Run("grpc", func(t *testing.T) { testServedRPC(t, p) })
	t.Run("gone", func(t *testing.T) { testServiceGone(t, p, service) })
}

// testServedUsage spends budgets: each request costs 3 tokens and twice 7, or 3 and 7.
func testServedUsage(t *testing.T, p *plane, service *ledgerOf) {
	const ada, bob = "/limit=closed/user=ada", "/limit=closed/user=bob"
	say := func(model, user, more string) answer {
		t.Helper()
		return p.chat(t, "/v1/chat/completions", `{"model":"`+model+`","max_tokens":1000`+more+`}`, "x-user-id", user)
	}
	if a := say("chat", "ada", ""); a.status != http.StatusOK {
		t.Fatalf("the first request is answered %d: %s", a.status, a.body)
	}
	service.await(t, map[string]uint64{ada: 17})
	if a := say("chat", "ada", `,"stream":true`); a.status != http.StatusOK || strings.Contains(string(a.body), "usage") {
		t.Fatalf("the second request is answered %d: %s", a.status, a.body)
	}
	service.await(t, map[string]uint64{ada: 34})
	left := say("chat", "bob", "").header.Get("x-ratelimit-remaining-tokens") // of the filter's own limit
	service.await(t, map[string]uint64{ada: 34, bob: 17})
	refused := say("chat", "ada", "")
	wantRefusal(t, refused, http.StatusTooManyRequests, "tokens", "rate_limit_exceeded", "17")
	wantAnthropic(t, p.chat(t, "/v1/messages", `{"model":"chat","max_tokens":1000}`, "x-user-id", "ada"), http.StatusTooManyRequests, "rate_limit_error")
	for range 2 {
		if a := say("lenient", "ada", ""); a.status != http.StatusOK {
			t.Fatalf("another budget: %d: %s", a.status, a.body)
		}
	}
	service.await(t, map[string]uint64{ada: 34, bob: 17, "/limit=open": 20})
	wantRefusal(t, say("lenient", "bob", ""), http.StatusTooManyRequests, "tokens", "rate_limit_exceeded", "17")
	if a := say("free", "ada", ""); a.status != http.StatusOK {
		t.Errorf("what no limit counts is answered %d: %s", a.status, a.body)
	}
	// What the service refused has cost nothing anywhere.
	service.await(t, map[string]uint64{ada: 34, bob: 17, "/limit=open": 20})
	if a := say("chat", "bob", ""); a.header.Get("x-ratelimit-remaining-tokens") != lessOwn(t, left, 10) {
		t.Errorf("the filter's own budget has %s left, before the refusals %s", a.header.Get("x-ratelimit-remaining-tokens"), left)
	}
	service.await(t, map[string]uint64{ada: 34, bob: 34, "/limit=open": 20})
}

// lessOwn is what is left when so much has been spent of it.
func lessOwn(t *testing.T, left string, spent int) string {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(left, &n); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(n - spent)
}

// testServedRequests spends a budget of two requests, which are counted when they come.
func testServedRequests(t *testing.T, p *plane, service *ledgerOf) {
	const red = "/limit=counted/requests/tenant=acme/header:x-team=red/model=few"
	for i := range 3 {
		a := p.chat(t, "/v1/chat/completions", `{"model":"few"}`, "x-tenant-id", "acme", "x-team", "red")
		if want := []int{200, 200, 429}[i]; a.status != want {
			t.Errorf("request %d is answered %d: %s", i, a.status, a.body)
		}
	}
	if n := service.counted(red); n != 3 {
		t.Errorf("%d requests were counted", n)
	}
	if a := p.chat(t, "/v1/chat/completions", `{"model":"few"}`); a.status != http.StatusOK {
		t.Errorf("nobody is answered %d: %s", a.status, a.body)
	}
	if n := service.counted("/limit=counted/requests/tenant=-/model=few"); n != 1 {
		t.Errorf("%d requests of nobody were counted", n)
	}
	if !service.domains["models"] || len(service.domains) != 1 {
		t.Errorf("domains %v", service.domains)
	}
}

// testServedRPC is refused over gRPC.
func testServedRPC(t *testing.T, p *plane) {
	err := p.infer(t, "ada")
	if got := status.Convert(err); got.Code() != codes.ResourceExhausted || !strings.Contains(got.Message(), "Rate limit reached") {
		t.Errorf("%v", err)
	}
}

func (p *plane) infer(t *testing.T, user string) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+loopback(p.gateway), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "x-user-id", user), 20*time.Second)
	defer cancel()
	_, err = inference.NewGRPCInferenceServiceClient(conn).ModelInfer(ctx, question("rpc", "usage", "hello", 5))
	return err
}

// testServiceGone asks without the service: onFailure decides.
func testServiceGone(t *testing.T, p *plane, service *ledgerOf) {
	service.server.Stop()
	a := p.chat(t, "/v1/chat/completions", `{"model":"chat"}`, "x-user-id", "carol")
	wantRefusal(t, a, http.StatusServiceUnavailable, "server_error", "limiter_unavailable", "")
	wantAnthropic(t, p.chat(t, "/v1/messages", `{"model":"chat","max_tokens":10}`, "x-user-id", "carol"), http.StatusServiceUnavailable, "api_error")
	if got := status.Convert(p.infer(t, "carol")); got.Code() != codes.Unavailable || !strings.Contains(got.Message(), "budget") {
		t.Errorf("over gRPC: %v", got)
	}
	if a := p.chat(t, "/v1/chat/completions", `{"model":"lenient"}`); a.status != http.StatusOK {
		t.Errorf("with onFailure: open the answer is %d: %s", a.status, a.body)
	}
	counters, err := p.envoy.Stats(t.Context(), `^cluster\..*\.ratelimit\.`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		"cluster.chat@v1.ratelimit.closed.error": 2, "cluster.rpc@v1.ratelimit.closed.error": 1, "cluster.lenient@v1.ratelimit.open.failure_mode_allowed": 1,
	} {
		if counters[name] != want {
			t.Errorf("%s is %d, want %d: %v", name, counters[name], want, counters)
		}
	}
}

// wantRefusal checks an answer in OpenAI's form.
func wantRefusal(t *testing.T, a answer, status int, kind, code, retryAfter string) {
	t.Helper()
	var body struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil || a.status != status || body.Error.Type != kind || body.Error.Code != code || body.Error.Message == "" {
		t.Errorf("%d: %s, want %d with %s and %s (%v)", a.status, a.body, status, kind, code, err)
	}
	if got := a.header.Get("retry-after"); got != retryAfter {
		t.Errorf("retry-after %q, want %q", got, retryAfter)
	}
}

// wantAnthropic checks an answer in Anthropic's form.
func wantAnthropic(t *testing.T, a answer, status int, kind string) {
	t.Helper()
	var body struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil || a.status != status || body.Type != "error" || body.Error.Type != kind || body.Error.Message == "" {
		t.Errorf("%d: %s, want %d with %s (%v)", a.status, a.body, status, kind, err)
	}
}

// TestTrapTellsService makes the filter trap while a stream is under way: its service is
// told of all that was reserved, because nobody knows any more what it has cost.
func TestTrapTellsService(t *testing.T) {
	service, finish := startLedger(t), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("content-type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"word"}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-finish:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(upstream.Close)
	p := startPlane(t, func(p *plane) {
		p.node.Concurrency = 1
		p.gatewayHas(t, "", fmt.Sprintf("  rateLimit: {endpoints: [%q], insecure: true, timeout: 2s}\n", service.address))
		p.write(t, "models.yaml", sole("chat", strings.TrimPrefix(upstream.URL, "http://"))+
			"---\napiVersion: weir.dev/v1alpha1\nkind: TokenLimit\nmetadata: {name: all}\nspec: {backend: ratelimit, tokens: {perDay: 100000}}\n")
	}, "--filter-module", artefact.Built(t, "filter-trapdrill.wasm"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	post := func(trap bool) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions",
			strings.NewReader(`{"model":"chat","max_tokens":1000,"stream":true}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("content-type", "application/json")
		if trap {
			req.Header.Set("x-weir-trap", "now")
		}
		return plain.Do(req)
	}
	running, err := post(false)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Body.Close()
	if _, err := io.ReadFull(running.Body, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	if resp, err := post(true); err == nil {
		_ = resp.Body.Close()
	}
	close(finish)
	if _, err := io.Copy(io.Discard, running.Body); err == nil {
		t.Error("the stream was not cut")
	}
	service.await(t, map[string]uint64{"/limit=all": 1000})
}
