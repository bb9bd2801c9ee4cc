package lease

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	buckets "github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/lease"
)

var (
	epoch   = time.Unix(1_760_000_000, 0)
	envoyID = spiffeid.RequireFromString("spiffe://weir.test/envoy")
)

const hot = uint64(42)

// envoy is an Envoy as the filter makes it: its leases, and what is wanted of it.
type envoy struct {
	instance uint64
	table    lease.Table
	demand   map[uint64]int64 // per second
	lost     int              // renewals in a row
}

func newEnvoy(instance uint64, now time.Time) *envoy {
	e := &envoy{instance: instance, table: make(lease.Table, lease.TableSize), demand: map[uint64]int64{}}
	e.table.Init(instance, now.UnixNano())
	return e
}

// ask is the request of an Envoy; it is counted once.
func (e *envoy) ask() []byte {
	d := make(lease.Demand, lease.DemandSize)
	for key, n := range e.demand {
		d.Add(key, n, 1000)
	}
	return lease.AppendRequest(nil, e.table, d)
}

func (e *envoy) take(t *testing.T, answer []byte, now time.Time) {
	t.Helper()
	next := make(lease.Table, lease.TableSize)
	if err := next.Renew(e.table, answer, now.UnixNano()); err != nil {
		t.Fatal(err)
	}
	e.table = next
}

// share is what of a bucket the Envoy uses, of lease.Whole.
func (e *envoy) share(key uint64) int64 {
	p := buckets.Params{CapacityMicro: lease.Whole, RefillMicroPerSec: lease.Whole}
	return e.table.Scale(key, p, epoch.UnixNano()).RefillMicroPerSec
}

func answer(t *testing.T, l *Ledger, request []byte, now time.Time) []byte {
	t.Helper()
	r, err := ParseRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	granted, err := l.Renew(Holder{envoyID, r.Instance}, r, now)
	if err != nil {
		t.Fatal(err)
	}
	return AppendAnswer(nil, granted)
}

// seconds lets Envoys renew once a second, after another, and returns the time then.
func seconds(t *testing.T, l *Ledger, n int, now time.Time, envoys ...*envoy) time.Time {
	t.Helper()
	for range n {
		for i, e := range envoys {
			at := now.Add(time.Duration(i) * 100 * time.Millisecond)
			e.take(t, answer(t, l, e.ask(), at), at)
		}
		now = now.Add(time.Second)
	}
	return now
}

// near says whether percents are those that are wanted, give or take what an Envoy may
// keep beyond its due.
func near(got, want string) bool {
	g, w := strings.Fields(got), strings.Fields(want)
	for i := range g {
		a, _ := strconv.Atoi(g[i])
		b, _ := strconv.Atoi(w[i])
		if a < b-4 || a > b+4 {
			return false
		}
	}
	return len(g) == len(w)
}

// percent are the shares of a bucket.
func percent(key uint64, envoys ...*envoy) string {
	text := ""
	for _, e := range envoys {
		text += fmt.Sprintf("%.0f ", 100*float64(e.share(key))/lease.Whole)
	}
	return text
}

