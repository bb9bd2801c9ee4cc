package answer_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// FuzzChunks rewrites any answer in any chunks: what comes out does not depend on them,
// and a JSON value stays one.
func FuzzChunks(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 3))
	for i, d := range []*dialect{&chat, &responses, &messages, &anything} {
		f.Add([]byte(d.stream(random, []string{text(random), text(random)})), uint8(answer.Events), uint16(i))
	}
	f.Add([]byte(`{"id":"13812345678","choices":[{"message":{"content":"call 13812345678"},"logprobs":{"content":[{"token":"138","bytes":[49]}]}}]}`), uint8(answer.JSON), uint16(3))
	f.Add([]byte("{\"message\":{\"content\":\"138\"}}\n{\"message\":{\"content\":\"12345678\"},\"done\":true}\n"), uint8(answer.Lines), uint16(5))
	f.Add([]byte("call 13812345678 \xff"), uint8(answer.Text), uint16(1))
	rules := everyKind()
	f.Fuzz(func(t *testing.T, in []byte, format uint8, size uint16) {
		o := answer.Options{Format: answer.Format(format % 4), Rules: rules, Open: size&1 != 0}
		want, problem := rewrite(t, o, string(in))
		got, other := rewrite(t, o, string(in), int(size>>1)%97+1, int(size>>8)+1)
		if problem != other || got != want && problem == answer.None {
			t.Fatalf("%q in chunks: %q (%d), whole: %q (%d)", in, got, other, want, problem)
		}
		if o.Format == answer.JSON && problem == answer.None && json.Valid(in) && !json.Valid([]byte(got)) {
			t.Fatalf("%q became %q", in, got)
		}
	})
}

// everyKind has a rule for each kind.
func everyKind() *redact.Rules {
	var entities []spec.Entity
	for k := range spec.EntityKinds {
		entities = append(entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	return redact.Compile(&spec.Redaction{Entities: entities}, spec.DirectionResponse)
}

// FuzzEvents says any two texts in events of any API that are cut anywhere: they come out
// as if each had been redacted whole, and the rest as it was.
func FuzzEvents(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 8 {
		f.Add(text(random), policytest.RandomText(random), uint8(i), uint64(i))
	}
	f.Add("passport E12345678 or sk-proj-abcdefghij0123456789abcdefghij0123456789", `-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----`, uint8(2), uint64(9))
	rules := everyKind()
	dialects := []*dialect{&chat, &responses, &messages, &anything}
	f.Fuzz(func(t *testing.T, one, other string, api uint8, seed uint64) {
		texts := []string{content(one[:min(len(one), 300)]), content(other[:min(len(other), 300)])}
		across(t, dialects[int(api)%len(dialects)], rules, rand.New(rand.NewPCG(seed, 1)), texts[:1+int(api>>2)%2])
	})
}

// content is a text as raw content of a JSON string, unless it is that already.
func content(text string) string {
	if raw := `"` + text + `"`; json.Valid([]byte(raw)) && utf8.ValidString(raw) {
		return text
	}
	raw, _ := json.Marshal(text) // a string has no errors
	return string(raw[1 : len(raw)-1])
}

// Rewriting allocates nothing, once the desk is warm.
func TestNoAllocation(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	in := []byte(chat.stream(random, []string{text(random) + strings.Repeat("a word ", 50), text(random), text(random)}))
	var r answer.Rewriter
	var out counter
	r.Bind(hold.NewPool(1 << 20))
	o := answer.Options{Desk: &answer.Desk{}, Rules: tags(t), Session: &redact.Session{}, Hold: 128}
	if n := testing.AllocsPerRun(20, func() {
		o.Format = answer.Events
		r.Reset(&o)
		for i := 0; i < len(in); i += 77 {
			r.Write(in[i:min(i+77, len(in))], &out)
		}
		r.End(&out)
		r.Release()
	}); n != 0 || out == 0 {
		t.Errorf("%v allocations", n)
	}
}

// counter counts bytes.
type counter int

// Write is part of answer.Output.
func (c *counter) Write(p []byte) error {
	*c += counter(len(p))
	return nil
}

// An entity is found in members that come whole, in any format, and what is left alone
// is.
func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format   answer.Format
		in, want string
	}{
		{answer.JSON, `{"id":"13812345678","a":[" 13812345678 "],"n":13812345678}`, `{"id":"13812345678","a":[" <PHONE> "],"n":13812345678}`},
		{answer.Lines, "{\"response\":\"138\"}\n{\"response\":\"12345678\",\"done\":false}\n{\"response\":\"\",\"done\":true}\n", "{\"response\":\"\"}\n{\"response\":\"\",\"done\":false}\n{\"response\":\"<PHONE>\",\"done\":true}\n"},
		{answer.Text, "call 13812345678", "call <PHONE>"},
		{answer.Events, "data: call 138\n\ndata: 12345678 now\n\n", "data: call \n\ndata: <PHONE> \n\ndata: now\n\n"},
		{answer.Events, ": 13812345678\n\nid: 7\ndata: {\"a\":\"13812345678\",\ndata: \"id\":\"x\"}\n\ndata: [DONE]", ": <PHONE>\n\nid: 7\ndata: {\"a\":\"\",\ndata: \"id\":\"x\"}\n\nid: 7\ndata: {\"a\":\"<PHONE>\",\ndata: \"id\":\"x\"}\n\ndata: [DONE]"},
	} {
		if got, problem := rewrite(t, answer.Options{Format: c.format, Rules: tags(t)}, c.in); got != c.want || problem != answer.None {
			t.Errorf("%q: %q (%d), want %q", c.in, got, problem, c.want)
		}
	}
	long := `data: {"choices":[{"delta":{"content":"` + strings.Repeat("so long ", 10_000) + `13812345678"}}]}` + "\n\n"
	if got, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: tags(t)}, long, 5000); got != strings.Replace(long, "13812345678", "<PHONE>", 1) || problem != answer.None {
		t.Errorf("a long event: %d bytes (%d), in the end %q", len(got), problem, got[max(0, len(got)-60):])
	}
}
