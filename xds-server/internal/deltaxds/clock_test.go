package deltaxds

import (
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move. Timers fire when it passes them.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*timer]struct{}
	set    chan time.Duration // each timer as it is set, if somebody listens
}

type timer struct {
	at    time.Time
	fired chan time.Time
}

func newClock() *clock {
	return &clock{now: testTime, timers: make(map[*timer]struct{}), set: make(chan time.Duration, 1<<10)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Timer(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.now.Add(d), fired: make(chan time.Time, 1)}
	c.timers[t] = struct{}{}
	c.fire()
	select {
	case c.set <- d:
	default:
	}
	return t.fired, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, t)
	}
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.fire()
}

func (c *clock) fire() {
	for t := range c.timers {
		if !t.at.After(c.now) {
			t.fired <- c.now
			delete(c.timers, t)
		}
	}
}

// await returns when a timer of d was set.
func (c *clock) await(t *testing.T, d time.Duration) {
	t.Helper()
	for {
		select {
		case got := <-c.set:
			if got == d {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("no timer of %s was set", d)
		}
	}
}
