package bucket_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

const (
	unit   = bucket.Micro
	second = int64(1e9)
	epoch  = int64(1_760_000_000) * second
)

var hundred = bucket.Params{CapacityMicro: 100 * unit, RefillMicroPerSec: 30 * unit}

func TestTake(t *testing.T) {
	type step struct {
		at, cost int64 // nanoseconds since the start, micro-units
		want     bucket.Result
	}
	reset := func(micro int64) int64 { return (micro*second + 30*unit - 1) / (30 * unit) }
	for name, steps := range map[string][]step{
		"full at first": {
			{0, 100 * unit, bucket.Result{Allowed: true, ResetNs: reset(100 * unit)}},
		},
		"refused keeps the level": {
			{0, 80 * unit, bucket.Result{Allowed: true, RemainingMicro: 20 * unit, ResetNs: reset(80 * unit)}},
			{0, 50 * unit, bucket.Result{RemainingMicro: 20 * unit, WaitNs: second, ResetNs: reset(80 * unit)}},
			{0, 20 * unit, bucket.Result{Allowed: true, ResetNs: reset(100 * unit)}},
		},
		"refill": {
			{0, 100 * unit, bucket.Result{Allowed: true, ResetNs: reset(100 * unit)}},
			{second, 31 * unit, bucket.Result{RemainingMicro: 30 * unit, WaitNs: reset(unit), ResetNs: reset(70 * unit)}},
			{second, 30 * unit, bucket.Result{Allowed: true, ResetNs: reset(100 * unit)}},
			{100 * second, 0, bucket.Result{Allowed: true, RemainingMicro: 100 * unit}},
		},
		"never": {
			{0, 100*unit + 1, bucket.Result{Never: true, RemainingMicro: 100 * unit}},
		},
		"negative cost": {
			{0, -5, bucket.Result{Allowed: true, RemainingMicro: 100 * unit}},
		},
		"time back": {
			{0, 60 * unit, bucket.Result{Allowed: true, RemainingMicro: 40 * unit, ResetNs: 2 * second}},
			{-second, 40 * unit, bucket.Result{Allowed: true, ResetNs: reset(100*unit) + second}},
			{0, unit, bucket.Result{WaitNs: reset(unit), ResetNs: reset(100 * unit)}},
		},
	} {
		state := bucket.Full(hundred, epoch)
		for i, s := range steps {
			next, got := bucket.Take(state, hundred, s.cost, epoch+s.at)
			if s.want.Allowed {
				s.want.TakenMicro = max(s.cost, 0)
			}
			if got != s.want {
				t.Errorf("%s, step %d: %+v, want %+v", name, i, got, s.want)
			}
			if !got.Allowed && next != state {
				t.Errorf("%s, step %d: a refusal changed the state", name, i)
			}
			state = next
		}
	}
}

// A clock that was set back by an hour must not leave the bucket dry for one,
// even if all that comes is refusals.
func TestClockSetBack(t *testing.T) {
	s, _ := bucket.Take(bucket.Full(hundred, epoch), hundred, 100*unit, epoch)
	back := epoch - 3600*second
	s, r := bucket.Take(s, hundred, 30*unit, back)
	if r.Allowed || r.WaitNs != second {
		t.Fatalf("at once: %+v, want a wait of a second", r)
	}
	if _, r = bucket.Take(s, hundred, 30*unit, back+second); !r.Allowed {
		t.Errorf("after a second: %+v, want allowed", r)
	}
}

func TestWaitIsEnoughAndNotTooLong(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := bucket.Params{CapacityMicro: 1 + rng.Int64N(1000*unit), RefillMicroPerSec: 1 + rng.Int64N(500*unit)}
		s, _ := bucket.Take(bucket.Full(p, epoch), p, rng.Int64N(p.CapacityMicro+1), epoch)
		now := epoch + rng.Int64N(second)
		cost := rng.Int64N(p.CapacityMicro + 1)
		_, r := bucket.Take(s, p, cost, now)
		if r.Allowed {
			continue
		}
		if _, again := bucket.Take(s, p, cost, now+r.WaitNs); !again.Allowed {
			t.Fatalf("%+v: refused after the wait: %+v", p, again)
		}
		if _, again := bucket.Take(s, p, cost, now+r.WaitNs-2); again.Allowed {
			t.Fatalf("%+v: allowed two nanoseconds before the wait of %d ends", p, r.WaitNs)
		}
	}
}

// Whatever comes: the level stays within 0 and the capacity, what was admitted
// is covered by capacity and refill, and a refund at once restores the level.
func TestProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		p := bucket.Params{CapacityMicro: rng.Int64N(200 * unit), RefillMicroPerSec: rng.Int64N(100 * unit)}
		s := bucket.Full(p, epoch)
		now, latest, admitted := epoch, epoch, int64(0)
		for range 200 {
			now += rng.Int64N(second/5) - second/20 // jitter backwards, too
			latest = max(latest, now)
			cost := rng.Int64N(p.CapacityMicro/4 + 2)
			next, r := bucket.Take(s, p, cost, now)
			checkState(t, next, p)
			if r.Allowed {
				admitted += cost
				checkRefund(t, next, p, cost, now)
			}
			s = next
		}
		most := float64(p.CapacityMicro) + float64(p.RefillMicroPerSec)*float64(latest-epoch)/1e9
		if float64(admitted) > most+1 {
			t.Fatalf("%+v: admitted %d of %f", p, admitted, most)
		}
	}
}

