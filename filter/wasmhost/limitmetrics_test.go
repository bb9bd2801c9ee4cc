package wasmhost

import (
	"fmt"
	"strings"
	"testing"
)

// limited is a document with these limits.
func limited(limits ...string) []byte {
	return []byte(`{"limits":[` + strings.Join(limits, ",") + `],"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,` +
		`"overflow":"refuse","workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`)
}

func tokenLimit(name string, capacity int64, onFailure string) string {
	return fmt.Sprintf(`{"mode":"tokens","name":%q,"onFailure":%q,"tokens":{"capacity":%d,"defaultOutput":512,"refillMilli":0}}`, name, onFailure, capacity)
}

func requestLimit(name string, capacity int64) string {
	return fmt.Sprintf(`{"mode":"requests","name":%q,"onFailure":"closed","requests":{"capacity":%d,"refillMilli":0}}`, name, capacity)
}

// wantLimit compares the counters of a limit; those that are not named are 0.
func wantLimit(t *testing.T, m map[string]int64, name string, want map[string]int64) {
	t.Helper()
	for _, count := range []string{"allowed", "limited", "failed", "reserved", "settled", "refunded", "overrun"} {
		got, defined := m["weir.limit."+name+"."+count]
		if !defined || got != want[count] {
			t.Errorf("weir.limit.%s.%s is %d (defined: %t), want %d", name, count, got, defined, want[count])
		}
	}
}

// saying is a request for at most 1000 tokens, of which the answer says it cost so many.
func saying(tokens int) Request {
	r := chat(`{"model":"m","max_tokens":1000}`)
	r.Response = jsonAnswer(fmt.Sprintf(`{"usage":{"prompt_tokens":0,"completion_tokens":%d}}`, tokens))
	return r
}

// TestLimitsAreCounted has two limits say all that they can say.
func TestLimitsAreCounted(t *testing.T) {
	fails := false
	vm := newVM(t, filterModule(t), Options{Fault: func(f string) Status {
		if fails && strings.HasSuffix(f, "_shared_data") {
			return StatusBadArgument
		}
		return StatusOK
	}})
	if err := vm.Configure(limited(requestLimit("team.a/requests", 4), tokenLimit("team", 3000, "open"))); err != nil {
		t.Fatal(err)
	}
	do(t, vm, saying(300))
	do(t, vm, saying(1500))
	do(t, vm, saying(200)) // 1000 are left,
	do(t, vm, saying(0))   // which it takes, and gives back
	wantReply(t, do(t, vm, chat(`{"model":"m","max_tokens":5}`)), 429, "rate_limit_exceeded")
	m := metrics(t, vm)
	wantLimit(t, m, "team_a_requests", map[string]int64{"allowed": 4, "limited": 1, "reserved": 4, "settled": 4})
	wantLimit(t, m, "team", map[string]int64{"allowed": 4, "reserved": 4000, "settled": 2000, "refunded": 2500, "overrun": 500})

	// An update finds the counters of the names again, and has others for others.
	if err := vm.Configure(limited(tokenLimit("team", 3000, "open"), requestLimit("new", 1))); err != nil {
		t.Fatal(err)
	}
	wantReply(t, do(t, vm, chat(`{"model":"m","max_tokens":2000}`)), 429, "rate_limit_exceeded")
	do(t, vm, saying(1000))
	do(t, vm, chat(`{"model":"m","max_tokens":0,"input":""}`)) // the second limit refuses, and the first gets its own back
	fails = true
	wantReply(t, do(t, vm, saying(1)), 503, "limiter_unavailable") // the first is open, the second is closed
	m = metrics(t, vm)
	wantLimit(t, m, "team_a_requests", map[string]int64{"allowed": 4, "limited": 1, "reserved": 4, "settled": 4})
	wantLimit(t, m, "team", map[string]int64{"allowed": 5, "limited": 1, "failed": 1, "reserved": 5000, "settled": 3000, "refunded": 2500, "overrun": 500})
	wantLimit(t, m, "new", map[string]int64{"allowed": 1, "limited": 1, "failed": 1, "reserved": 1, "settled": 1})
}

// TestLimitMetricsAreBounded changes the names of the limits with every update: the
// first 256, of which one is that of the VM's first policy, keep counters of their own,
// the others share.
func TestLimitMetricsAreBounded(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	for update := range 70 {
		var limits []string
		for i := range 4 {
			limits = append(limits, tokenLimit(fmt.Sprintf("limit-%d-%d", update, i), 1_000_000, "closed"))
		}
		if err := vm.Configure(limited(limits...)); err != nil {
			t.Fatal(err)
		}
		do(t, vm, saying(10))
	}
	m, names := metrics(t, vm), 0
	for _, name := range vm.MetricNames() {
		if strings.HasPrefix(name, "weir.limit.") {
			names++
		}
	}
	if want := 257 * 7; names != want {
		t.Errorf("%d counters of limits, want %d", names, want)
	}
	cost := map[string]int64{"allowed": 1, "reserved": 1000, "settled": 10, "refunded": 990}
	wantLimit(t, m, "limit-0-0", cost)
	wantLimit(t, m, "limit-63-2", cost)
	if _, defined := m["weir.limit.limit-63-3.allowed"]; defined {
		t.Error("limit-63-3 has counters of its own")
	}
	const shared = 70*4 - 255
	wantLimit(t, m, "_other", map[string]int64{"allowed": shared, "reserved": shared * 1000, "settled": shared * 10, "refunded": shared * 990})
}
