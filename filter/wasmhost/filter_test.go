package wasmhost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// chat is a request of testdata/policy.json's model "chat".
func chat(body string) Request {
	return Request{
		Path:    "/v1/chat/completions",
		Headers: Headers{{"content-type", "application/json"}, {"content-length", fmt.Sprint(len(body))}, {"x-tenant-id", "t"}, {"x-user-id", "u"}},
		Body:    []byte(body),
	}
}

// streamed is the same without a content-length, in pieces of n bytes.
func streamed(body string, n int) Request {
	r := chat(body)
	r.Headers = r.Headers[:1:1]
	for p := []byte(body); len(p) > 0; {
		k := min(n, len(p))
		r.Chunks, p = append(r.Chunks, p[:k]), p[k:]
	}
	return r
}

func do(tb testing.TB, vm *VM, r Request) Outcome {
	tb.Helper()
	o, err := vm.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// code is the code of an error in the shape of docs/ARCHITECTURE.md.
func (r *Reply) code(tb testing.TB) string {
	tb.Helper()
	var body struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
			Code    string `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil || body.Error.Message == "" || body.Error.Type == "" {
		tb.Fatalf("reply %d is no error body: %q, %v", r.Status, r.Body, err)
	}
	return body.Error.Code
}

func wantReply(tb testing.TB, o Outcome, status int, code string) {
	tb.Helper()
	if o.Reply == nil {
		tb.Fatalf("forwarded, want a reply %d %s", status, code)
	}
	if got := o.Reply.code(tb); o.Reply.Status != status || got != code {
		tb.Errorf("reply %d %s, want %d %s", o.Reply.Status, got, status, code)
	}
}

func TestRequestIsRoutedAndRedacted(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	body := chatBody("chat-latest", 100)
	o := do(t, vm, chat(body))
	if !o.Forwarded || !o.RouteCacheCleared {
		t.Fatalf("forwarded %v, route chosen again %v", o.Forwarded, o.RouteCacheCleared)
	}
	if model, _ := o.Headers.Get("x-weir-model"); model != "chat" {
		t.Errorf("x-weir-model is %q, want the canonical name", model)
	}
	if want := strings.ReplaceAll(body, "13812345678", "138****5678"); string(o.Body) != want {
		t.Errorf("the upstream got %s", o.Body)
	}
	if length, _ := o.Headers.Get("content-length"); length != fmt.Sprint(len(o.Body)) {
		t.Errorf("content-length is %s for %d bytes", length, len(o.Body))
	}
	if !json.Valid(o.FilterState["wasm.weir"]) || bytes.Contains(o.FilterState["wasm.weir"], []byte("13812345678")) {
		t.Errorf("record is %s", o.FilterState["wasm.weir"])
	}
	if n := metrics(t, vm)["weir.redactions.phone.request.mask.forwarded"]; n != 1 {
		t.Errorf("%d phone numbers counted, want 1", n)
	}
}

// metrics are the filter's numbers after a tick.
func metrics(t *testing.T, vm *VM) map[string]int64 {
	t.Helper()
	if err := vm.Tick(); err != nil {
		t.Fatal(err)
	}
	m := vm.Metrics()
	if m["weir.memory_bytes"] != int64(vm.MemorySize()) {
		t.Errorf("weir.memory_bytes is %d of %d", m["weir.memory_bytes"], vm.MemorySize())
	}
	return m
}

func TestAnyChunkingGivesTheSameOutcome(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	random := rand.New(rand.NewPCG(1, 2))
	for _, body := range []string{chatBody("chat", 400), chatBody("plain", 400), chatBody("nobody", 10), `{"model":"chat",}`} {
		whole := do(t, vm, streamed(body, len(body)))
		for range 50 {
			r := streamed(body, 1+random.IntN(len(body)))
			r.SeparateEnd = random.IntN(2) == 0
			r.Properties = map[string]string{"request.protocol": []string{"HTTP/1.1", "HTTP/2"}[random.IntN(2)]}
			if random.IntN(2) == 0 {
				r.Trailers = Headers{{"x-sum", "1"}}
				r.Properties = map[string]string{"request.protocol": "HTTP/2"}
			}
			o := do(t, vm, r)
			if !bytes.Equal(o.Body, whole.Body) || (o.Reply == nil) != (whole.Reply == nil) {
				t.Fatalf("%d chunks: body %q, reply %+v; in one: %q, %+v", len(r.Chunks), o.Body, o.Reply, whole.Body, whole.Reply)
			}
			if o.Reply != nil && !bytes.Equal(o.Reply.Body, whole.Reply.Body) {
				t.Fatalf("%d chunks: %s; in one: %s", len(r.Chunks), o.Reply.Body, whole.Reply.Body)
			}
		}
	}
}

func TestTrailersAfterABodyThatCannotBeWrittenBack(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	r := streamed(chatBody("chat", 100), 10)
	r.Properties = map[string]string{"request.protocol": "HTTP/1.1"}
	r.Trailers = Headers{{"x-sum", "1"}}
	wantReply(t, do(t, vm, r), 411, "length_required")
}

func TestBadConfigurationLeavesTheLastGoodOne(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	bad := bytes.Replace(policy(t), []byte(`"maxDepth":64`), []byte(`"maxDepth":-1`), 1)
	for _, document := range [][]byte{bad, nil, []byte("{"), make([]byte, 3<<20)} {
		if err := vm.Configure(document); err == nil {
			t.Errorf("a bad document of %d bytes was accepted", len(document))
		}
	}
	if err := vm.Configure(bad); err == nil || !strings.Contains(err.Error(), "maxDepth") {
		t.Errorf("the error does not name the field: %v", err)
	}
	if o := do(t, vm, chat(chatBody("chat", 10))); !o.Forwarded {
		t.Error("the last good configuration does not serve")
	}
}

func TestStreamsKeepTheConfigurationTheyBeganWith(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	body := chatBody("plain", 10)
	r := streamed(body, len(body))
	s, err := vm.NewStream(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RequestHeaders(r.head(), false); err != nil {
		t.Fatal(err)
	}
	renamed := bytes.Replace(policy(t), []byte(`"name":"plain"`), []byte(`"name":"other"`), 1)
	if err := vm.Configure(renamed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RequestBody([]byte(body), true); err != nil || s.Reply != nil {
		t.Errorf("the running stream lost its model: %+v, %v", s.Reply, err)
	}
	if err := s.Done(); err != nil {
		t.Fatal(err)
	}
	wantReply(t, do(t, vm, r), 404, "model_not_found")
}

func TestHostFailuresAnswer500(t *testing.T) {
	module := filterModule(t)
	for _, function := range []string{
		"proxy_get_header_map_pairs", "proxy_get_buffer_bytes", "proxy_set_buffer_bytes",
		"proxy_replace_header_map_value", "proxy_call_foreign_function",
	} {
		t.Run(function, func(t *testing.T) {
			broken := ""
			vm := newVM(t, module, Options{Fault: func(f string) Status {
				if f == broken {
					return StatusBadArgument
				}
				return StatusOK
			}})
			broken = function
			wantReply(t, do(t, vm, streamed(chatBody("chat", 100), 50)), 500, "internal_error")
			if m := metrics(t, vm); m["weir.host_errors"] == 0 || m["weir.replies.internal_error"] != 1 {
				t.Errorf("metrics are %v", m)
			}
			broken = ""
			if o := do(t, vm, chat(chatBody("chat", 100))); !o.Forwarded {
				t.Errorf("the next request did not recover: %+v", o.Reply)
			}
		})
	}
}

func TestUnusableStoreFollowsOnFailure(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{Fault: func(f string) Status {
		if f == "proxy_set_shared_data" {
			return StatusCasMismatch
		}
		return StatusOK
	}})
	wantReply(t, do(t, vm, chat(chatBody("chat", 10))), 503, "limiter_unavailable")
	if m := metrics(t, vm); m["weir.bucket_failures.contended"] == 0 || m["weir.bucket_conflicts"] < 1000 {
		t.Errorf("metrics are %v", m)
	}
}

func TestTrapHeaderIsHarmlessInTheModuleThatShips(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	r := chat(chatBody("chat", 10))
	r.Headers = append(r.Headers, Header{"x-weir-trap", "1"})
	o := do(t, vm, r)
	if _, ok := o.Headers.Get("x-weir-trap"); !o.Forwarded || ok {
		t.Errorf("forwarded %v, header went upstream %v", o.Forwarded, ok)
	}
}

// TestTrapKillsTheWorkerAndNothingElse rehearses with the drill's module what a
// trap costs: the VM; its successor finds the budgets where they were.
func TestTrapKillsTheWorkerAndNothingElse(t *testing.T) {
	module := loadModule(t, "filter-trapdrill.wasm")
	shared, at := NewSharedData(), time.Unix(1_700_000_000, 0)
	o := Options{Shared: shared, Now: func() time.Time { return at }}
	vm := newVM(t, module, o)
	r := chat(chatBody("chat", 10))
	remaining := func(vm *VM) string {
		value, _ := do(t, vm, r).Response.Headers.Get("x-ratelimit-remaining-tokens")
		return value
	}
	first := remaining(vm)
	trap := chat(chatBody("chat", 10))
	trap.Headers = append(trap.Headers, Header{"x-weir-trap", "1"})
	for _, request := range []Request{trap, r} {
		if _, err := vm.Do(request); err == nil || !strings.Contains(err.Error(), "trap") {
			t.Errorf("error %v, want one that tells of the trap", err)
		}
	}
	if next := remaining(newVM(t, module, o)); first == "" || next == first {
		t.Errorf("remaining tokens were %q before the trap and %q after the reload", first, next)
	}
}

func TestStreamThatEndsBeforeItBegins(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	s, err := vm.NewStream(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Done(); err != nil { // Envoy logs requests that it refused itself
		t.Error(err)
	}
}

func TestStreamsThatGoAwayGiveTheirMemoryBack(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	part := []byte(chatBody("plain", 900_000))[:900_000]
	for range 100 { // 90 MB through 16 MiB
		s, err := vm.NewStream(nil)
		if err != nil {
			t.Fatal(err)
		}
		r := streamed("", 1)
		if _, err := s.RequestHeaders(r.head(), false); err != nil {
			t.Fatal(err)
		}
		if action, err := s.RequestBody(part, false); err != nil || s.Reply != nil || action == Continue {
			t.Fatalf("action %d, reply %+v, error %v", action, s.Reply, err)
		}
		if vm.Metrics()["weir.held_bytes"] < 900_000 {
			t.Fatalf("held_bytes is %d", vm.Metrics()["weir.held_bytes"])
		}
		if err := s.Done(); err != nil {
			t.Fatal(err)
		}
	}
	if held := vm.Metrics()["weir.held_bytes"]; held != 0 {
		t.Errorf("held_bytes is %d in the end", held)
	}
}

// TestBudgetHoldsAcrossWorkers lets several workers spend one budget at once.
func TestBudgetHoldsAcrossWorkers(t *testing.T) {
	const workers, requests, capacity, perRequest = 4, 100, 5000, 100
	module := filterModule(t)
	shared, at := NewSharedData(), time.Unix(1_700_000_000, 0)
	document := bytes.Replace(policy(t), []byte(`"capacity":1000000000,"defaultOutput":512,"refillMilli":1000000000000000`),
		fmt.Appendf(nil, `"capacity":%d,"defaultOutput":512,"refillMilli":1`, capacity), 1)
	// max_tokens is the better part of the cost; the prompt's estimate is the rest.
	request := chat(`{"model":"plain","max_tokens":` + fmt.Sprint(perRequest) + `,"input":""}`)
	request.Response = jsonAnswer(`{"usage":{"prompt_tokens":0,"completion_tokens":` + fmt.Sprint(perRequest) + `}}`)
	var wg sync.WaitGroup
	admitted := make([]int, workers)
	for w := range workers {
		vm := newVM(t, module, Options{Shared: shared, Now: func() time.Time { return at }})
		if err := vm.Configure(document); err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range requests {
				o, err := vm.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				if o.Forwarded {
					admitted[w]++
				} else if o.Reply.Status != 429 {
					t.Errorf("reply %d %s", o.Reply.Status, o.Reply.Body)
				}
			}
		}()
	}
	wg.Wait()
	total := 0
	for _, n := range admitted {
		total += n
	}
	alone := admittedAlone(t, module, document, request, at)
	if total != alone || total > capacity/perRequest || total == 0 {
		t.Errorf("%d requests of %d tokens admitted (%v) from %d; one worker alone admits %d", total, perRequest, admitted, capacity, alone)
	}
}

func admittedAlone(t *testing.T, module *Module, document []byte, request Request, at time.Time) int {
	t.Helper()
	vm := newVM(t, module, Options{Now: func() time.Time { return at }})
	if err := vm.Configure(document); err != nil {
		t.Fatal(err)
	}
	n := 0
	for do(t, vm, request).Forwarded {
		n++
	}
	return n
}

// overflowing is testdata/policy.json with bodies above 64 KiB streamed on, and a
// budget that a long prompt exceeds.
func overflowing(tb testing.TB, capacity int) []byte {
	tb.Helper()
	document := bytes.Replace(policy(tb), []byte(`"holdLimit":1048576`), []byte(`"holdLimit":65536`), 1)
	document = bytes.Replace(document, []byte(`"overflow":"refuse"`), []byte(`"overflow":"stream"`), 1)
	return bytes.Replace(document, []byte(`"capacity":1000000000`), fmt.Appendf(nil, `"capacity":%d`, capacity), 1)
}

func TestLongBodyIsStreamedOnRedacted(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	if err := vm.Configure(overflowing(t, 1_000_000)); err != nil {
		t.Fatal(err)
	}
	body := chatBody("chat", 1_300_000) + "\n" // far above the hold limit even in one chunk
	body = strings.Replace(body, `"}]}`, ` or 13912345678"}]}`, 1)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, n := range []int{len(body), 1 << 20, 100_000, 16_384, 9_999} {
			r := streamed(body, n)
			r.Properties = map[string]string{"request.protocol": protocol}
			o := do(t, vm, r)
			want := strings.NewReplacer("13812345678", "138****5678", "13912345678", "139****5678").Replace(body)
			if !o.Forwarded || string(o.Body) != want {
				t.Fatalf("%s, chunks of %d: forwarded %v, %d of %d bytes, reply %+v", protocol, n, o.Forwarded, len(o.Body), len(want), o.Reply)
			}
			if _, ok := o.Headers.Get("content-length"); ok {
				t.Error("content-length of another body went upstream")
			}
		}
	}
}

func TestLateRefusalCutsTheUpstream(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	if err := vm.Configure(overflowing(t, 1000)); err != nil {
		t.Fatal(err)
	}
	o := do(t, vm, streamed(chatBody("chat", 300_000), 16_384))
	wantReply(t, o, 429, "rate_limit_exceeded")
	if o.Forwarded || o.Headers == nil {
		t.Errorf("forwarded %v, upstream headers %v: want a request that began and did not end", o.Forwarded, o.Headers)
	}
}
