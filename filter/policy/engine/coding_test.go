package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// coding is a policy that masks phone numbers both ways.
func coding(how spec.Encodings, failure spec.Failure) *spec.Document {
	d := personal(spec.RedactMask, spec.RedactToken, failure)
	d.Redactions[0].Encodings = how
	return d
}

// What is asked of the upstream, and what is not true of a redacted request any more.
func TestCodingHeaders(t *testing.T) {
	for how, want := range map[spec.Encodings][]string{
		spec.EncodingsIdentity:   {"accept-encoding: "},
		spec.EncodingsRefuse:     {},
		spec.EncodingsDecompress: {"accept-encoding: gzip"},
	} {
		s := newStream()
		headers(s, compile(t, coding(how, spec.FailClosed)), newHost(), ":method", "POST", ":path", "/v1/chat/completions",
			"accept-encoding", "br", "content-digest", "sha-256=:AAAA:", "content-md5", "AAAA", "etag", "1")
		if action := s.Body([]byte(`{"model":"gpt-4"}`), true); action != engine.Forward {
			t.Fatalf("%v: %v", how, action)
		}
		got := lines(s.Edits())
		has := func(line string) bool { return slices.Contains(got, line) }
		for _, line := range append(want, "content-digest: ", "content-md5: ") {
			if !has(line) {
				t.Errorf("%v: edits are %q, want %s among them", how, got, line)
			}
		}
		if has("etag: ") || len(want) == 0 && strings.Contains(strings.Join(got, "\n"), "accept-encoding") {
			t.Errorf("%v: edits are %q", how, got)
		}
		if s.Decompresses() != (how == spec.EncodingsDecompress) {
			t.Errorf("%v: Decompresses() = %v", how, s.Decompresses())
		}
	}
}

// A request out of whose content coding nothing came is refused, one without a body is not.
func TestCodedRequestOfNothing(t *testing.T) {
	for length, want := range map[string]string{"0": engine.CodeUnsupportedEncoding, "9": ""} {
		s := newStream()
		s.Reset(compile(t, coding(spec.EncodingsDecompress, spec.FailOpen)), newHost())
		for _, h := range [][2]string{{":method", "POST"}, {":path", "/v2/models/gpt-4/infer"}, {engine.HeaderCoded, "1"}, {"content-length", length}} {
			s.Header([]byte(h[0]), []byte(h[1]))
		}
		if action := s.Headers(false); (action == engine.Reply) != (want != "") || want != "" && s.Reply().Code != want {
			t.Errorf("content-length %s: %v", length, action)
		}
	}
}

// An answer that came in a content coding must be whole when its trailers come: there is
// no other sign that the coding was cut short.
func TestCodedAnswerCutShort(t *testing.T) {
	const whole, part = `{"choices":[{"message":{"content":"hello"}}]}`, `{"choices":[{"message":{"content":"hel`
	event := func(text string) string {
		return `data: {"choices":[{"index":0,"delta":{"content":"` + text + `"}}]}` + "\n\n"
	}
	const done = "data: [DONE]\n\n"
	for _, c := range []struct {
		mediaType, body string
		plain           bool // it came without a coding
		fine            bool
	}{
		{"application/json", whole, false, true},
		{"application/json", whole + "\n ", false, true},
		{"application/json", part, false, false},
		{"application/json", part, true, false},       // a word is held back, and has no way out
		{"application/json", part + ", ", true, true}, // the client sees the same as the upstream sent
		{"application/json", "", false, false},
		{"application/json", "", true, true},
		{"text/event-stream", event("hello") + done, false, true},
		{"text/event-stream", event("hello "), false, false},
		{"text/event-stream", event("call 138"), false, false},
		{"text/event-stream", event("hello") + done[:9], false, false},
		{"text/event-stream", ": a comment\n\n", false, true},
		{"text/event-stream", event("call 138"), true, false}, // it is held back, and has no way out
		{"text/event-stream", event("call 138") + done, true, true},
		{"text/event-stream", event("call, "), true, true},
		{"text/plain", "call 138", true, false},
		{"text/plain", "call, ", true, true},
	} {
		s := newStream()
		headers(s, compile(t, coding(spec.EncodingsDecompress, spec.FailClosed)), newHost(), ":method", "POST", ":path", "/v1/chat/completions")
		if action := s.Body([]byte(`{"model":"gpt-4"}`), true); action != engine.Forward {
			t.Fatal(action)
		}
		s.ResponseHeader([]byte(":status"), []byte("200"))
		s.ResponseHeader([]byte("content-type"), []byte(c.mediaType))
		if !s.ResponseHeaders(false) || !s.ReadsTrailers() {
			t.Fatalf("%s is not rewritten", c.mediaType)
		}
		s.ResponseBody([]byte(c.body), nothing{})
		if !c.plain {
			s.ResponseHeader([]byte(engine.InflatedTrailer), []byte("7"))
		}
		if fine := s.ResponseTrailers(); fine != c.fine || (s.AnswerFault() == engine.AnswerBroken) == c.fine {
			t.Errorf("%s %q: %v, fault %v", c.mediaType, c.body, fine, s.AnswerFault())
		}
		s.Release()
	}
}
