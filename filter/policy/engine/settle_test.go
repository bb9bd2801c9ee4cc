package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// metered is a policy of one budget in tokens that does not refill.
func metered(capacity int64) *spec.Document {
	d := document()
	d.Redactions = nil
	d.Limits = []spec.Limit{{Name: "all", Mode: spec.LimitTokens, Tokens: spec.Tokens{Capacity: capacity, DefaultOutput: 50}}}
	return d
}

// sharedHost is what several workers share: one store, that each step has alone.
type sharedHost struct {
	mu sync.Mutex
	*host
	model ledger
}

func (h *sharedHost) Random() uint64 { return 1 }

// ledger is the model of the bucket: what it would hold if only whole requests were
// entered.
type ledger struct {
	reserved, settled, unpaid int64 // micro-units
	open                      int
}

func (h *sharedHost) Take(c *bucket.Charge, now int64) (bucket.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.Memory.Take(c, now)
	if r.Allowed {
		h.model.reserved += c.CostMicro
		h.model.open++
	}
	return r, err
}

func (h *sharedHost) Settle(c *bucket.Charge, actual, now int64) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	unpaid, err := h.Memory.Settle(c, actual, now)
	h.model.reserved -= c.CostMicro
	h.model.settled += actual - unpaid
	h.model.unpaid += unpaid
	h.model.open--
	return unpaid, err
}

// level asks the bucket itself what is left; below zero is what it owes.
func (h *sharedHost) level(t *testing.T, p bucket.Params) int64 {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &bucket.Charge{Key: bucket.NewKey(0).Add([]byte("all")).Sum(), Params: p}
	c.CostMicro = p.CapacityMicro * 3
	r, err := h.Memory.Take(c, h.now)
	if err != nil || r.Allowed || r.RemainingMicro < 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	return r.RemainingMicro
}

// run is one request with a random answer and a random end, and returns its cost in
// tokens as a model of the rules knows it; -1 if it was refused.
func run(t *testing.T, s *engine.Stream, p *engine.Program, h *sharedHost, random *rand.Rand) int64 {
	streams, output := random.IntN(2) == 0, random.IntN(80)
	s.Reset(p, h)
	for _, pair := range [][2]string{{":method", "POST"}, {":path", "/v1/chat/completions"}, {"content-type", "application/json"}} {
		s.Header([]byte(pair[0]), []byte(pair[1]))
	}
	s.Headers(false)
	if s.Body(fmt.Appendf(nil, `{"model":"minilm","max_tokens":%d,"stream":%v}`, output, streams), true) != engine.Forward {
		s.Finish(engine.CauseReply)
		return -1
	}
	switch random.IntN(8) {
	case 0:
		s.Finish(engine.CauseReply)
		return 0
	case 1:
		s.Finish(engine.CauseUpstream)
		return 0
	case 2:
		s.Finish(engine.CauseClient)
		if streams {
			return 0
		}
		return int64(output)
	case 3:
		s.ResponseHeader([]byte(":status"), []byte("502"))
		s.ResponseHeaders(true)
		return 0
	}
	words, usage, ends := random.IntN(120), random.IntN(2) == 0, random.IntN(2) == 0
	body, kind := answerOf(streams, words, usage)
	s.ResponseHeader([]byte(":status"), []byte("200"))
	s.ResponseHeader([]byte("content-type"), []byte(kind))
	s.ResponseHeaders(false)
	for rest := body; len(rest) > 0; {
		n := min(1+random.IntN(60), len(rest))
		s.ResponseBody([]byte(rest[:n]), nothing{})
		rest = rest[n:]
	}
	if ends {
		s.ResponseEnd(nothing{})
	}
	s.Finish(engine.CauseClient)
	s.Finish(engine.CauseUpstream)
	switch {
	case usage:
		return int64(words) + 5
	case !streams && !ends:
		return int64(output)
	}
	return int64(words)
}

// answerOf is an answer of so many words, each a token; its usage says 5 of the
// prompt.
func answerOf(streams bool, words int, usage bool) (body, kind string) {
	report := ""
	if usage {
		report = fmt.Sprintf(`,"usage":{"prompt_tokens":5,"completion_tokens":%d}`, words)
	}
	if !streams {
		return `{"choices":[{"message":{"content":"` + strings.TrimSpace(strings.Repeat("word ", words)) + `"}}]` + report + `}`, "application/json"
	}
	body = strings.Repeat(`data: {"choices":[{"delta":{"content":"word"}}]}`+"\n\n", words)
	return body + `data: {"choices":[]` + report + "}\n\ndata: [DONE]\n\n", "text/event-stream"
}

// However streams end, and however many go on at once, every reservation is settled
// once, by what the request cost, and the bucket holds what the model says.
func TestEveryReservationIsSettled(t *testing.T) {
	const workers, requests, capacity = 6, 400, 60_000
	p := compile(t, metered(capacity))
	params := bucket.TokenParams(&p.Document().Limits[0].Tokens)
	h := &sharedHost{host: newHost()}
	var costs [workers]int64
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			random, s := rand.New(rand.NewPCG(uint64(w), 5)), engine.NewStream(hold.NewPool(1<<20))
			for range requests {
				if cost := run(t, s, p, h, random); cost > 0 {
					costs[w] += cost
				}
				s.Release()
			}
		})
	}
	done.Wait()
	total := int64(0)
	for _, c := range costs {
		total += c
	}
	if h.model.open != 0 || h.model.reserved != 0 {
		t.Errorf("%d reservations are open, of %d micro-units", h.model.open, h.model.reserved)
	}
	if got := h.model.settled + h.model.unpaid; got != total*bucket.Micro {
		t.Errorf("settled %d micro-units, the requests cost %d tokens", got, total)
	}
	if want := max(params.CapacityMicro-h.model.settled, 0); h.level(t, params) != want {
		t.Errorf("the bucket holds %d, want %d", h.level(t, params), want)
	}
	if total < capacity/2 {
		t.Errorf("the requests cost %d of %d tokens: nothing was tried", total, capacity)
	}
}

