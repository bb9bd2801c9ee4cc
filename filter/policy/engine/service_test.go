package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// served is a policy of budgets that a service keeps, between two of the filter's own.
func served() *spec.Document {
	d := document()
	d.Redactions = nil
	key := []spec.KeyPart{{Source: spec.KeyUser}, {Source: spec.KeyModel}, {Source: spec.KeyHeader, Name: "x-team"}, {Source: spec.KeyPeer}}
	d.Limits = []spec.Limit{
		{Name: "a", Mode: spec.LimitTokens, Tokens: spec.Tokens{Capacity: 100, DefaultOutput: 50}},
		{Name: "b", Mode: spec.LimitTokens, Scope: spec.ScopeService, Key: key, Tokens: spec.Tokens{DefaultOutput: 50, OutputMilli: 2500}},
		{Name: "b/requests", Mode: spec.LimitRequests, Scope: spec.ScopeService, Key: key[:1]},
		{Name: "c", Mode: spec.LimitRequests, Requests: spec.Rate{Capacity: 3}},
	}
	return d
}

// told gathers properties as the host sets them.
func told(s *engine.Stream, of func(*engine.Stream, int) (string, []byte, bool)) map[string]string {
	all := make(map[string]string)
	for i := 0; ; i++ {
		property, value, more := of(s, i)
		if !more {
			return all
		}
		if property != "" {
			all[property] = string(value)
		}
	}
}

func wantTold(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: told\n%v, want\n%v", what, got, want)
	}
}

// replyCode is the code of a refusal, "" of a request that goes on.
func replyCode(t *testing.T, s *engine.Stream, action engine.Action) string {
	t.Helper()
	if action == engine.Forward {
		return ""
	}
	return code(t, s, action)
}

const cheap = `{"model":"minilm","max_tokens":10,"user":"ada"}`

// What a service is asked and told, at every end of a stream.
func TestServiceIsTold(t *testing.T) {
	p, h, s := compile(t, served()), newHost(), newStream()
	type property = map[string]string
	ends := []struct {
		name  string
		end   func()
		cost  string
		state string
	}{
		{"usage", func() { answerWith(s, "200", `{"usage":{"prompt_tokens":3,"completion_tokens":5}}`) }, "16", "asked"}, // 3 + 5 x 2.5, rounded up
		{"no work", func() { answerWith(s, "503", "") }, "", "asked"},
		{"client", func() { s.Finish(engine.CauseClient) }, "reserved", "asked"},
		{"over limit", func() { overruled(s, "request_rate_limited") }, "0", "refused"},
		{"no service", func() { overruled(s, "rate_limiter_error") }, "0", "failed"},
		{"the upstream's own 429", func() { overruled(s, "via_upstream") }, "", "asked"},
	}
	for _, end := range ends {
		*h = *newHost()
		headers(s, p, h, "x-team", "red")
		if got := replyCode(t, s, s.Body([]byte(cheap), true)); got != "" {
			t.Fatalf("%s: %s", end.name, s.Reply().Body)
		}
		first := told(s, (*engine.Stream).Question)
		reserved := first["weir.cost.b"]
		wantTold(t, end.name, first, property{
			"weir.limit.b": "b", "weir.limit.b/requests": "b/requests", "weir.cost.b": reserved, "weir.key.user": "ada", "weir.key.peer": "-", "weir.key.model": "minilm",
		})
		end.end()
		want := end.cost
		switch want {
		case "":
			want = fmt.Sprint(reservedPrompt(t, s))
		case "reserved":
			want = reserved
		}
		wantTold(t, end.name, told(s, (*engine.Stream).Cost), property{"weir.cost.b": want})
		if record := string(s.Record()); !strings.Contains(record, `"name":"b","key":`) || strings.Count(record, `"state":"`+end.state+`"`) != 2 {
			t.Errorf("%s: %s", end.name, record)
		}
	}
}

// reservedPrompt is what a request costs that no model has worked on: its prompt.
func reservedPrompt(t *testing.T, s *engine.Stream) int64 {
	t.Helper()
	return s.Settlement().Input
}