func checkState(t *testing.T, s bucket.State, p bucket.Params) {
	t.Helper()
	if s.LevelMicro < 0 || s.LevelMicro > p.CapacityMicro || s.FullNs < s.LastNs {
		t.Fatalf("%+v: state %+v", p, s)
	}
}

func checkRefund(t *testing.T, taken bucket.State, p bucket.Params, cost, now int64) {
	t.Helper()
	back, _ := bucket.Settle(taken, p, cost, 0, now)
	checkState(t, back, p)
	if want := min(taken.LevelMicro+cost, p.CapacityMicro); back.LevelMicro != want {
		t.Fatalf("refund of %d: level %d, want %d", cost, back.LevelMicro, want)
	}
}

// Many small steps credit as much as one large one, to a micro-unit.
func TestSmallStepsLoseNothing(t *testing.T) {
	slow := bucket.Params{CapacityMicro: 100 * unit, RefillMicroPerSec: 700} // a micro-unit in 1.43 ms
	s, _ := bucket.Take(bucket.Full(slow, epoch), slow, 100*unit, epoch)
	now := epoch
	for range 100_000 {
		now += 1_000_003
		s, _ = bucket.Take(s, slow, 0, now)
	}
	want := 700 * (now - epoch) / second
	if diff := want - s.LevelMicro; diff < 0 || diff > 1 {
		t.Errorf("level %d after %d s of small steps, want %d", s.LevelMicro, (now-epoch)/second, want)
	}
}

func TestExtremes(t *testing.T) {
	huge := bucket.Params{CapacityMicro: math.MaxInt64, RefillMicroPerSec: math.MaxInt64}
	dry := bucket.Params{CapacityMicro: 10}
	for _, p := range []bucket.Params{huge, dry, {}, {CapacityMicro: -1, RefillMicroPerSec: -1}} {
		s := bucket.Full(p, 0)
		for _, now := range []int64{0, math.MaxInt64, math.MinInt64 / 2, 1} {
			for _, cost := range []int64{0, 1, math.MaxInt64, math.MinInt64} {
				next, r := bucket.Take(s, p, cost, now)
				if next.LevelMicro < 0 || r.RemainingMicro < 0 || r.WaitNs < 0 || r.ResetNs < 0 {
					t.Errorf("%+v at %d for %d: %+v %+v", p, now, cost, next, r)
				}
				s, _ = bucket.Settle(next, p, cost, 0, now)
			}
		}
	}
	s, _ := bucket.Take(bucket.Full(dry, 0), dry, 10, 0)
	if _, r := bucket.Take(s, dry, 1, second); !r.Never || r.ResetNs != math.MaxInt64 {
		t.Errorf("without refill: %+v, want never", r)
	}
}

func TestLoweredCapacity(t *testing.T) {
	small := bucket.Params{CapacityMicro: 10 * unit, RefillMicroPerSec: unit}
	s, r := bucket.Take(bucket.Full(hundred, epoch), small, unit, epoch)
	if !r.Allowed || s.LevelMicro != 9*unit {
		t.Errorf("level %d of the smaller bucket, want 9 units", s.LevelMicro)
	}
}

func BenchmarkTake(b *testing.B) {
	s, now := bucket.Full(hundred, epoch), epoch
	for b.Loop() {
		now += 12_345_678
		s, _ = bucket.Take(s, hundred, unit/3, now)
	}
}

func TestSettle(t *testing.T) {
	taken, _ := bucket.Take(bucket.Full(hundred, epoch), hundred, 60*unit, epoch)
	for name, c := range map[string]struct{ actual, level, unpaid int64 }{
		"all of it back":            {0, 100 * unit, 0},
		"a part back":               {10 * unit, 90 * unit, 0},
		"as was taken":              {60 * unit, 40 * unit, 0},
		"more, and it is there":     {90 * unit, 10 * unit, 0},
		"more than is there":        {150 * unit, -50 * unit, 0},
		"more than may ever be due": {250 * unit, -100 * unit, 50 * unit},
		"without end":               {math.MaxInt64, -100 * unit, math.MaxInt64 - 200*unit},
		"less than nothing":         {-5, 100 * unit, 0},
	} {
		s, unpaid := bucket.Settle(taken, hundred, 60*unit, c.actual, epoch)
		if s.LevelMicro != c.level || unpaid != c.unpaid {
			t.Errorf("%s: level %d, unpaid %d; want %d, %d", name, s.LevelMicro, unpaid, c.level, c.unpaid)
		}
	}
}

