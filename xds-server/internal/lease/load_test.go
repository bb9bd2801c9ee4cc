package lease

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	buckets "github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/lease"
)

// The budget of the fleets below, and what one request costs, in micro-units.
var (
	budget   = buckets.Params{CapacityMicro: 3_000 * buckets.Micro, RefillMicroPerSec: 5_000 * buckets.Micro}
	oneCosts = int64(100 * buckets.Micro)
)

// network is how quick a machine and its network are.
type network struct {
	late time.Duration // that a tick, and each way of a call, may come late
	loss float64       // how many calls of all get no answer, half of them after they arrived
}

// load is Envoys that share one bucket, with clients and renewals as the filter makes
// them: it ticks every 100 ms, and renews once a second, or when it is to ask again.
type load struct {
	*testing.T
	network
	random *rand.Rand
	now    time.Time
	ledger *Ledger
	envoys []*loaded
	due    []event // in no order: they are few
	spent  int64
	calls  int
}

type event struct {
	at time.Time
	do func()
}

// loaded is one of them. It has one worker.
type loaded struct {
	envoy
	state   buckets.State
	wanted  lease.Demand
	rate    float64 // requests a second
	next    float64 // nanoseconds until one comes
	tick    time.Time
	turn    time.Time // last call
	soon    time.Time // zero, or when the next one is wanted
	calling bool
}

func newLoad(t *testing.T, seed uint64, n int, net network) *load {
	l := &load{T: t, network: net, random: rand.New(rand.NewPCG(seed, 1)), now: epoch, ledger: New(epoch)}
	for i := range n {
		e := &loaded{envoy: *newEnvoy(uint64(i+1), l.now), wanted: make(lease.Demand, lease.DemandSize), next: math.Inf(1)}
		e.state = buckets.Full(e.table.Scale(hot, budget, l.now.UnixNano()), l.now.UnixNano())
		e.tick = l.now.Add(l.upTo(100 * time.Millisecond))
		l.envoys = append(l.envoys, e)
	}
	return l
}

// upTo is any time from 1 ms to one above d.
func (l *load) upTo(d time.Duration) time.Duration {
	return time.Millisecond + time.Duration(l.random.Int64N(int64(d)+1)).Truncate(time.Millisecond)
}

func (l *load) later(d time.Duration, do func()) { l.due = append(l.due, event{l.now.Add(d), do}) }

// set changes how many requests a second each Envoy gets.
func (l *load) set(rates ...float64) {
	for i, e := range l.envoys {
		e.rate, e.next = rates[i], l.random.ExpFloat64()*1e9/rates[i]
	}
}

// run lets time pass, a millisecond at a time.
func (l *load) run(d time.Duration, each func()) {
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(time.Millisecond) {
		var rest, now []event
		for _, e := range l.due {
			if e.at.After(l.now) {
				rest = append(rest, e)
			} else {
				now = append(now, e)
			}
		}
		l.due = rest
		for _, e := range now {
			e.do()
		}
		for _, e := range l.envoys {
			for e.next -= 1e6; e.next < 0; e.next += l.random.ExpFloat64() * 1e9 / e.rate {
				l.ask(e)
			}
			l.turn(e)
		}
		each()
	}
}

// ask is one client's request.
func (l *load) ask(e *loaded) {
	now := l.now.UnixNano()
	local := e.table.Scale(hot, budget, now)
	next, r := buckets.Take(e.state, local, oneCosts, now)
	if e.state = next; r.Allowed {
		l.spent += oneCosts
	}
	if !r.Allowed || r.RemainingMicro <= local.CapacityMicro/2 || e.table.Has(hot) {
		e.wanted.Add(hot, oneCosts, lease.FillMs(budget))
	}
}

// turn renews when it is time.
func (l *load) turn(e *loaded) {
	if l.now.Before(e.tick) {
		return
	}
	e.tick = l.now.Add(99*time.Millisecond + l.upTo(l.late))
	if e.calling || l.now.Sub(e.turn) < 950*time.Millisecond && (e.soon.IsZero() || l.now.Before(e.soon)) {
		return
	}
	l.calls++
	e.turn, e.soon, e.calling = l.now, time.Time{}, true
	request := lease.AppendRequest(nil, e.table, e.wanted)
	clear(e.wanted)
	lost := l.random.Float64() < l.loss
	l.later(800*time.Millisecond, func() { e.calling = e.calling && !lost })
	if lost && l.random.IntN(2) == 0 {
		return
	}
	l.later(l.upTo(l.late), func() {
		got := answer(l.T, l.ledger, request, l.now)
		if lost {
			return
		}
		l.later(l.upTo(l.late), func() {
			e.take(l.T, got, l.now)
			if e.calling = false; lease.Again(got) != 0 {
				e.soon = l.now.Add(time.Duration(lease.Again(got)) * time.Millisecond)
			}
		})
	})
}

// TestLoadThatMoves moves load to and fro between three Envoys that all want the whole
// of a budget, or most of it. At no time has more been spent than one bucket would have
// given. Nor much less: what is lost is what is in nobody's hands while shares move, and
// what a bucket held beyond its smaller share.
func TestLoadThatMoves(t *testing.T) {
	for name, test := range map[string]struct {
		network
		lost  float64 // of what is due, percent, at most, in the mean
		calls float64 // a second and Envoy, at most
	}{
		"quick":  {network{late: time.Millisecond}, 4.5, 1.5},
		"slow":   {network{late: 100 * time.Millisecond}, 5, 1.5},
		"lossy":  {network{late: 20 * time.Millisecond, loss: 0.1}, 7, 1.5},
		"crawls": {network{late: 350 * time.Millisecond}, 8, 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			const seeds = 6
			due, spent, calls, took := 0.0, 0.0, 0.0, 0.0
			for seed := range uint64(seeds) {
				l := newLoad(t, seed, 3, test.network)
				l.set(0, 0, 0)
				l.run(10*time.Second, func() {})
				began, limit := l.now, float64(0)
				l.calls = 0
				for _, rates := range [][]float64{{120, 60, 20}, {20, 40, 140}, {0, 100, 100}, {200, 0, 0}, {70, 70, 60}} {
					l.set(rates...)
					l.run(15*time.Second, func() {
						limit = float64(budget.CapacityMicro) + float64(budget.RefillMicroPerSec)*(l.now.Sub(began).Seconds()+0.001)
						if float64(l.spent) > limit {
							t.Fatalf("seed %d: after %v %d were spent of %.0f", seed, l.now.Sub(began), l.spent, limit)
						}
					})
				}
				due, spent, calls, took = due+limit, spent+float64(l.spent), calls+float64(l.calls), took+3*l.now.Sub(began).Seconds()
			}
			t.Logf("%.2f %% were lost, with %.2f calls a second and Envoy", 100*(1-spent/due), calls/took)
			if spent < due*(1-test.lost/100) {
				t.Errorf("%.2f %% were lost, %.1f may be", 100*(1-spent/due), test.lost)
			}
			if calls > test.calls*took {
				t.Errorf("%.2f calls a second and Envoy, %.1f may be", calls/took, test.calls)
			}
		})
	}
}
