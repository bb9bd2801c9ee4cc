package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
)

// Streams at once in the simulation: four workers with a hundred each.
const flights = 4 * 100

// flight is one stream after the other in simulated time.
type flight struct {
	s      *engine.Stream
	open   bool
	at     int64 // Unix nanoseconds: when it ends, or when it asks again
	cap    int
	stream bool
}

// chaos is a simulation of many streams on one budget.
type chaos struct {
	*sharedHost
	t       *testing.T
	p       *engine.Program
	params  bucket.Params
	random  *rand.Rand
	flights [flights]flight
	began   int64
	stops   bool // no new requests
	calm    bool // streams end well
	most    int  // open at once
}

const millisecond = 1_000_000

// At no time is more settled and reserved than the budget had, and in the long run it
// is spent: nothing of it is lost, however streams end.
func TestBudgetIsKeptAndSpent(t *testing.T) {
	const capacity, refill, step = 40_000, 20_000, 5 * millisecond
	for _, calm := range []bool{true, false} {
		t.Run(fmt.Sprintf("calm=%v", calm), func(t *testing.T) {
			d := metered(capacity)
			d.Limits[0].Tokens.RefillMilli = refill * 1000
			c := &chaos{sharedHost: &sharedHost{host: newHost()}, t: t, p: compile(t, d), random: rand.New(rand.NewPCG(11, 12)), calm: calm}
			c.params, c.began = bucket.TokenParams(&d.Limits[0].Tokens), c.now
			pool := hold.NewPool(16 << 20)
			for i := range c.flights {
				c.flights[i] = flight{s: engine.NewStream(pool), at: c.now}
			}
			for c.model.settled < 101*c.params.CapacityMicro {
				c.step()
				c.now += step
			}
			if c.stops = true; c.most < flights/10 {
				t.Errorf("never more than %d streams were open", c.most)
			}
			for c.model.open > 0 {
				c.step()
				c.now += step
			}
			granted := c.granted()
			if c.model.reserved != 0 || c.model.unpaid != 0 || c.model.settled > granted || c.model.settled < granted/100*98 {
				t.Errorf("settled %d micro-units of %d granted (%.4f), %d are reserved still", c.model.settled, granted, float64(c.model.settled)/float64(granted), c.model.reserved)
			}
			t.Logf("settled %.1f capacities, %.4f of what was granted, up to %d streams at once",
				float64(c.model.settled)/float64(c.params.CapacityMicro), float64(c.model.settled)/float64(granted), c.most)
		})
	}
}

// granted is what the budget has had so far.
func (c *chaos) granted() int64 {
	return c.params.CapacityMicro + (c.now-c.began)/millisecond*(c.params.RefillMicroPerSec/1000)
}

// step lets every flight do what it is time for.
func (c *chaos) step() {
	for i := range c.flights {
		f := &c.flights[i]
		switch {
		case f.at > c.now:
		case f.open:
			c.end(f)
		case !c.stops:
			c.begin(f)
		}
		if got, most := c.model.settled+c.model.reserved, c.granted(); got > most {
			c.t.Fatalf("settled and reserved are %d micro-units of %d", got, most)
		}
	}
	c.most = max(c.most, c.model.open)
}

func (c *chaos) begin(f *flight) {
	f.cap, f.stream = 50+c.random.IntN(700), c.random.IntN(4) > 0
	f.s.Reset(c.p, c)
	for _, pair := range [][2]string{{":method", "POST"}, {":path", "/v1/chat/completions"}, {"content-type", "application/json"}} {
		f.s.Header([]byte(pair[0]), []byte(pair[1]))
	}
	f.s.Headers(false)
	action := f.s.Body(fmt.Appendf(nil, `{"model":"minilm","max_tokens":%d,"stream":%v}`, f.cap, f.stream), true)
	if f.open = action == engine.Forward; !f.open {
		f.s.Release()
		f.at = c.now + 100*millisecond + c.random.Int64N(100*millisecond)
		return
	}
	f.at = c.now + c.random.Int64N(1000*millisecond)
}

// end ends a stream; one that is not calm may be cut off anywhere.
func (c *chaos) end(f *flight) {
	causes := [...]engine.Cause{engine.CauseEnd, engine.CauseClient, engine.CauseUpstream, engine.CauseReply}
	cause, words := causes[c.random.IntN(len(causes))], c.random.IntN(f.cap-4) // usage has five more, of the prompt
	body, kind := answerOf(f.stream, words, c.calm || c.random.IntN(2) == 0)
	status, rest := "200", len(body)
	if !c.calm {
		rest = c.random.IntN(len(body) + 1)
		status = [...]string{"200", "200", "200", "503", ""}[c.random.IntN(5)]
	}
	if status != "" {
		f.s.ResponseHeader([]byte(":status"), []byte(status))
		f.s.ResponseHeader([]byte("content-type"), []byte(kind))
		f.s.ResponseHeaders(false)
		f.s.ResponseBody([]byte(body[:rest]), nothing{})
	}
	if rest == len(body) && status != "" {
		f.s.ResponseEnd(nothing{})
	}
	f.s.Finish(cause)
	f.s.Finish(engine.CauseClient)
	f.s.Release()
	f.open, f.at = false, c.now
}
