package bucket

// A quota is a bucket without a refill that is made whole at fixed times: when the
// clock, in Unix time, passes a full multiple of Params.WindowNs, so that an hour is
// one of the clock and a day one of UTC. What is owed then is taken from the new
// window.

// window returns when the window began that t is in.
func (p Params) window(t int64) int64 { return t - t%p.WindowNs }

// renew is refill for a quota.
func renew(s State, p Params, nowNs int64) State {
	s.LevelMicro = min(max(s.LevelMicro, -p.debt()), p.CapacityMicro)
	passed := (p.window(nowNs) - p.window(s.LastNs)) / p.WindowNs
	if passed <= 0 {
		if setBack(s, nowNs) {
			s.LastNs = nowNs
		}
		return s
	}
	s.LevelMicro = min(addSat(s.LevelMicro, mulDiv(p.CapacityMicro, passed, 1)), p.CapacityMicro)
	s.LastNs = nowNs
	return s
}

// renewedAt is the time at which a quota that has less than amount has that much.
func renewedAt(s State, p Params, amountMicro int64) int64 {
	windows := mulDivUp(amountMicro-s.LevelMicro, 1, max(p.CapacityMicro, 1))
	return addSat(p.window(s.LastNs), mulDiv(windows, p.WindowNs, 1))
}

// settled returns what a charge is settled to: what was reserved in a window that is
// over does not flow back into the one that came after it.
func (c *Charge) settled(actualMicro, nowNs int64) int64 {
	if w := c.Params.WindowNs; w > 0 && c.Params.window(c.AtNs) < c.Params.window(nowNs) {
		return max(actualMicro, c.CostMicro)
	}
	return actualMicro
}
