package wasmhost

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// scarce is a document with one budget of 1,000 tokens that ends streams.
const scarce = `{"limits":[{"graceMs":2500,"leastOutput":16,"mode":"tokens","name":"all","onFailure":"closed","stop":true,"tokens":{"capacity":1000,"defaultOutput":100,"refillMilli":0}}],` +
	`"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// stoppedStream is a stream of which the filter has written the end: an upstream that
// knows no end has sent more than the budget of scarce covers.
func stoppedStream(t *testing.T, vm *VM) *Stream {
	t.Helper()
	s, err := vm.NewStream(nil)
	if err != nil {
		t.Fatal(err)
	}
	play(t, s, `{"model":"m","stream":true}`, "200", nil, "")
	for range 10 {
		receive(t, s, wordEvents(150))
	}
	got := string(s.Downstream.Body)
	if n := strings.Count(got, "word"); n != 1001 || !strings.HasSuffix(got, `"finish_reason":"length"}]}`+"\n\ndata: [DONE]\n\n") {
		t.Fatalf("%d words have passed, in the end: %s", n, got[max(0, len(got)-300):])
	}
	return s
}

func wordEvents(n int) string {
	return strings.Repeat(`data: {"id":"c","choices":[{"index":0,"delta":{"content":"word"}}]}`+"\n\n", n)
}

func receive(t *testing.T, s *Stream, p string) {
	t.Helper()
	if _, err := s.ResponseBody([]byte(p), false); err != nil {
		t.Fatal(err)
	}
}

// An upstream that goes on after its stream was stopped is unheard, and is cut off when
// its time is over: by its next chunk, or by the tick if it is silent.
func TestStoppedStreamIsCutOff(t *testing.T) {
	for _, by := range []string{"chunk", "tick"} {
		t.Run(by, func(t *testing.T) {
			at := time.Unix(1_700_000_000, 0)
			vm := newVM(t, filterModule(t), Options{Now: func() time.Time { return at }})
			if err := vm.Configure([]byte(scarce)); err != nil {
				t.Fatal(err)
			}
			s := stoppedStream(t, vm)
			next := func() {
				if by == "chunk" {
					receive(t, s, wordEvents(1))
				} else if err := vm.Tick(); err != nil {
					t.Fatal(err)
				}
			}
			passed := len(s.Downstream.Body)
			at = at.Add(2 * time.Second)
			if next(); s.Closed {
				t.Error("it was cut off before its time")
			}
			at = at.Add(time.Second)
			if next(); !s.Closed || len(s.Downstream.Body) != passed {
				t.Errorf("closed: %v, and %d bytes more", s.Closed, len(s.Downstream.Body)-passed)
			}
			next()
			if err := s.Done(); err != nil {
				t.Fatal(err)
			}
			words := int64(1500)
			if by == "chunk" {
				words += 3
			}
			record := string(s.FilterState()["wasm.weir"])
			if want := fmt.Sprintf(`"settled":{"by":"counted","inputTokens":0,"cachedTokens":0,"outputTokens":%d,"stopped":true}`, words); !strings.Contains(record, want) {
				t.Errorf("the record %s has no %s", record, want)
			}
			m := metrics(t, vm)
			if m["weir.streams_stopped"] != 1 || m["weir.streams_cut_off"] != 1 || m["weir.tokens_reserved"] != 1000 || m["weir.tokens_overrun"] != words-1000 {
				t.Errorf("metrics %v", m)
			}
		})
	}
}

// An upstream that ends within the grace, or whose client goes away, is left alone.
func TestStoppedStreamEnds(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	vm := newVM(t, filterModule(t), Options{Now: func() time.Time { return at }})
	if err := vm.Configure([]byte(scarce)); err != nil {
		t.Fatal(err)
	}
	s := stoppedStream(t, vm)
	passed := len(s.Downstream.Body)
	if _, err := s.ResponseBody([]byte(`data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1600}}`+"\n\ndata: [DONE]\n\n"), true); err != nil {
		t.Fatal(err)
	}
	if err := s.Done(); err != nil {
		t.Fatal(err)
	}
	at = at.Add(time.Hour)
	if m := metrics(t, vm); len(s.Downstream.Body) != passed || s.Closed || m["weir.streams_cut_off"] != 0 || m["weir.tokens_settled"] != 1603 {
		t.Errorf("closed: %v, %d bytes more, metrics %v", s.Closed, len(s.Downstream.Body)-passed, m)
	}
}
