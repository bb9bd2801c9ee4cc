package wasmhost

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// jsonAnswer is an upstream's answer in one piece.
func jsonAnswer(body string) *Message {
	return &Message{Headers: Headers{{":status", "200"}, {"content-type", "application/json"}}, Body: []byte(body)}
}

// eventAnswer is an answer of n events and one with the usage.
func eventAnswer(n int) *Message {
	var b strings.Builder
	for range n {
		b.WriteString(`data: {"id":"c","choices":[{"index":0,"delta":{"content":"word"}}],"usage":null}` + "\n\n")
	}
	fmt.Fprintf(&b, `data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":%d}}`+"\n\ndata: [DONE]\n\n", n)
	return &Message{Headers: Headers{{":status", "200"}, {"content-type", "text/event-stream"}}, Body: []byte(b.String())}
}

// metered is a document with one budget of 100,000 tokens that does not refill.
const metered = `{"limits":[{"mode":"tokens","name":"all","onFailure":"closed","tokens":{"capacity":100000,"defaultOutput":512,"refillMilli":0}}],` +
	`"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

func meteredVM(tb testing.TB) *VM {
	tb.Helper()
	at := time.Unix(1_700_000_000, 0)
	vm := newVM(tb, filterModule(tb), Options{Now: func() time.Time { return at }})
	if err := vm.Configure([]byte(metered)); err != nil {
		tb.Fatal(err)
	}
	return vm
}

const streamRequest = `{"model":"m","max_tokens":1000,"stream":true}`

// spent is how much of the budget of metered is gone.
func spent(t *testing.T, vm *VM) int64 {
	t.Helper()
	r := chat(`{"model":"m","max_tokens":0,"input":""}`)
	r.Response = jsonAnswer(`{"usage":{"prompt_tokens":0,"completion_tokens":0}}`)
	value, _ := do(t, vm, r).Response.Headers.Get("x-ratelimit-remaining-tokens")
	var left int64
	if _, err := fmt.Sscan(value, &left); err != nil {
		t.Fatal(err)
	}
	return 100_000 - left
}

// TestEveryEndSettles ends streams in every way that there is.
func TestEveryEndSettles(t *testing.T) {
	whole := `data: {"choices":[{"delta":{"content":"four words are here"}}]}` + "\n\n"
	for _, c := range []struct {
		name    string
		request string
		status  string
		body    []string
		end     string // "", body, trailers
		details string
		want    int64
		by      string
	}{
		{"the end", streamRequest, "200", []string{string(eventAnswer(5).Body)}, "body", "via_upstream", 12, "usage"},
		{"trailers", streamRequest, "200", []string{string(eventAnswer(5).Body)}, "trailers", "via_upstream", 12, "usage"},
		{"the client goes", streamRequest, "200", []string{whole, whole}, "", "downstream_remote_disconnect", 8, "counted"},
		{"the client goes before a byte", streamRequest, "200", nil, "", "downstream_remote_disconnect", 0, "counted"},
		{"the client goes before the headers", streamRequest, "", nil, "", "downstream_remote_disconnect", 0, "counted"},
		{"the client does not wait for all", `{"model":"m","max_tokens":1000}`, "200", []string{`{"choices":`}, "", "downstream_remote_disconnect", 1000, "none"},
		{"the client does not wait at all", `{"model":"m","max_tokens":1000}`, "", nil, "", "downstream_remote_disconnect", 1000, "none"},
		{"the upstream breaks off", streamRequest, "200", []string{whole}, "", "upstream_reset_after_response_started{connection_termination}", 4, "counted"},
		{"the upstream breaks off early", `{"model":"m","max_tokens":1000}`, "200", []string{`{"choices":[{"message":{"content":"Hi"`}, "", "upstream_reset_after_response_started{x}", 1, "counted"},
		{"time is out", streamRequest, "504", []string{"upstream request timeout"}, "body", "response_timeout", 0, "none"},
		{"time is out within", streamRequest, "200", []string{whole}, "", "stream_idle_timeout", 4, "counted"},
		{"no upstream", streamRequest, "503", []string{"no healthy upstream"}, "body", "no_healthy_upstream", 0, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			vm := meteredVM(t)
			s, err := vm.NewStream(map[string]string{"response.code_details": c.details})
			if err != nil {
				t.Fatal(err)
			}
			play(t, s, c.request, c.status, c.body, c.end)
			if err := s.Done(); err != nil {
				t.Fatal(err)
			}
			var record struct {
				Settled struct{ By string }
				Limits  []struct{ SettledMicro int64 }
			}
			if err := json.Unmarshal(s.FilterState()["wasm.weir"], &record); err != nil || record.Settled.By != c.by || record.Limits[0].SettledMicro != c.want*1_000_000 {
				t.Errorf("record %s: %v; want %d by %s", s.FilterState()["wasm.weir"], err, c.want, c.by)
			}
			m := metrics(t, vm)
			if m["weir.tokens_reserved"] != 1000 || m["weir.tokens_settled"] != c.want || m["weir.tokens_refunded"] != 1000-c.want || m["weir.settlements."+c.by] != 1 {
				t.Errorf("metrics %v", m)
			}
			if got := spent(t, vm); got != c.want {
				t.Errorf("%d tokens are gone, want %d", got, c.want)
			}
		})
	}
}

// play sends a request and answers it up to an end.
func play(t *testing.T, s *Stream, request, status string, body []string, end string) {
	t.Helper()
	r := chat(request)
	if _, err := s.RequestHeaders(r.head(), false); err != nil {
		t.Fatal(err)
	}
	if action, err := s.RequestBody(r.Body, true); err != nil || action != Continue {
		t.Fatalf("action %d, reply %+v: %v", action, s.Reply, err)
	}
	if status == "" {
		return
	}
	kind := "application/json"
	if strings.Contains(request, "stream") {
		kind = "text/event-stream"
	}
	if _, err := s.ResponseHeaders(Headers{{":status", status}, {"content-type", kind}}, false); err != nil {
		t.Fatal(err)
	}
	for i, p := range body {
		if _, err := s.ResponseBody([]byte(p), end == "body" && i == len(body)-1); err != nil {
			t.Fatal(err)
		}
	}
	if end == "trailers" {
		if _, err := s.ResponseTrailers(Headers{{"x-sum", "1"}}); err != nil {
			t.Fatal(err)
		}
	}
}

// A request that fails in the filter after it was charged costs nothing.
func TestOwnFailureGivesBack(t *testing.T) {
	at, broken := time.Unix(1_700_000_000, 0), ""
	vm := newVM(t, filterModule(t), Options{Now: func() time.Time { return at }, Fault: func(f string) Status {
		if f == broken {
			return StatusBadArgument
		}
		return StatusOK
	}})
	if err := vm.Configure([]byte(metered)); err != nil {
		t.Fatal(err)
	}
	broken = "proxy_call_foreign_function"
	wantReply(t, do(t, vm, chat(streamRequest)), 500, "internal_error")
	broken = ""
	if got := spent(t, vm); got != 0 {
		t.Errorf("%d tokens are gone", got)
	}
}

// What the client did not ask for is cut out of any chunking, also of chunks of a
// megabyte, and nothing else.
func TestUsageEventIsCutOut(t *testing.T) {
	vm := meteredVM(t)
	random := rand.New(rand.NewPCG(3, 4))
	for _, events := range []int{0, 3, 900, 9000} {
		answer := eventAnswer(events)
		at := strings.Index(string(answer.Body), `data: {"id":"c","choices":[],`)
		after := strings.Index(string(answer.Body), "data: [DONE]")
		want := string(answer.Body[:at]) + string(answer.Body[after:])
		for range 20 {
			r := chat(`{"model":"m","max_tokens":10000,"stream":true}`)
			r.Response = answer
			for rest := answer.Body; len(rest) > 0; {
				n := min(1+random.IntN(1+random.IntN(len(answer.Body))), len(rest))
				r.ResponseChunks, rest = append(r.ResponseChunks, rest[:n]), rest[n:]
			}
			if events == 9000 {
				r.ResponseChunks = nil
			}
			o := do(t, vm, r)
			if string(o.Response.Body) != want {
				t.Fatalf("%d events in %d chunks: the client got %d bytes, want %d", events, len(r.ResponseChunks), len(o.Response.Body), len(want))
			}
			if events == 9000 {
				break
			}
		}
	}
}

// A store that fails in the end keeps the reservation and says so.
func TestStoreFailsInTheEnd(t *testing.T) {
	fails := false
	vm := newVM(t, filterModule(t), Options{Fault: func(f string) Status {
		if fails && strings.HasSuffix(f, "_shared_data") {
			return StatusBadArgument
		}
		return StatusOK
	}})
	if err := vm.Configure([]byte(metered)); err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewStream(nil)
	if err != nil {
		t.Fatal(err)
	}
	play(t, s, streamRequest, "200", nil, "")
	fails = true
	if err := s.Done(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(s.FilterState()["wasm.weir"]), `"state":"kept"`) || metrics(t, vm)["weir.bucket_failures.unusable"] != 1 {
		t.Errorf("record %s, metrics %v", s.FilterState()["wasm.weir"], metrics(t, vm))
	}
}