func TestShares(t *testing.T) {
	const cold = hot + 1
	now := epoch
	l := New(now)
	a, b, c := newEnvoy(1, now), newEnvoy(2, now), newEnvoy(3, now)
	all := []*envoy{a, b, c}
	steps := []struct {
		what    string
		seconds int
		change  func()
		want    string
		wantOf  string // of a bucket that nobody told of
	}{
		{"they start", 0, func() {}, "5 5 5 ", "5 5 5 "},
		{"nobody grows before all had time to say what they have", 4, func() {}, "5 5 5 ", "5 5 5 "},
		{"they share evenly", 4, func() {}, "33 33 33 ", "33 33 33 "},
		{"in proportion to the demand", 4, func() { a.demand[hot], b.demand[hot] = 3e6, 1e6 }, "74 25 1 ", "33 33 33 "},
		{"as it moves", 14, func() { a.demand[hot], b.demand[hot], c.demand[hot] = 0, 1e6, 1e6 }, "1 50 50 ", "33 33 33 "},
		{"evenly when it ends", 25, func() { b.demand[hot], c.demand[hot] = 0, 0 }, "33 33 33 ", "33 33 33 "},
	}
	for _, s := range steps {
		s.change()
		now = seconds(t, l, s.seconds, now, all...)
		if got := percent(hot, all...); !near(got, s.want) {
			t.Errorf("%s: shares %s, want %s", s.what, got, s.want)
		}
		if got := percent(cold, all...); !near(got, s.wantOf) {
			t.Errorf("%s: shares of another bucket %s, want %s", s.what, got, s.wantOf)
		}
	}
	if l.Keys() != 0 {
		t.Errorf("%d buckets have shares of their own in the end", l.Keys())
	}

	// One vanishes: its share is kept for a term, then the others get it.
	a.demand[hot] = 1e6
	now = seconds(t, l, 6, now, all...)
	before := percent(hot, a, b, c)
	now = seconds(t, l, 4, now, b, c)
	b.demand[hot] = 1e6
	if now = seconds(t, l, 1, now, b, c); b.share(hot) > lease.Whole/5 {
		t.Errorf("shares were %s; a vanished Envoy's was given away before the end of its lease: %s", before, percent(hot, a, b, c))
	}
	now = seconds(t, l, 4, now, b, c)
	if got := percent(hot, b, c); !near(got, "99 1 ") {
		t.Errorf("after the end of the lease: %s", got)
	}
	// It comes back, cut off for so long with the share that it had: all have too much for one round.
	now = seconds(t, l, 5, now, all...)
	if sum := a.share(hot) + b.share(hot) + c.share(hot); sum > lease.Whole {
		t.Errorf("after a return: %s", percent(hot, a, b, c))
	}
	// A new xds-server knows nothing: nobody's share grows for a term.
	l = New(now)
	b.demand[hot], c.demand[hot] = 0, 9e6
	kept := c.share(hot)
	now = seconds(t, l, 4, now, c, a, b)
	if c.share(hot) > kept {
		t.Errorf("a new server let a share grow from %d to %d before it could know of all", kept, c.share(hot))
	}
	seconds(t, l, 6, now, c, a, b)
	if got := percent(hot, a, b, c); !near(got, "10 1 89 ") {
		t.Errorf("with a new server: %s", got)
	}
}

// TestNeverMoreThanTheWhole drives Envoys over a network that loses requests and
// answers, and lets Envoys vanish for good and servers start anew: the shares that
// are in use never add up to more than the whole.
func TestNeverMoreThanTheWhole(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := epoch
		l := New(now)
		var all []*envoy
		for i := range 2 + r.IntN(5) {
			all = append(all, newEnvoy(uint64(i), now))
		}
		keys := []uint64{lease.Default, hot, hot + 1, hot + 2}
		for round := range 300 {
			e := all[round%len(all)]
			if r.IntN(10) == 0 {
				e.demand[keys[1+r.IntN(3)]] = r.Int64N(2) * r.Int64N(1e9)
			}
			if len(all) > 1 && r.IntN(100) == 0 {
				all = all[:len(all)-1] // it vanished
			}
			if r.IntN(80) == 0 {
				l = New(now)
			}
			now = now.Add(time.Duration(r.Int64N(int64(time.Second) / int64(len(all)))))
			e.lost++
			if lost := r.IntN(10); lost > 1 || e.lost > 3 {
				e.take(t, answer(t, l, e.ask(), now), now)
				e.lost = 0
			} else if lost == 1 {
				answer(t, l, e.ask(), now)
			}
			for _, key := range keys {
				sum := int64(0)
				for _, e := range all {
					sum += e.share(key)
				}
				if sum > lease.Whole {
					t.Fatalf("seed %d, round %d: the shares of %d are %d of %d", seed, round, key, sum, lease.Whole)
				}
			}
		}
	}
}

