package wasmhost

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// mix is one request of each way through the filter.
func mix(i int) Request {
	switch i % 8 {
	case 0:
		r := chat(chatBody("chat", 1000)) // redacted, written back
		r.Response = jsonAnswer(`{"choices":[{"message":{"content":"Hello"}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}`)
		return r
	case 1:
		r := chat(strings.Replace(chatBody("plain", 1000), `{`, `{"stream":true,`, 1)) // asked for its usage, which is cut out
		r.Response = eventAnswer(i % 5)
		r.ResponseChunks = pieces(r.Response.Body, 1+i*17)
		return r
	case 2:
		return streamed(chatBody("chat", 2000), 700) // held over chunks
	case 3:
		return chat(chatBody("nobody", 10)) // refused by the model
	case 4:
		return chat(`{"model":"chat","messages":[1,2,}`) // refused by the scanner
	case 5:
		r := chat(chatBody("chat", 10))
		r.Headers = append(r.Headers, Header{"x-weir-model", "forged"}, Header{"x-model", "plain"})
		r.Peer = "spiffe://weir.test/client"
		return r
	case 6:
		return Request{Method: "GET", Path: "/v1/models"}
	}
	if i%64 == 7 {
		return chat(chatBody("chat", 200_000)) // several ranges and blocks
	}
	return Request{Path: "/v2/models/plain/versions/v9/infer", Body: []byte("{}")} // refused by its path
}

// TestNothingIsAllocatedPerRequest holds the filter to the promise that its heap
// does not know how many requests passed.
func TestNothingIsAllocatedPerRequest(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	requests := make([]Request, 64)
	for i := range requests {
		requests[i] = mix(i)
	}
	overlapping(t, vm, requests)
	for i := range 1000 {
		do(t, vm, requests[i%len(requests)])
	}
	mallocs, heap, memory := counters(t, vm)
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	for i := range n {
		do(t, vm, requests[i%len(requests)])
	}
	mallocs2, heap2, memory2 := counters(t, vm)
	if mallocs2 != mallocs || heap2 != heap || memory2 != memory {
		t.Errorf("%d requests: %d allocations; heap %d to %d bytes; memory %d to %d bytes",
			n, mallocs2-mallocs, heap, heap2, memory, memory2)
	}
	t.Logf("memory %d bytes, heap %d bytes", memory2, heap2)
}

// overlapping has all requests under way at once, so that the pools are warm.
func overlapping(t *testing.T, vm *VM, requests []Request) {
	t.Helper()
	streams := make([]*Stream, len(requests))
	for i, r := range requests {
		s, err := vm.NewStream(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.RequestHeaders(r.head(), len(r.pieces()) == 0); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.pieces() {
			if _, err := s.RequestBody(p[:len(p)/2], false); err != nil {
				t.Fatal(err)
			}
		}
		streams[i] = s
	}
	for _, s := range streams {
		if err := s.Done(); err != nil {
			t.Fatal(err)
		}
	}
}

func counters(t *testing.T, vm *VM) (mallocs, heap uint64, memory uint32) {
	t.Helper()
	var err error
	if mallocs, err = vm.Call("weir_mallocs"); err != nil {
		t.Fatal(err)
	}
	if heap, err = vm.Call("weir_heap"); err != nil {
		t.Fatal(err)
	}
	return mallocs, heap, vm.MemorySize()
}

// TestConfigurationUpdatesDoNotPileUp gives the filter a large document again and
// again: the heap may reach a size, but not grow with the number of updates.
func TestConfigurationUpdatesDoNotPileUp(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	for i := range 10 {
		configureLarge(t, vm, i)
	}
	before := vm.MemorySize()
	for i := range 40 {
		configureLarge(t, vm, i)
	}
	if after := vm.MemorySize(); after != before {
		t.Errorf("memory went from %d to %d bytes over 40 updates", before, after)
	}
	if o := do(t, vm, chat(chatBody("m-0007", 10))); !o.Forwarded {
		t.Errorf("reply %+v", o.Reply)
	}
	t.Logf("memory %d bytes", before)
}

// configureLarge configures 2,000 models; round makes each update a new one.
func configureLarge(t *testing.T, vm *VM, round int) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"limits":[],"models":[`)
	for i := range 2000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"aliases":["alias-%d-of-%d"],"name":"m-%04d","salt":"s-%d","versions":["v1","v2"]}`, i, round, i, round)
	}
	b.WriteString(`],"redactions":[],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`)
	if err := vm.configure([]byte(b.String())); err != nil { // without the canary VM of Configure
		t.Fatal(err)
	}
}

// streamedAnswer is a request of 1 KB that is answered by 20 events, each a chunk.
func streamedAnswer() Request {
	r := chat(strings.Replace(chatBody("plain", 900), `{`, `{"stream":true,`, 1))
	r.Response = eventAnswer(20)
	for _, event := range strings.SplitAfter(string(r.Response.Body), "\n\n") {
		r.ResponseChunks = append(r.ResponseChunks, []byte(event))
	}
	return r
}

// The time of a 1 KB chat completion through the whole filter: callbacks, host
// calls, scanner, budget, record.
func BenchmarkChat(b *testing.B) {
	module := filterModule(b)
	for _, bench := range []struct {
		name    string
		request Request
	}{
		{"1KB", chat(chatBody("chat", 900))},
		{"1KB/plain", chat(chatBody("plain", 900))},
		{"1KB/chunked", streamed(chatBody("chat", 900), 256)},
		{"1KB/stream", streamedAnswer()},
		{"64KB", chat(chatBody("chat", 65_000))},
		{"1MB/plain", chat(chatBody("plain", 1_000_000))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			vm := newVM(b, module, Options{})
			b.SetBytes(int64(len(bench.request.Body)))
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				do(b, vm, bench.request)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
		})
	}
}
