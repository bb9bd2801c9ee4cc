package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// dimensions is a policy that counts requests in every way at once.
func dimensions() *spec.Document {
	d := document()
	key := []spec.KeyPart{{Source: spec.KeyHeader, Name: "x-team"}, {Source: spec.KeyAPIKey}, {Source: spec.KeyClaim, Name: "org.team"}, {Source: spec.KeyClientIP}}
	d.Limits = []spec.Limit{
		{Name: "l", Mode: spec.LimitTokens, Key: key, Tokens: spec.Tokens{Capacity: 100_000, RefillMilli: 1000, DefaultOutput: 10}},
		{Name: "l/inFlight", Mode: spec.LimitInFlight, Key: key, InFlight: spec.InFlight{Capacity: 2, Lease: 60}},
		{Name: "l/quota", Mode: spec.LimitTokens, Key: key, Tokens: spec.Tokens{Capacity: 1_000_000, Window: 3600, DefaultOutput: 10}},
		{Name: "l/requests", Mode: spec.LimitRequests, Key: key, Requests: spec.Rate{Capacity: 1_000_000, RefillMilli: 1}},
	}
	return d
}

func newCaller() *host {
	h := newHost()
	h.properties = map[string]string{
		"metadata\x00filter_metadata\x00envoy.filters.http.jwt_authn\x00payload\x00org\x00team": "red",
		"source\x00address": "192.0.2.1:4711",
	}
	return h
}

func call(s *engine.Stream, p *engine.Program, h *host, more ...string) engine.Action {
	headers(s, p, h, more...)
	return s.Body([]byte(`{"model":"minilm"}`), true)
}

// The cap on requests in flight holds while they run, and every end gives its place back.
func TestInFlight(t *testing.T) {
	p, h := compile(t, dimensions()), newCaller()
	running := []*engine.Stream{newStream(), newStream()}
	third := newStream()
	for i, cause := range []engine.Cause{engine.CauseEnd, engine.CauseClient, engine.CauseUpstream, engine.CauseReply} {
		for _, s := range running {
			if action := call(s, p, h, "x-team", "a", "x-api-key", "k"); action != engine.Forward {
				t.Fatalf("round %d: %s", i, s.Reply().Body)
			}
		}
		if got := code(t, third, call(third, p, h, "x-team", "a", "x-api-key", "k")); got != engine.CodeRateLimitExceeded {
			t.Errorf("round %d: the third got %s", i, got)
		}
		if body := string(third.Reply().Body); !strings.Contains(body, `requests in flight (l/inFlight): Limit 2, Used 2`) || !strings.Contains(body, `"type":"requests"`) {
			t.Errorf("round %d: %s", i, body)
		}
		if action := call(third, p, h, "x-team", "b", "x-api-key", "k"); action != engine.Forward {
			t.Errorf("round %d: another team: %s", i, third.Reply().Body)
		}
		third.Finish(cause)
		for _, s := range running {
			s.Finish(cause)
			s.Finish(cause)
		}
	}
}

// A request that the filter answers itself after all costs nothing in any dimension.
func TestReplyGivesEverythingBack(t *testing.T) {
	p, h := compile(t, dimensions()), newCaller()
	s := newStream()
	call(s, p, h, "x-team", "a")
	s.Finish(engine.CauseReply)
	var record struct {
		Limits []struct {
			Name, State, Key string
			SettledMicro     *int64
		}
	}
	if err := json.Unmarshal(s.Record(), &record); err != nil {
		t.Fatal(err)
	}
	if len(record.Limits) != 4 {
		t.Fatalf("%s", s.Record())
	}
	for _, l := range record.Limits {
		if l.State != "taken" || l.SettledMicro == nil || *l.SettledMicro != 0 || len(l.Key) != 16 {
			t.Errorf("%+v", l)
		}
	}
}

// No value of a key stands in the record or in a refusal.
func TestKeysStaySecret(t *testing.T) {
	d := dimensions()
	d.Limits[0].Tokens.Capacity = 1
	p, h := compile(t, d), newCaller()
	s := newStream()
	call(s, p, h, "x-team", "secret-team", "authorization", "Bearer secret-key")
	for _, text := range []string{string(s.Record()), string(s.Reply().Body)} {
		if text == "" || strings.Contains(text, "secret") || strings.Contains(text, "192.0.2") || strings.Contains(text, "red\"") {
			t.Errorf("%s", text)
		}
	}
}

func TestKeysAllocateNothing(t *testing.T) {
	d := dimensions()
	d.Limits[0].Missing = spec.MissingRefuse
	d.Overrides = []spec.Override{{Key: 1, Capacity: 1}, {Key: 1 << 63, Capacity: 2}}
	p := compile(t, d)
	h := &quiet{newCaller(), []byte("red")}
	s := newStream()
	names := [][2][]byte{
		{[]byte(":method"), []byte("POST")},
		{[]byte(":path"), []byte("/v1/chat/completions")},
		{[]byte("content-type"), []byte("application/json")},
		{[]byte("x-team"), []byte("a")},
		{[]byte("authorization"), []byte("Bearer k")},
	}
	body := []byte(`{"model":"minilm"}`)
	run := func() {
		h.now += 1e12
		s.Reset(p, h)
		for _, n := range names {
			s.Header(n[0], n[1])
		}
		s.Headers(false)
		if s.Body(body, true) != engine.Forward {
			t.Fatalf("%s", s.Reply().Body)
		}
		s.Finish(engine.CauseEnd)
		s.Release()
	}
	run()
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

// quiet is a host whose properties cost no memory.
type quiet struct {
	*host
	value []byte
}

func (q *quiet) Property(string) []byte { return q.value }
func (q *quiet) Peer() []byte           { return nil }
