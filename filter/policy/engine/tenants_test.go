package engine_test

import (
	"strconv"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// register is a store that keeps a bucket for every key that it ever saw, and compares
// the one with a fixed number of pages with it.
type register struct {
	*host
	t     *testing.T
	pages *bucket.Memory
	want  map[uint64]bucket.State
	full  int
}

func (l *register) Take(c *bucket.Charge, now int64) (bucket.Result, error) {
	got, err := l.pages.Take(c, now)
	if err != nil {
		l.full++
		return got, err
	}
	state, known := l.want[c.Key]
	if !known {
		state = bucket.Full(c.Params, now)
	}
	next, want := bucket.Take(state, c.Params, c.CostMicro, now)
	if got != want {
		l.t.Fatalf("tenant %016x got %+v, alone %+v", c.Key, got, want)
	}
	l.want[c.Key] = next
	return got, nil
}

func (l *register) Settle(c *bucket.Charge, actual, now int64) (int64, error) {
	got, err := l.pages.Settle(c, actual, now)
	next, want := bucket.Settle(l.want[c.Key], c.Params, c.CostMicro, actual, now)
	if err != nil || got != want {
		l.t.Fatalf("tenant %016x: unpaid %d, alone %d, %v", c.Key, got, want, err)
	}
	l.want[c.Key] = next
	return got, nil
}

// A million tenants, each known by a header, go through a table of a fixed size: every
// one gets what it would get alone, at each of two rounds, and nobody is charged for
// another.
func TestMillionTenants(t *testing.T) {
	tenants := 1_000_000
	if testing.Short() {
		tenants = 100_000
	}
	d := document()
	d.Redactions = nil
	d.Limits = []spec.Limit{{
		Name: "l", Mode: spec.LimitRequests, Key: []spec.KeyPart{{Source: spec.KeyHeader, Name: "x-team"}},
		Requests: spec.Rate{Capacity: 2, RefillMilli: 1000},
	}}
	p := compile(t, d)
	l := &register{host: newHost(), t: t, pages: bucket.NewMemory(4096), want: make(map[uint64]bucket.State, tenants)}
	s := newStream()
	names := [][2][]byte{
		{[]byte(":method"), []byte("POST")},
		{[]byte(":path"), []byte("/v1/chat/completions")},
		{[]byte("content-type"), []byte("application/json")},
	}
	team, body, header := make([]byte, 0, 32), []byte(`{"model":"minilm"}`), []byte("x-team")
	for i := range tenants {
		for round := range 3 { // the third is refused: a tenant has two
			team = strconv.AppendInt(append(team[:0], 't'), int64(i), 10)
			l.now += 1_000_000 // a millisecond
			s.Reset(p, l)
			for _, n := range names {
				s.Header(n[0], n[1])
			}
			s.Header(header, team)
			s.Headers(false)
			if action := s.Body(body, true); (action == engine.Forward) != (round < 2) {
				t.Fatalf("tenant %d, request %d: action %d, %s", i, round, action, s.Reply().Body)
			}
			s.Finish(engine.CauseEnd)
			s.Release()
		}
	}
	if len(l.want) != tenants || l.full > 0 {
		t.Errorf("%d tenants had a bucket, %d times there was no room", len(l.want), l.full)
	}
}
