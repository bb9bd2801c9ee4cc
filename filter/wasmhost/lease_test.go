package wasmhost

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/lease"
)

// shared is a document with one budget of 10,000 tokens, filled in a thousand
// seconds, that is one over all Envoys.
const shared = `{"limits":[{"mode":"tokens","name":"all","onFailure":"closed","scope":"shared","tokens":{"capacity":10000,"defaultOutput":512,"refillMilli":10000}}],` +
	`"models":[{"name":"m"}],"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// workers are VMs of one Envoy.
type workers struct {
	t   *testing.T
	at  time.Time
	vms []*VM
}

func newWorkers(t *testing.T, n int) *workers {
	t.Helper()
	w := &workers{t: t, at: time.Unix(1_700_000_000, 0)}
	module, data := filterModule(t), NewSharedData()
	for range n {
		vm, err := module.NewVM(t.Context(), Options{Shared: data, Now: func() time.Time { return w.at }})
		if err != nil {
			t.Fatal(err)
		}
		if err := vm.Configure([]byte(shared)); err != nil {
			t.Fatal(err)
		}
		w.vms = append(w.vms, vm)
	}
	return w
}

// tick lets a second pass for some workers, and returns who called, and what.
func (w *workers) tick(vms ...*VM) (caller *VM, call HTTPCall) {
	w.t.Helper()
	w.at = w.at.Add(time.Second)
	for _, vm := range vms {
		if err := vm.Tick(); err != nil {
			w.t.Fatal(err)
		}
		for _, c := range vm.TakeCalls() {
			if caller != nil {
				w.t.Fatal("two calls in one second")
			}
			caller, call = vm, c
		}
	}
	return caller, call
}

// spend takes tokens and says whether they were there, and how many the client is
// told are left.
func (w *workers) spend(vm *VM, tokens int) (status int, remaining string) {
	w.t.Helper()
	r := chat(fmt.Sprintf(`{"model":"m","max_tokens":%d,"input":""}`, tokens))
	r.Response = jsonAnswer(fmt.Sprintf(`{"usage":{"prompt_tokens":0,"completion_tokens":%d}}`, tokens))
	o := do(w.t, vm, r)
	if o.Reply != nil {
		remaining, _ = o.Reply.Headers.Get("x-ratelimit-remaining-tokens")
		return o.Reply.Status, remaining
	}
	remaining, _ = o.Response.Headers.Get("x-ratelimit-remaining-tokens")
	return 200, remaining
}

// wanted reads a call's demand, of its only bucket, and its share.
func wanted(t *testing.T, c HTTPCall) (key uint64, tokens int64, share uint32) {
	t.Helper()
	const header, entry = 8 + 16, 24
	path, _ := c.Headers.Get(":path")
	kind, _ := c.Headers.Get("content-type")
	if c.Cluster != "xds" || path != "/weir.lease.v1.Leases/Renew" || kind != "application/grpc" {
		t.Fatalf("a call to %s of %v", c.Cluster, c.Headers)
	}
	if n := len(c.Body); c.Body[0] != 0 || int(binary.BigEndian.Uint32(c.Body[1:])) != n-5 || c.Body[5] != 10 {
		t.Fatalf("a call with the frame % x", c.Body[:8])
	}
	if n := binary.LittleEndian.Uint32(c.Body[12:]); n != 2 {
		t.Fatalf("%d entries, want the default's and one more", n)
	}
	e := c.Body[header+entry:]
	return binary.LittleEndian.Uint64(e), int64(binary.LittleEndian.Uint64(e[8:])) / 1_000_000, binary.LittleEndian.Uint32(e[16:])
}

// granted is an answer with the default's share and that of a bucket.
func granted(otherwise uint32, key uint64, share, fillMs uint32) []byte {
	return grantedFor(0, otherwise, key, share, fillMs)
}

// grantedFor is an answer that wants the next renewal in some milliseconds.
func grantedFor(againMs, otherwise uint32, key uint64, share, fillMs uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = binary.LittleEndian.AppendUint32(b, 2)
	for _, g := range [][3]uint64{{0, uint64(otherwise), uint64(againMs)}, {key, uint64(share), uint64(fillMs)}} {
		b = binary.LittleEndian.AppendUint64(b, g[0])
		b = binary.LittleEndian.AppendUint32(b, uint32(g[1]))
		b = binary.LittleEndian.AppendUint32(b, uint32(g[2]))
	}
	message := append([]byte{10, byte(len(b))}, b...)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// metrics are those of a VM after the next second.
func (w *workers) metrics(vm *VM) map[string]int64 {
	w.t.Helper()
	w.at = w.at.Add(time.Second)
	return metrics(w.t, vm)
}

// TestLeases has two workers of an Envoy spend what their Envoy may have of a budget:
// one tells the xds-server of the demand of both, and what it is granted holds for
// both at once, and after the VM is lost.
func TestLeases(t *testing.T) {
	w := newWorkers(t, 2)
	a, b := w.vms[0], w.vms[1]
	if caller, _ := w.tick(a, b); caller != a {
		t.Fatal("the first one that ticks does not call")
	}
	if err := a.Answer(HTTPCall{token: 1, root: a.root}, nil); err != nil { // nobody is there
		t.Fatal(err)
	}
	// An Envoy that starts has 5 %: 500 tokens. Shares are rounded down.
	if status, remaining := w.spend(a, 300); status != 200 || remaining != "199" {
		t.Errorf("the first request: %d, %s left", status, remaining)
	}
	if status, _ := w.spend(b, 300); status != 429 {
		t.Errorf("more than a start's share was admitted: %d", status)
	}
	caller, call := w.tick(b, a) // b's demand must be there before a calls
	if caller != a {
		t.Fatal("another one calls")
	}
	key, tokens, share := wanted(t, call)
	if tokens != 600 || share != lease.Unleased {
		t.Errorf("told of %d tokens, share %d", tokens, share)
	}
	if err := a.Answer(call, granted(lease.Whole/2, key, lease.Whole, 1_000_000)); err != nil {
		t.Fatal(err)
	}
	// All refill is this Envoy's now, 10 a second, and the capacity grows with it.
	w.at = w.at.Add(40 * time.Second)
	if status, remaining := w.spend(b, 600); status != 200 || remaining != "9" {
		t.Errorf("under the lease: %d, %s left", status, remaining)
	}
	if _, call = w.tick(b, a); true {
		if _, tokens, share := wanted(t, call); tokens != 600 || share != lease.Whole {
			t.Errorf("told of %d tokens, share %d", tokens, share)
		}
	}
	if m := w.metrics(a); m["weir.lease_renewals"] != 1 || m["weir.lease_failures"] != 1 {
		t.Errorf("metrics %v", m)
	}
}

// TestLeasesOutliveTheirCaller has the caller end, with a call under way: another
// worker takes its place within three seconds, and the leases are the same.
func TestLeasesOutliveTheirCaller(t *testing.T) {
	w := newWorkers(t, 2)
	a, b := w.vms[0], w.vms[1]
	w.spend(a, 400)
	_, call := w.tick(a, b)
	key, _, _ := wanted(t, call)
	if err := a.Answer(call, granted(0, key, lease.Whole/4, 1_000_000)); err != nil {
		t.Fatal(err)
	}
	_, late := w.tick(a)
	var caller *VM
	for range 3 {
		if c, again := w.tick(b); c != nil {
			caller, call = c, again
		}
	}
	if caller != b {
		t.Fatal("nobody has taken the caller's place")
	}
	if _, _, share := wanted(t, call); share != lease.Whole/4 {
		t.Errorf("told of the share %d", share)
	}
	// An answer to the one that was replaced may be older than what is in force.
	if err := a.Answer(late, granted(0, key, lease.Whole, 1_000_000)); err != nil {
		t.Fatal(err)
	}
	if err := b.Answer(call, granted(0, key, lease.Whole/8, 1_000_000)); err != nil {
		t.Fatal(err)
	}
	if _, call = w.tick(b); true {
		if _, _, share := wanted(t, call); share != lease.Whole/8 {
			t.Errorf("the share is %d", share)
		}
	}
	// An answer that never comes does not end the renewals.
	for range 6 {
		if _, c := w.tick(b); c.Body != nil {
			return
		}
	}
	t.Error("no call after a lost one")
}

// TestLeasesAreRenewedSooner has an answer ask for the next renewal soon. It comes when
// that time is over, but never while another worker may still go by an older copy of the
// leases: what it says is in use must be what all workers use.
func TestLeasesAreRenewedSooner(t *testing.T) {
	for _, test := range []struct {
		againMs uint32
		call    time.Duration // after the answer
	}{{0, time.Second}, {100, 100 * time.Millisecond}, {1, 50 * time.Millisecond}} {
		w := newWorkers(t, 2)
		a, b := w.vms[0], w.vms[1]
		w.spend(a, 400)
		_, call := w.tick(a, b)
		key, _, _ := wanted(t, call)
		if err := a.Answer(call, granted(0, key, lease.Whole/2, 1_000_000)); err != nil {
			t.Fatal(err)
		}
		if _, call = w.tick(a, b); call.Body == nil {
			t.Fatal("no call after a second")
		}
		w.spend(b, 100) // so b has a copy of the leases
		if err := a.Answer(call, grantedFor(test.againMs, 0, key, lease.Whole/4, 1_000_000)); err != nil {
			t.Fatal(err)
		}
		after, called := time.Duration(0), false
		for ; !called && after < 2*time.Second; after += 10 * time.Millisecond {
			w.at = w.at.Add(10 * time.Millisecond)
			for _, vm := range w.vms {
				if err := vm.Tick(); err != nil {
					t.Fatal(err)
				}
				for _, call = range vm.TakeCalls() {
					called = true
				}
			}
		}
		if after < max(test.call-50*time.Millisecond, 50*time.Millisecond) || after > test.call+50*time.Millisecond {
			t.Errorf("again in %d ms: called after %v", test.againMs, after)
		}
		if _, _, share := wanted(t, call); share != lease.Whole/4 {
			t.Errorf("told of the share %d", share)
		}
	}
}

// TestBadAnswersAreCounted keeps the last share through answers that are none.
func TestBadAnswersAreCounted(t *testing.T) {
	w := newWorkers(t, 1)
	a := w.vms[0]
	w.spend(a, 400)
	good := granted(0, 1, lease.Whole, 1)
	for _, bad := range [][]byte{nil, {}, good[:5], good[:len(good)-1], append([]byte{1}, good[1:]...), append(good[:7:7], 9)} {
		_, call := w.tick(a)
		if err := a.Answer(call, bad); err != nil {
			t.Fatal(err)
		}
	}
	if m := w.metrics(a); m["weir.lease_failures"] != 6 || m["weir.lease_renewals"] != 0 {
		t.Errorf("metrics %v", m)
	}
	if status, _ := w.spend(a, 400); status != 429 {
		t.Errorf("more than a start's share was admitted: %d", status)
	}
}

// TestRenewalsDoNotPileUp renews leases and charges them for long: the heap must
// not grow, and what a request allocates is nothing.
func TestRenewalsDoNotPileUp(t *testing.T) {
	w := newWorkers(t, 1)
	a := w.vms[0]
	round := func() {
		w.spend(a, 10)
		_, call := w.tick(a)
		if err := a.Answer(call, granted(lease.Whole/3, 77, lease.Whole/2, 1_000_000)); err != nil {
			t.Fatal(err)
		}
	}
	rounds := func(n int) (heap uint64, size uint32) {
		for range n { // each leaves the SDK's note of a call to the collector
			round()
		}
		if err := a.Configure([]byte(shared)); err != nil { // collects what is left
			t.Fatal(err)
		}
		_, heap, size = counters(t, a)
		return heap, size
	}
	heap, size := rounds(1000)
	if after, grown := rounds(5000); after > heap+8<<10 || grown != size {
		t.Errorf("the heap grew from %d to %d, the memory from %d to %d", heap, after, size, grown)
	}
	before, _, _ := counters(t, a)
	for range 100 {
		w.spend(a, 1)
	}
	if after, _, _ := counters(t, a); after-before > 10 {
		t.Errorf("%d allocations in 100 requests", after-before)
	}
}