// Where costs run over, a bucket owes no more than its capacity, and says what nobody
// pays.
func TestOverrunIsBounded(t *testing.T) {
	p := compile(t, metered(300))
	params := bucket.TokenParams(&p.Document().Limits[0].Tokens)
	for seed := range uint64(200) {
		h := &sharedHost{host: newHost()}
		s, random := newStream(), rand.New(rand.NewPCG(seed, 6))
		total := int64(0)
		for range 30 {
			total += max(run(t, s, p, h, random), 0)
			s.Release()
			if h.model.settled > 2*params.CapacityMicro {
				t.Fatalf("%d micro-units were taken from a bucket of %d", h.model.settled, params.CapacityMicro)
			}
			h.level(t, params)
		}
		if h.model.settled+h.model.unpaid != total*bucket.Micro || h.model.open != 0 {
			t.Fatalf("settled %d and unpaid %d of %d tokens, %d open", h.model.settled, h.model.unpaid, total, h.model.open)
		}
	}
}

// The record of a settled request says what it cost.
func TestRecordSettled(t *testing.T) {
	s, p, h := newStream(), compile(t, metered(1000)), newHost()
	headers(s, p, h)
	s.Body([]byte(`{"model":"minilm","max_tokens":100}`), true)
	s.ResponseHeader([]byte(":status"), []byte("200"))
	s.ResponseHeaders(false)
	s.ResponseBody([]byte(`{"usage":{"prompt_tokens":9,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":4}}}`), nothing{})
	s.ResponseEnd(nothing{})
	if got := s.Settlement(); got != (engine.Settlement{Done: true, Way: engine.WayUsage, Reserved: 100, Input: 9, Cached: 4, Output: 30}) {
		t.Errorf("%+v", got)
	}
	var record struct {
		Limits  []struct{ SettledMicro int64 }
		Settled struct {
			By                                      string
			InputTokens, CachedTokens, OutputTokens int64
		}
	}
	if err := json.Unmarshal(s.Record(), &record); err != nil || record.Limits[0].SettledMicro != 39*bucket.Micro ||
		record.Settled.By != "usage" || record.Settled.CachedTokens != 4 || record.Settled.OutputTokens != 30 {
		t.Errorf("%s: %v", s.Record(), err)
	}
}

// Settling allocates nothing either.
func TestNoAllocationOfAnswers(t *testing.T) {
	s, p, h := newStream(), compile(t, metered(1_000_000_000)), newHost()
	request := newRequest(`{"model":"minilm","max_tokens":100,"stream":true}`)
	body, kind := answerOf(true, 20, true)
	answer, status, contentType := []byte(body), []byte("200"), []byte(kind)
	names := [][]byte{[]byte(":status"), []byte("content-type")}
	if n := testing.AllocsPerRun(50, func() {
		serve(s, p, h, request, 64<<10)
		s.ResponseHeader(names[0], status)
		s.ResponseHeader(names[1], contentType)
		s.ResponseHeaders(false)
		for i := 0; i < len(answer); i += 77 {
			s.ResponseBody(answer[i:min(i+77, len(answer))], nothing{})
		}
		s.ResponseEnd(nothing{})
		s.Record()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Lowering a cap, reserving more for a stream and ending it allocate nothing either.
func TestNoAllocationOfShortage(t *testing.T) {
	d := metered(1_000)
	d.Limits[0].Tokens.RefillMilli = 1_000_000
	d.Limits[0].Shortage = spec.Shortage{LeastOutput: 10, Stop: true, GraceMs: 1000}
	s, p, h := newStream(), compile(t, d), newHost()
	request := newRequest(`{"model":"minilm","max_tokens":2000,"stream":true}`)
	body, kind := answerOf(true, 1500, false)
	answer, status, contentType := []byte(body), []byte("200"), []byte(kind)
	names := [][]byte{[]byte(":status"), []byte("content-type")}
	if n := testing.AllocsPerRun(20, func() {
		h.now += 10_000_000_000
		serve(s, p, h, request, 64<<10)
		s.ResponseHeader(names[0], status)
		s.ResponseHeader(names[1], contentType)
		s.ResponseHeaders(false)
		for i := 0; i < len(answer); i += 777 {
			s.ResponseBody(answer[i:min(i+777, len(answer))], nothing{})
		}
		s.Finish(engine.CauseClient)
		s.Record()
	}); n != 0 || !s.Settlement().Lowered || !s.Settlement().Stopped {
		t.Errorf("%v allocations, %+v", n, s.Settlement())
	}
}

// nothing is an output that drops what it gets.
type nothing struct{}

func (nothing) Write([]byte) error { return nil }
