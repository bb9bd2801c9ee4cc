package bucket

// What is in flight is counted in two numbers: what began in the current lease time,
// and what began in the one before; lease times begin at full multiples of
// Params.LeaseNs. When a new one begins, the older number is forgotten. So everything
// is counted for a whole lease time at least, and what nobody ever ends, because its
// worker trapped, is forgotten after two at most: the count heals by itself.
//
// In a State, LevelMicro holds the two numbers, LastNs when the current lease time
// began, and FullNs when nothing will be counted any more.

// flights is such a count.
type flights struct {
	began   int64 // the current lease time
	current int64
	before  int64
}

const flightBits = 32

// loadFlights reads a State and brings it up to nowNs.
func loadFlights(s State, p Params, nowNs int64) flights {
	f := flights{
		began:   s.LastNs - s.LastNs%p.LeaseNs,
		current: s.LevelMicro & (1<<flightBits - 1),
		before:  s.LevelMicro >> flightBits & (1<<(flightBits-1) - 1),
	}
	began := nowNs - nowNs%p.LeaseNs
	switch passed := began - f.began; {
	case passed < 0 && !setBack(s, nowNs): // another worker's clock is ahead
		return f
	case passed < 0:
		f.current += f.before
		f.before = 0
	case passed > p.LeaseNs:
		f.current, f.before = 0, 0
	case passed > 0:
		f.current, f.before = 0, f.current
	}
	f.began = began
	return f
}

func (f flights) count() int64 { return f.current + f.before }

// store is the State of a count.
func (f flights) store(p Params) State {
	s := State{LevelMicro: f.before<<flightBits | f.current, LastNs: f.began, FullNs: f.began}
	switch {
	case f.current > 0:
		s.FullNs = addSat(f.began, 2*p.LeaseNs)
	case f.before > 0:
		s.FullNs = addSat(f.began, p.LeaseNs)
	}
	return s
}

// flightWait is what somebody is told to wait for whom there is no room: nobody
// knows when one of the others ends.
const flightWait = second

// begin counts one more, if there is room; see Take.
func begin(s State, p Params, nowNs int64) (State, Result) {
	f := loadFlights(s, p, nowNs)
	room := p.CapacityMicro/Micro - f.count()
	if room <= 0 || f.current == 1<<flightBits-1 {
		return s, Result{WaitNs: flightWait, ResetNs: flightWait}
	}
	f.current++
	next := f.store(p)
	return next, Result{Allowed: true, TakenMicro: Micro, RemainingMicro: satMul(room-1, Micro), ResetNs: until(next.FullNs, nowNs)}
}

// end counts one less that began at beganNs, unless that was forgotten.
func end(s State, p Params, beganNs, nowNs int64) State {
	f := loadFlights(s, p, nowNs)
	began := beganNs - beganNs%p.LeaseNs
	switch {
	case began < f.began-p.LeaseNs:
		return s
	case f.current > 0 && (began >= f.began || f.before == 0):
		f.current--
	case f.before > 0:
		f.before--
	default:
		return s
	}
	return f.store(p)
}
