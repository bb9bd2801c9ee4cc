package bucket_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

const hour = 3600 * second

var hourly = bucket.Params{CapacityMicro: 100 * unit, WindowNs: hour}

// onTheHour is a full hour of the clock.
const onTheHour = epoch - epoch%hour

func TestQuota(t *testing.T) {
	type step struct {
		at, cost int64
		want     bucket.Result
	}
	took := func(cost, left, reset int64) bucket.Result {
		return bucket.Result{Allowed: true, TakenMicro: cost * unit, RemainingMicro: left * unit, ResetNs: reset}
	}
	state := bucket.Full(hourly, onTheHour)
	for i, s := range []step{
		{0, 60, took(60, 40, hour)},
		{hour / 2, 60, bucket.Result{RemainingMicro: 40 * unit, WaitNs: hour / 2, ResetNs: hour / 2}},
		{hour - 1, 40, took(40, 0, 1)},
		{hour, 100, took(100, 0, hour)}, // renewed to the nanosecond
		{hour - second, 1, bucket.Result{WaitNs: hour + second, ResetNs: hour + second}}, // another worker's clock
		{5*hour + 1, 101, bucket.Result{Never: true, RemainingMicro: 100 * unit, ResetNs: 0}},
		{5*hour + 1, 1, took(1, 99, hour-1)},
	} {
		next, got := bucket.Take(state, hourly, s.cost*unit, onTheHour+s.at)
		if got != s.want {
			t.Errorf("step %d: %+v, want %+v", i, got, s.want)
		}
		state = next
	}
}

// What is owed at the end of a window is taken from the next.
func TestQuotaOwes(t *testing.T) {
	s, _ := bucket.Take(bucket.Full(hourly, onTheHour), hourly, 10*unit, onTheHour)
	s, unpaid := bucket.Settle(s, hourly, 10*unit, 150*unit, onTheHour+second)
	if unpaid != 0 || s.LevelMicro != -50*unit || s.FullNs != onTheHour+2*hour {
		t.Fatalf("%+v, unpaid %d", s, unpaid)
	}
	if _, r := bucket.Take(s, hourly, 51*unit, onTheHour+hour); r.Allowed || r.RemainingMicro != 50*unit || r.WaitNs != hour {
		t.Errorf("in the next window %+v", r)
	}
}

// A reservation of a window that is over does not flow back into the next one, and
// what it cost more is taken there.
func TestQuotaSettledLater(t *testing.T) {
	m := bucket.NewMemory(1)
	old := &bucket.Charge{Key: 7, Params: hourly, CostMicro: 50 * unit, AtNs: onTheHour}
	mustTake(t, m, old, onTheHour, true)
	next := &bucket.Charge{Key: 7, Params: hourly, CostMicro: 60 * unit, AtNs: onTheHour + hour}
	mustTake(t, m, next, onTheHour+hour, true)
	for _, actual := range []int64{0, 10, 50} {
		if _, err := m.Settle(old, actual*unit, onTheHour+hour+1); err != nil {
			t.Fatal(err)
		}
	}
	next.CostMicro = 41 * unit
	mustTake(t, m, next, onTheHour+hour+2, false)
	if _, err := m.Settle(old, 70*unit, onTheHour+hour+3); err != nil {
		t.Fatal(err)
	}
	next.CostMicro = 21 * unit
	mustTake(t, m, next, onTheHour+hour+4, false)
	next.CostMicro = 20 * unit
	mustTake(t, m, next, onTheHour+hour+5, true)
}

func mustTake(t *testing.T, m *bucket.Memory, c *bucket.Charge, now int64, want bool) {
	t.Helper()
	if r, err := m.Take(c, now); err != nil || r.Allowed != want {
		t.Fatalf("%+v, %v, want allowed: %v", r, err, want)
	}
}

var four = bucket.Params{CapacityMicro: 4 * unit, LeaseNs: 60 * second}

// Requests that end within the lease are counted exactly, whatever their order.
func TestFlightsAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 9))
	m := bucket.NewMemory(1)
	now := epoch
	var running []*bucket.Charge
	refused := 0
	for range 100_000 {
		now += random.Int64N(8 * second)
		for len(running) > 0 && (random.IntN(3) == 0 || running[0].AtNs < now-four.LeaseNs+10*second) {
			i := 0
			if running[0].AtNs >= now-four.LeaseNs+10*second {
				i = random.IntN(len(running))
			}
			if _, err := m.Settle(running[i], 0, now); err != nil {
				t.Fatal(err)
			}
			running = append(running[:i], running[i+1:]...)
		}
		c := &bucket.Charge{Key: 5, Params: four, CostMicro: unit, AtNs: now}
		mustTake(t, m, c, now, len(running) < 4)
		if len(running) == 4 {
			refused++
			continue
		}
		running = append(running, c)
	}
	if refused < 1000 {
		t.Errorf("only %d were refused", refused)
	}
}

// What nobody ends is forgotten after one lease at least and two at most, and ending
// it then takes nothing from others.
func TestFlightsHeal(t *testing.T) {
	for offset := int64(0); offset < four.LeaseNs; offset += 7 * second {
		m := bucket.NewMemory(1)
		start := epoch - epoch%four.LeaseNs + offset
		lost := &bucket.Charge{Key: 5, Params: four, CostMicro: unit, AtNs: start}
		for range 4 {
			mustTake(t, m, lost, start, true)
		}
		mustTake(t, m, lost, start+four.LeaseNs-1, false)
		later := &bucket.Charge{Key: 5, Params: four, CostMicro: unit, AtNs: start + 2*four.LeaseNs}
		for range 4 {
			mustTake(t, m, later, later.AtNs, true)
		}
		if _, err := m.Settle(lost, 0, later.AtNs+1); err != nil {
			t.Fatal(err)
		}
		mustTake(t, m, later, later.AtNs+2, false)
	}
}

// Clocks of workers that differ a little neither lose nor invent a request; one that
// was set back far keeps the count.
func TestFlightsAndClocks(t *testing.T) {
	m := bucket.NewMemory(1)
	border := epoch - epoch%four.LeaseNs
	ahead := &bucket.Charge{Key: 5, Params: four, CostMicro: unit, AtNs: border + 1}
	behind := &bucket.Charge{Key: 5, Params: four, CostMicro: unit, AtNs: border - second}
	mustTake(t, m, ahead, ahead.AtNs, true)
	for range 3 {
		mustTake(t, m, behind, behind.AtNs, true)
	}
	mustTake(t, m, ahead, ahead.AtNs+1, false)
	for range 3 {
		if _, err := m.Settle(behind, 0, border+second); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		mustTake(t, m, ahead, border+2*second, true)
	}
	mustTake(t, m, ahead, border+3*second, false)
	back := &bucket.Charge{Key: 5, Params: four, CostMicro: unit, AtNs: border - 1000*second}
	mustTake(t, m, back, back.AtNs, false)
}
