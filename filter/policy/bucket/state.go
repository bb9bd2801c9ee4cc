// Package bucket is a token bucket as a pure step on a small value.
//
// A bucket is a State of three 64-bit words. Take and Settle compute its next
// state from its Params, a cost and the time; they keep no clock and no lock,
// so that a shell can load a bucket from anywhere, step it and store it back
// with compare-and-swap. Table lays many buckets out in fixed pages of bytes
// for a store, such as Envoy's shared data, that never evicts anything.
//
// Amounts are int64 counts of micro-units (a millionth of a token or of a
// weight unit), times are Unix nanoseconds. All arithmetic saturates.
package bucket

import "math/bits"

// Micro is the number of micro-units in one unit.
const Micro = 1_000_000

// maxInt64 is where amounts and times saturate.
const maxInt64 = 1<<63 - 1

// second is one second in nanoseconds.
const second = 1_000_000_000

// clockStep is the largest step back of the clock, in nanoseconds, that is
// taken for the spread between the clocks of several workers. Below it, time
// stands still for the bucket and no interval is credited twice. Above it the
// clock was set back, and the bucket follows without credit, because otherwise
// it would stay dry until the clock has caught up.
const clockStep = 10 * second

// Params are the size and the speed of a bucket. At most one of the three last is
// set; see windows.go and flights.go for the two others.
type Params struct {
	CapacityMicro     int64 // what a full bucket holds, micro-units
	RefillMicroPerSec int64 // what flows in, micro-units per second
	WindowNs          int64 // above 0: a quota, whole again at each full multiple of this time
	LeaseNs           int64 // above 0: a number of things that are going on, each for this long at most

	// WholeMicro is the capacity of the budget that the bucket is a share of; 0, or
	// anything below CapacityMicro: it is the whole. A cost between the two passes
	// when the bucket is full, and is owed: a share must not refuse for good what
	// the budget allows.
	WholeMicro int64
}

// Whole is the capacity of the budget that the bucket is all or a share of.
func (p Params) Whole() int64 { return max(p.CapacityMicro, p.WholeMicro) }

// State is one bucket. The zero value is not a bucket: a bucket that nobody
// has used is full, see Full.
type State struct {
	LevelMicro int64 // what is left, micro-units; below 0 is what is owed, see Settle
	LastNs     int64 // time up to which LevelMicro is counted
	FullNs     int64 // time from which on the bucket is full if left alone
}

// Result says how a Take went.
type Result struct {
	Allowed        bool
	Never          bool  // the cost exceeds what the bucket can ever hold or get
	TakenMicro     int64 // allowed: what was taken
	RemainingMicro int64 // what is left now, micro-units; 0 while something is owed
	WaitNs         int64 // refused: time until the same cost would pass; 0 when Never
	ResetNs        int64 // time until the bucket is full
}

// Full is the state of a bucket that nobody has used: idle and full are the
// same, which is what allows a full bucket to be forgotten.
func Full(p Params, nowNs int64) State {
	if p.LeaseNs > 0 {
		return flights{began: nowNs - nowNs%p.LeaseNs}.store(p)
	}
	return State{LevelMicro: p.normal().CapacityMicro, LastNs: nowNs, FullNs: nowNs}
}

// Take takes costMicro from the bucket at nowNs, all of it or nothing.
// A refusal leaves the state as it was given, so there is nothing to store,
// except where the clock was set back far and the bucket has to follow it. A
// negative cost counts as none. Capacity and refill may differ from those of
// the last step; a level above a lowered capacity is cut.
func Take(s State, p Params, costMicro, nowNs int64) (State, Result) {
	p = p.normal()
	if p.LeaseNs > 0 {
		return begin(s, p, nowNs)
	}
	next := refill(s, p, nowNs)
	cost := max(costMicro, 0)
	if cost > next.LevelMicro && !p.lends(next, cost) {
		if setBack(s, nowNs) {
			next.FullNs = fullAt(next, p)
			s = next
		}
		return s, refusal(next, p, cost, nowNs)
	}
	next.LevelMicro -= cost
	next.FullNs = fullAt(next, p)
	return next, Result{Allowed: true, TakenMicro: cost, RemainingMicro: max(next.LevelMicro, 0), ResetNs: until(next.FullNs, nowNs)}
}

// TakeSome takes costMicro, or what there is if that is less, but no less than
// leastMicro: a refusal tells of that. Where leastMicro is not above 0 it is Take.
func TakeSome(s State, p Params, costMicro, leastMicro, nowNs int64) (State, Result) {
	if leastMicro > 0 && leastMicro < costMicro {
		level := refill(s, p.normal(), nowNs).LevelMicro
		costMicro = max(min(costMicro, level), leastMicro)
	}
	return Take(s, p, costMicro, nowNs)
}

// lends says whether a full bucket that is a share advances the rest of cost.
func (p Params) lends(s State, cost int64) bool {
	return s.LevelMicro >= p.CapacityMicro && cost <= p.WholeMicro
}