func answerWith(s *engine.Stream, status, body string) {
	s.ResponseHeader([]byte(":status"), []byte(status))
	s.ResponseHeader([]byte("content-type"), []byte("application/json"))
	s.ResponseHeaders(body == "")
	if body != "" {
		s.ResponseBody([]byte(body), nothing{})
		s.ResponseEnd(nothing{})
	}
}

func overruled(s *engine.Stream, details string) {
	s.ResponseHeader([]byte(":status"), []byte("429"))
	if s.MayBeOverruled() {
		s.Overruled(details)
	}
	s.ResponseHeaders(true)
}

// What the service refuses costs the filter's own budgets nothing.
func TestOverruledGivesBack(t *testing.T) {
	p, h, s := compile(t, served()), newHost(), newStream()
	for range 20 {
		headers(s, p, h, "x-team", "red")
		if got := replyCode(t, s, s.Body([]byte(cheap), true)); got != "" {
			t.Fatalf("%s", s.Reply().Body)
		}
		overruled(s, "request_rate_limited")
		if n := s.Tally(1); n.Admission != engine.AdmissionLimited {
			t.Fatalf("the service's limit has %+v", n)
		}
	}
}

// A refusal by one of the filter's own limits leaves nothing for the service.
func TestServiceIsNotAskedOfRefused(t *testing.T) {
	p, h, s := compile(t, served()), newHost(), newStream()
	var got []string
	for range 5 {
		headers(s, p, h, "x-team", "red")
		got = append(got, replyCode(t, s, s.Body([]byte(`{"model":"minilm","max_tokens":1}`), true)))
		s.Finish(engine.CauseUpstream)
	}
	want := []string{"", "", "", engine.CodeRateLimitExceeded, engine.CodeRateLimitExceeded}
	if !slices.Equal(got, want) {
		t.Fatalf("codes %q, want %q", got, want)
	}
	if cost := told(s, (*engine.Stream).Cost)["weir.cost.b"]; cost != "0" {
		t.Errorf("a refused request costs %s", cost)
	}
}

// What Envoy would tell a service otherwise than the filter counts it is refused.
func TestServiceKeysAreText(t *testing.T) {
	p, h := compile(t, served()), newHost()
	for name, fields := range map[string][]string{
		"bytes in a header": {"x-team", "\xff"},
		"a header twice":    {"x-team", "red", "x-team", "red"},
		"an empty header":   {"x-team", "", "x-team", "red"},
		"bytes in the user": {"x-user-id", "\xff"},
	} {
		s := newStream()
		action := headers(s, p, h, fields...)
		if action == engine.Hold {
			action = s.Body([]byte(`{"model":"minilm"}`), true)
		}
		if got := replyCode(t, s, action); got != engine.CodeInvalidParameter {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A body that is streamed has gone before anybody knows what it costs, so that a
// service could not be asked.
func TestServedBodyIsNotStreamed(t *testing.T) {
	d := served()
	d.Settings.HoldLimit, d.Settings.Overflow = 1024, spec.OverflowStream
	p, h, s := compile(t, d), newHost(), newStream()
	headers(s, p, h, "x-team", "red")
	if got := replyCode(t, s, s.Body([]byte(`{"model":"minilm","prompt":"`+strings.Repeat("a", 2000)), false)); got != engine.CodeRequestTooLarge {
		t.Errorf("got %q", got)
	}
}

func TestServiceIsToldWithoutAllocation(t *testing.T) {
	p, h, s := compile(t, served()), newHost(), newStream()
	serve := func() {
		headers(s, p, h, "x-team", "red")
		s.Body([]byte(cheap), true)
		for _, of := range []func(*engine.Stream, int) (string, []byte, bool){(*engine.Stream).Question, (*engine.Stream).Cost} {
			for i := 0; ; i++ {
				if _, _, more := of(s, i); !more {
					break
				}
			}
		}
		s.Finish(engine.CauseReply)
	}
	base := testing.AllocsPerRun(20, func() { headers(s, p, h, "x-team", "red"); s.Body([]byte(cheap), true); s.Finish(engine.CauseReply) })
	if n := testing.AllocsPerRun(20, serve); n != base {
		t.Errorf("%v allocations, %v without being told", n, base)
	}
}