// Those who are to say that they use less, and those who wait for it, are asked to come
// back soon; nobody is where nothing moves, or nobody is there to make room.
func TestWhoAsksAgainSoon(t *testing.T) {
	now := epoch
	l := New(now)
	a, b := newEnvoy(1, now), newEnvoy(2, now)
	again := func(e *envoy) uint32 {
		now = now.Add(300 * time.Millisecond)
		got := answer(t, l, e.ask(), now)
		e.take(t, got, now)
		return lease.Again(got)
	}
	want := func(what string, e *envoy, want uint32) {
		t.Helper()
		if got := again(e); got != want {
			t.Errorf("%s: again in %d ms, want %d", what, got, want)
		}
	}
	for range 4 {
		want("with a new server nobody's share grows", a, 0)
		want("with a new server nobody's share grows", b, 0)
	}
	now = now.Add(3 * time.Second)
	for range 2 {
		want("the rest is there at once", a, 0)
		want("the rest is there at once", b, 0)
	}
	a.demand[hot] = 1e6
	want("it is wanted more than another", a, 102)
	a.demand[hot], b.demand[hot] = 0, 0
	want("it has to make room", b, 102)
	want("it has said that it uses less", b, 0)
	want("nobody has more room to make", a, 0)
	a.demand[hot], b.demand[hot] = 1e6, 1e6
	for range 30 {
		again(a)
		again(b)
	}
	want("nothing moves", a, 0)
	want("nothing moves", b, 0)
	b.demand[hot] = 9e6
	want("it is wanted more", b, 102)
	now = now.Add(silence)
	want("the other one is gone", b, 0)
}

// An Envoy that starts has its part on top of the others', until those have asked.
func TestStart(t *testing.T) {
	now := epoch
	l := New(now)
	a, b := newEnvoy(1, now), newEnvoy(2, now)
	now = seconds(t, l, 10, now, a, b)
	if a.share(hot)+b.share(hot) < lease.Whole-2 {
		t.Fatalf("shares %s", percent(hot, a, b))
	}
	c := newEnvoy(3, now)
	if c.share(hot) != lease.Start {
		t.Fatalf("starts with %d", c.share(hot))
	}
	now = seconds(t, l, 1, now, c, a, b)
	if sum := a.share(hot) + b.share(hot) + c.share(hot); sum > lease.Whole {
		t.Errorf("after one round: %s", percent(hot, a, b, c))
	}
	seconds(t, l, 2, now, c, a, b)
	if got := percent(hot, a, b, c); !near(got, "33 33 33 ") {
		t.Errorf("after three rounds: %s", got)
	}
}

func TestBounds(t *testing.T) {
	now := epoch
	l := New(now)
	e := newEnvoy(1, now)
	for key := range uint64(lease.Keys) {
		e.demand[100+key] = int64(1000 + key)
	}
	now = seconds(t, l, 2, now, e)
	e.demand = map[uint64]int64{7: 1e9}
	if now = seconds(t, l, 1, now, e); l.Keys() != lease.Keys {
		t.Errorf("%d buckets, the bound is %d", l.Keys(), lease.Keys)
	}
	// Those that nobody wants any more make room.
	seconds(t, l, 15, now, e)
	if got := percent(7, e); l.Keys() != 1 || got != "100 " {
		t.Errorf("%d buckets, share %s", l.Keys(), got)
	}
	for i := range uint64(MaxHolders) {
		r := Request{Instance: 100 + i, Wants: []Want{{Share: lease.Start}}}
		if _, err := l.Renew(Holder{envoyID, r.Instance}, r, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Renew(Holder{envoyID, 1 << 40}, Request{Wants: []Want{{Share: 1}}}, now.Add(time.Minute)); err == nil {
		t.Error("more holders than the bound")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	good := newEnvoy(1, epoch).ask()
	two := &envoy{table: make(lease.Table, lease.TableSize), demand: map[uint64]int64{5: 1, 6: 1}}
	two.table.Init(1, 0)
	twice := two.ask()
	copy(twice[requestHeader+2*requestEntry:], twice[requestHeader+requestEntry:][:8])
	big := append([]byte(nil), good...)
	big[requestHeader+16+3] = 0xFF
	for name, b := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)-1], "another version": append([]byte{9}, good[1:]...),
		"another count": append([]byte{1, 0, 0, 0, 9}, good[5:]...), "a bucket twice": twice, "above the whole": big,
		"no default": append(append([]byte{}, good[:requestHeader]...), twice[requestHeader+requestEntry:][:requestEntry]...),
	} {
		if r, err := ParseRequest(b); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add(newEnvoy(1, epoch).ask())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		granted, err := New(epoch.Add(-time.Minute)).Renew(Holder{envoyID, r.Instance}, r, epoch)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range granted.Grants {
			if g.Share > lease.Whole {
				t.Errorf("%+v", g)
			}
		}
		if err := make(lease.Table, lease.TableSize).Renew(newEnvoy(1, epoch).table, AppendAnswer(nil, granted), 0); err != nil {
			t.Error(err)
		}
	})
}