// Settle makes a Take of takenMicro one of actualMicro at nowNs. What was taken
// too much flows back, up to the capacity. What was taken too little is taken
// now; what is not there is owed, and the refill pays it before anything else.
// No more than a capacity (of the whole, for a share) is ever owed, so that a bucket
// with a refill is never further than two fill times from full; unpaid is what is
// beyond that.
//
// Settling 0 undoes the Take. A bucket that has become larger than p since then
// is not cut.
func Settle(s State, p Params, takenMicro, actualMicro, nowNs int64) (next State, unpaid int64) {
	p = p.normal()
	grown := s.LevelMicro > p.CapacityMicro
	p.CapacityMicro = max(p.CapacityMicro, s.LevelMicro)
	next = refill(s, p, nowNs)
	taken, actual := max(takenMicro, 0), max(actualMicro, 0)
	if actual <= taken {
		next.LevelMicro = min(addSat(next.LevelMicro, taken-actual), p.CapacityMicro)
	} else {
		room := next.LevelMicro + p.debt()
		owed := min(actual-taken, room)
		next.LevelMicro -= owed
		unpaid = actual - taken - owed
	}
	next.FullNs = fullAt(next, p)
	if grown { // only its own Params know when it is full
		next.FullNs = max(next.FullNs, s.FullNs)
	}
	return next, unpaid
}

// debt is the most that a bucket may owe. With it, every sum of a capacity and a
// debt fits into an int64.
func (p Params) debt() int64 { return min(p.Whole(), maxInt64-p.CapacityMicro) }

// normal replaces negative numbers, which mean nothing, by zero.
func (p Params) normal() Params {
	return Params{max(p.CapacityMicro, 0), max(p.RefillMicroPerSec, 0), max(p.WindowNs, 0), max(p.LeaseNs, 0), max(p.WholeMicro, 0)}
}

func refusal(s State, p Params, cost, nowNs int64) Result {
	r := Result{RemainingMicro: max(s.LevelMicro, 0), ResetNs: until(fullAt(s, p), nowNs)}
	if cost > p.Whole() || p.RefillMicroPerSec == 0 && p.WindowNs == 0 {
		r.Never = true
		return r
	}
	if p.WindowNs > 0 {
		r.WaitNs = max(until(renewedAt(s, p, cost), nowNs), 1)
		return r
	}
	ready := addSat(s.LastNs, fillTime(min(cost, p.CapacityMicro)-s.LevelMicro, p.RefillMicroPerSec))
	r.WaitNs = max(until(ready, nowNs), 1)
	return r
}

// refill counts the level up to nowNs. LastNs moves only by the time that the
// whole micro-units credited are worth, so that many small steps lose nothing
// and none is credited before it has flowed in.
func refill(s State, p Params, nowNs int64) State {
	if p.WindowNs > 0 {
		return renew(s, p, nowNs)
	}
	s.LevelMicro = min(max(s.LevelMicro, -p.debt()), p.CapacityMicro)
	elapsed := nowNs - s.LastNs
	if elapsed <= 0 {
		if setBack(s, nowNs) {
			s.LastNs = nowNs
		}
		return s
	}
	room := p.CapacityMicro - s.LevelMicro
	credit := mulDiv(p.RefillMicroPerSec, elapsed, second)
	if credit >= room {
		return State{LevelMicro: p.CapacityMicro, LastNs: nowNs, FullNs: nowNs}
	}
	s.LevelMicro += credit
	if credit > 0 {
		s.LastNs += fillTime(credit, p.RefillMicroPerSec)
	}
	return s
}

// setBack says whether the clock was set back since the bucket's last step.
func setBack(s State, nowNs int64) bool { return nowNs < s.LastNs-clockStep }

// fullAt is the time at which the bucket will have filled up.
func fullAt(s State, p Params) int64 {
	if s.LevelMicro >= p.CapacityMicro {
		return s.LastNs
	}
	if p.WindowNs > 0 {
		return renewedAt(s, p, p.CapacityMicro)
	}
	if p.RefillMicroPerSec == 0 {
		return maxInt64
	}
	return addSat(s.LastNs, fillTime(p.CapacityMicro-s.LevelMicro, p.RefillMicroPerSec))
}

// fillTime is the time, in nanoseconds rounded up, in which amount flows in.
func fillTime(amountMicro, refillMicroPerSec int64) int64 {
	return mulDivUp(amountMicro, second, refillMicroPerSec)
}

func until(t, nowNs int64) int64 {
	if t == maxInt64 {
		return maxInt64
	}
	return max(t-nowNs, 0)
}

func addSat(a, b int64) int64 {
	if a > maxInt64-b {
		return maxInt64
	}
	return a + b
}

// mulDiv is floor(a*b/c) for a, b >= 0 and c > 0, saturating.
func mulDiv(a, b, c int64) int64 {
	q, _ := div(a, b, c)
	return q
}

// mulDivUp is ceil(a*b/c) for a, b >= 0 and c > 0, saturating.
func mulDivUp(a, b, c int64) int64 {
	q, rest := div(a, b, c)
	if rest != 0 && q < maxInt64 {
		q++
	}
	return q
}

func div(a, b, c int64) (q int64, rest uint64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return maxInt64, 0
	}
	uq, rest := bits.Div64(hi, lo, uint64(c))
	if uq > maxInt64 {
		return maxInt64, 0
	}
	return int64(uq), rest
}