// What is owed shows as an empty bucket, is paid by the refill first, and is over
// within two fill times.
func TestDebtIsPaidByTheRefill(t *testing.T) {
	s, _ := bucket.Take(bucket.Full(hundred, epoch), hundred, unit, epoch)
	s, _ = bucket.Settle(s, hundred, unit, math.MaxInt64, epoch)
	_, r := bucket.Take(s, hundred, unit, epoch)
	fill := 100 * unit * second / hundred.RefillMicroPerSec
	if r.Allowed || r.Never || r.RemainingMicro != 0 || r.WaitNs < fill || r.ResetNs < 2*fill || r.ResetNs > 2*fill+1 {
		t.Errorf("%+v with a fill time of %d", r, fill)
	}
	if _, early := bucket.Take(s, hundred, unit, epoch+r.WaitNs-second/10); early.Allowed {
		t.Error("admitted before the debt was paid")
	}
	if _, then := bucket.Take(s, hundred, unit, epoch+r.WaitNs); !then.Allowed {
		t.Errorf("not admitted after the wait: %+v", then)
	}
	if _, full := bucket.Take(s, hundred, 100*unit, epoch+r.ResetNs); !full.Allowed {
		t.Errorf("not full after the reset: %+v", full)
	}
}

// A stream that began with a smaller bucket does not cut one that has grown since.
func TestSettleDoesNotCutAGrownBucket(t *testing.T) {
	large := bucket.Params{CapacityMicro: 1000 * unit, RefillMicroPerSec: unit}
	s, _ := bucket.Take(bucket.Full(large, epoch), large, 100*unit, epoch)
	full := s.FullNs
	if s, _ = bucket.Settle(s, hundred, 10*unit, 4*unit, epoch); s.LevelMicro != 900*unit || s.FullNs != full {
		t.Errorf("level %d, full at %d; want %d, %d", s.LevelMicro, s.FullNs, 900*unit, full)
	}
}

// What is there is taken where not all is, but nothing below the least.
func TestTakeSome(t *testing.T) {
	for _, c := range []struct{ level, cost, least, taken, wait int64 }{
		{100, 60, 20, 60, 0},
		{50, 60, 20, 50, 0},
		{20, 60, 20, 20, 0},
		{19, 60, 20, -1, 1},
		{50, 300, 20, 50, 0},
		{50, 60, 0, -1, 10},
		{5, 10, 20, -1, 5},
		{0, 10, 10, -1, 10},
		{-40, 10, 1, -1, 41},
	} {
		state := bucket.State{LevelMicro: c.level * unit, LastNs: epoch, FullNs: epoch + second}
		p := bucket.Params{CapacityMicro: 100 * unit, RefillMicroPerSec: unit}
		next, got := bucket.TakeSome(state, p, c.cost*unit, c.least*unit, epoch)
		if got.Allowed != (c.taken >= 0) || got.Allowed && (got.TakenMicro != c.taken*unit || next.LevelMicro != (c.level-c.taken)*unit) {
			t.Errorf("%+v: %+v, then %+v", c, got, next)
		}
		if !got.Allowed && got.WaitNs != c.wait*second {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// A share of a budget lends what a request costs beyond the share, if the budget
// allows it: only when full, so that the next one waits until all is paid.
func TestShareLendsToDearRequests(t *testing.T) {
	share := bucket.Params{CapacityMicro: 10 * unit, RefillMicroPerSec: 3 * unit, WholeMicro: 100 * unit}
	s, r := bucket.Take(bucket.Full(share, epoch), share, 70*unit, epoch)
	if !r.Allowed || r.RemainingMicro != 0 || s.LevelMicro != -60*unit {
		t.Fatalf("%+v, level %d", r, s.LevelMicro)
	}
	if _, r = bucket.Take(s, share, 70*unit, epoch+20*second); r.Allowed || r.Never || r.WaitNs > 4*second || r.WaitNs < 3*second {
		t.Errorf("when the debt is paid, but the share is not full: %+v", r)
	}
	if _, r = bucket.Take(s, share, 70*unit, epoch+24*second); !r.Allowed {
		t.Errorf("when it is full again: %+v", r)
	}
	if _, r = bucket.Take(bucket.Full(share, epoch), share, 101*unit, epoch); !r.Never {
		t.Errorf("more than the whole: %+v", r)
	}
	if next, unpaid := bucket.Settle(s, share, 70*unit, 5*unit, epoch); next.LevelMicro != 5*unit || unpaid != 0 {
		t.Errorf("settled at level %d, %d unpaid", next.LevelMicro, unpaid)
	}
	if next, unpaid := bucket.Settle(s, share, 70*unit, 120*unit, epoch); next.LevelMicro != -100*unit || unpaid != 10*unit {
		t.Errorf("an overrun is settled at level %d, %d unpaid: no more than the whole is owed", next.LevelMicro, unpaid)
	}
	none := bucket.Params{WholeMicro: 100 * unit}
	if _, r = bucket.Take(bucket.Full(none, epoch), none, 70*unit, epoch); !r.Allowed {
		t.Errorf("without any share: %+v", r)
	}
}
