package answer_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/policytest"
)

// spoken is a stream of the Responses API that says texts, numbered from 0 on, and its
// events.
func spoken(random *rand.Rand, texts []string, more string) string {
	var b strings.Builder
	n := 0
	say := func(kind, format string, args ...any) {
		fmt.Fprintf(&b, "event: %s\ndata: {\"type\":%q,"+format+"}\n\n", append([]any{kind, kind}, args...)...)
		n++
	}
	say("response.created", `"sequence_number":%d,"response":{"id":"r","status":"in_progress"}`, n)
	for i, text := range texts {
		for _, piece := range pieces(random, text) {
			if i%2 == 0 {
				say("response.output_text.delta", `"item_id":"m%d","output_index":%d,"content_index":0,"delta":"%s","sequence_number":%d,"logprobs":[],"kept":1`, i, i, piece, n)
			} else {
				say("response.reasoning_summary_text.delta", `"sequence_number":%d,"output_index":%d,"summary_index":0,"delta":"%s","kept":1`, n, i, piece)
			}
		}
		if i%2 == 0 {
			say("response.output_text.done", `"output_index":%d,"content_index":0,"text":"%s","sequence_number":%d`, i, text, n)
		} else {
			say("response.reasoning_summary_text.done", `"sequence_number":%d,"output_index":%d,"summary_index":0,"text":"%s"`, n, i, text)
		}
	}
	say("response.completed", `"response":{"id":"r","more":"%s"},"sequence_number":%d`, more, n)
	return b.String()
}

// The events of a stream are numbered one by one, those that held text goes out in among
// them; what is said of the whole is what the pieces say, and no field is lost.
func TestNumbersOfEvents(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	rules, put := everyKind(), 0
	for round := range 400 {
		texts := []string{text(random), policytest.RandomText(random), text(random)}
		more := ""
		if round%20 == 0 {
			more = strings.Repeat("so long ", 10_000)
		}
		in := spoken(random, texts, more)
		out, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: rules, Hold: 4096}, in, 1+random.IntN(500))
		if problem != answer.None {
			t.Fatalf("problem %d with %s", problem, in)
		}
		said, whole := map[string]string{}, map[string]string{}
		all := events(t, out)
		put += len(all) - len(events(t, in))
		for i, e := range all {
			if e["sequence_number"] != float64(i) {
				t.Fatalf("event %d has number %v:\n%s", i, e["sequence_number"], out)
			}
			index := fmt.Sprint(e["output_index"])
			if delta, ok := e["delta"].(string); ok {
				said[index] += delta
				if e["kept"] != 1.0 {
					t.Fatalf("a field is gone from %v", e)
				}
			}
			if text, ok := e["text"].(string); ok {
				whole[index] = text
			}
		}
		for index, text := range whole {
			if said[index] != text {
				t.Fatalf("in pieces %q, whole %q of\n%s", said[index], text, in)
			}
		}
	}
	if put < 100 {
		t.Errorf("only %d events were put in", put)
	}
}

// A stream that ends without saying so gives out what is held back, redacted; of an event
// that is cut off nothing goes on but the error.
func TestEndsOfStreams(t *testing.T) {
	const (
		delta = `data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}` + "\n\n"
		begin = `data: {"choices":[{"index":0,"delta":{"content":"so bob@cor"`
	)
	piece := func(text string) string { return fmt.Sprintf(delta, text) }
	for name, c := range map[string]struct {
		in, said string
		problem  answer.Problem
		open     bool
		has      string
	}{
		"no finish":        {piece("call 1381234") + piece("5678"), "call <PHONE>", answer.None, false, ""},
		"a word":           {piece("the") + piece(" end"), "the end", answer.None, false, ""},
		"another text":     {piece("the end") + `data: {"other":1}` + "\n\n", "the end", answer.None, false, `{"other":1}`},
		"done":             {piece("1381234") + piece("5678") + "data: [DONE]\n\n", "<PHONE>", answer.None, false, "[DONE]"},
		"done, no line":    {piece("the end") + "data: [DONE]", "the end", answer.None, false, "[DONE]"},
		"no last line":     {piece("1381234") + strings.TrimRight(piece("5678"), "\n"), "<PHONE>", answer.None, false, ""},
		"usage alone":      {piece("the end") + `data: {"choices":[],"usage":{"total_tokens":1}}` + "\n\n", "the end", answer.None, false, "total_tokens"},
		"cut in an event":  {piece("the 1381234") + piece("5678") + begin, "the <PHONE>", answer.Unreadable, false, ""},
		"cut, open":        {piece("the end") + begin, "the end", answer.Unreadable, true, "bob@cor"},
		"cut in its name":  {piece("the end") + "da", "the end", answer.None, false, "da"},
		"cut in a comment": {piece("the end") + ": keep", "the end", answer.None, false, ": keep"},
	} {
		for _, size := range []int{1, 7, 1000} {
			out, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: tags(t), Open: c.open, Hold: 128}, c.in, size)
			if problem != c.problem || !strings.Contains(out, c.has) || !c.open && strings.Contains(out, "bob") {
				t.Errorf("%s in pieces of %d: problem %d, %q", name, size, problem, out)
			}
			got := ""
			for line := range strings.Lines(out) {
				var e map[string]any
				if data, ok := strings.CutPrefix(line, "data: {"); ok && json.Unmarshal([]byte("{"+data), &e) == nil && e["choices"] != nil && len(e["choices"].([]any)) > 0 {
					got += chat.lane(e)[0]
				}
			}
			if got != c.said {
				t.Errorf("%s in pieces of %d says %q, want %q", name, size, got, c.said)
			}
		}
	}
}

// More than may be held back ends an answer of a closed policy, and is decided with what
// is there by an open one. What is not a value, or one already, is not more.
func TestHoldBound(t *testing.T) {
	long := "somebody@" + strings.Repeat("a.", 55) + "example.com"
	for _, c := range []struct {
		text    string
		hold    int
		open    bool
		problem answer.Problem
		leaves  bool
	}{
		{long, 128, false, answer.Crowded, false},
		{long, 128, true, answer.Crowded, false},
		{"https://user:" + strings.Repeat("x", 130) + "@example.com", 128, false, answer.Crowded, false},
		{"https://user:" + strings.Repeat("x", 130) + "@example.com", 128, true, answer.Crowded, true},
		{long, 256, false, answer.None, false},
		{strings.Repeat("a word ", 200), 72, false, answer.None, true},
		{strings.Repeat("somevery", 200), 72, false, answer.None, true},
		{strings.Repeat("2024-05-06 ", 90), 128, false, answer.None, true},
		{"https://example.com/" + strings.Repeat("a-b/c.d?e=f&", 50), 128, false, answer.None, true},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIi" + strings.Repeat("Oi0xMjM0NTY3", 90), 128, false, answer.None, false},
	} {
		in := ""
		for i := range c.text {
			in += fmt.Sprintf(`data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}`+"\n\n", c.text[i:i+1])
		}
		out, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: everyKind(), Open: c.open, Hold: c.hold}, in+"data: [DONE]\n\n")
		said := ""
		for _, e := range events(t, out) {
			said += chat.lane(e)[0]
		}
		if problem != c.problem || strings.Contains(said, c.text[:9]) != c.leaves {
			t.Errorf("%.30q with %d bytes: problem %d, %q", c.text, c.hold, problem, said)
		}
	}
}
