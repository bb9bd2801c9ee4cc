package answer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/answer"
)

// spelledOut is a text in a stream, one character an event; each event is what event makes
// of a number and a character.
func spelledOut(text string, event func(i int, c string) string) string {
	var b strings.Builder
	for i, c := range text {
		b.WriteString("data: " + event(i, string(c)) + "\n\n")
	}
	return b.String()
}

// Servers write streams in ways that no API asks for. A value is found all the same.
func TestQuirksOfServers(t *testing.T) {
	const said, want = "call 13987654321 now", "call <PHONE> now"
	for name, event := range map[string]func(i int, c string) string{
		"null as a string": func(_ int, c string) string {
			return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":"null"}]}`, c)
		},
		"no finish reason as a string": func(_ int, c string) string {
			return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":""}]}`, c)
		},
		"an index of 0 that is left out now and then": func(i int, c string) string {
			if i%2 > 0 {
				return fmt.Sprintf(`{"choices":[{"delta":{"content":"%s"}}]}`, c)
			}
			return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":"%s"}}]}`, c)
		},
		"an index of 1 that is left out behind another": func(i int, c string) string {
			if i%2 > 0 {
				return fmt.Sprintf(`{"choices":[{"delta":{}},{"delta":{"content":"%s"}}]}`, c)
			}
			return fmt.Sprintf(`{"choices":[{"index":1,"delta":{"content":"%s"}}]}`, c)
		},
		"what is said in speech": func(_ int, c string) string {
			return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"audio":{"transcript":"%s"}}}]}`, c)
		},
	} {
		stream := spelledOut(said, event) + "data: [DONE]\n\n"
		for _, o := range []answer.Options{
			{Format: answer.Events}, {Format: answer.Text, Guess: true}, {Format: answer.JSON, Guess: true},
		} {
			o.Rules = tags(t)
			for _, in := range []string{stream, "\xEF\xBB\xBF" + stream} {
				if o.Guess && in != stream {
					continue // who writes a mark says what it is
				}
				for _, size := range []int{1, 7, len(in)} {
					out, problem := rewrite(t, o, in, size)
					if got := heard(t, strings.TrimPrefix(out, "\xEF\xBB\xBF")); got != want || problem != answer.None {
						t.Errorf("%s, format %d, in pieces of %d: %q (%d)", name, o.Format, size, got, problem)
					}
				}
			}
		}
	}
}

// heard joins the texts of a stream of one text.
func heard(t *testing.T, stream string) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events(t, stream) {
		gather(&b, e)
	}
	return b.String()
}

func gather(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if s, ok := member.(string); ok && name != "finish_reason" {
				b.WriteString(s)
			}
			gather(b, member)
		}
	case []any:
		for _, item := range v {
			gather(b, item)
		}
	}
}

// What stands in a stream beside its data is looked at, too: whoever reads it as something
// else than events reads that.
func TestBesideData(t *testing.T) {
	long := strings.Repeat(" and so on!", 7000)
	for _, c := range []struct {
		format   answer.Format
		in, want string
	}{
		{answer.Events, `{"error":{"message":"cannot parse 13987654321"}}`, `{"error":{"message":"cannot parse <PHONE>"}}`},
		{answer.Events, "13987654321\nnote: 13987654321\n\n: 13987654321\r\n\r\n", "<PHONE>\nnote: <PHONE>\n\n: <PHONE>\r\n\r\n"},
		{answer.Events, "event: 13987654321\nid: 13987654321\nretry: 13987654321\n\n", "event: 13987654321\nid: 13987654321\nretry: 13987654321\n\n"},
		{answer.Text, "event: 13987654321\nid: 13987654321\nretry: 13987654321\n\n", "event: <PHONE>\nid: <PHONE>\nretry: <PHONE>\n\n"},
		{answer.Events, "\xEF\xBB\xBFdata: {\"a\":\"13987654321" + long + "\"}\n\n", "\xEF\xBB\xBFdata: {\"a\":\"<PHONE>" + long + "\"}\n\n"},
		{answer.Events, ": 13987654321\nnote 13987654321\ndata: {\"a\":\"" + long + "\"}\nnote 13987654321", ": <PHONE>\nnote <PHONE>\ndata: {\"a\":\"" + long + "\"}\nnote <PHONE>"},
		{answer.Events, long + "13987654321", long + "<PHONE>"},
		{answer.Lines, "\xEF\xBB\xBF{\"a\":[\"13987654321!\"]}\n", "\xEF\xBB\xBF{\"a\":[\"<PHONE>!\"]}\n"},
		{answer.JSON, "\xEF\xBB\xBF{\"a\":\"13987654321\"}", "\xEF\xBB\xBF{\"a\":\"<PHONE>\"}"},
		{answer.Text, "\xEF\xBB\xBF13987654321", "\xEF\xBB\xBF<PHONE>"},
		{answer.Text, "dat", "dat"},
		{answer.Text, "id 13987654321", "id <PHONE>"},
		// A line beside a text that is held back stays what it was; the copy has none.
		{answer.Events, "event: a\n: note\ndata: {\"a\":\"139\"}\n\n", "event: a\n: note\ndata: {\"a\":\"\"}\n\nevent: a\n:\ndata: {\"a\":\"139\"}\n\n"},
	} {
		for _, size := range []int{1, 1000, len(c.in)} {
			if got, problem := rewrite(t, answer.Options{Format: c.format, Guess: true, Rules: tags(t)}, c.in, size); got != c.want || problem != answer.None {
				t.Errorf("%.99q in pieces of %d: %.99q (%d)", c.in, size, got, problem)
			}
		}
	}
}

// Sound comes in pieces of base64 that are complete in themselves: nothing of one may go
// out in another.
func TestSoundIsLeftInItsPieces(t *testing.T) {
	for _, event := range []string{
		`{"choices":[{"index":0,"delta":{"audio":{"id":"a","data":"%s"}},"finish_reason":null}]}`,
		`{"type":"response.audio.delta","delta":"%s"}`,
		`{"type":"response.output_audio.delta","delta":"%s","item_id":"i"}`,
	} {
		in := ""
		for _, piece := range []string{"AAECAwQF", "BgcICQoL", "DA0ODxAR", "AAECAw=="} {
			in += "data: " + fmt.Sprintf(event, piece) + "\n\n"
		}
		if out, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: tags(t)}, in); out != in || problem != answer.None {
			t.Errorf("%s: %q (%d)", event, out, problem)
		}
	}
}

// As many choices as an API gives, 128, are told apart, and half of them in one event.
func TestManyChoices(t *testing.T) {
	const text = "call 13987654321 now"
	var each, batch strings.Builder
	for _, c := range text {
		choices := make([]string, 128)
		for i := range choices {
			choices[i] = fmt.Sprintf(`{"index":%d,"delta":{"content":"%c"},"finish_reason":null}`, i, c)
			each.WriteString(`data: {"choices":[` + choices[i] + "]}\n\n")
		}
		batch.WriteString(`data: {"choices":[` + strings.Join(choices[:64], ",") + "]}\n\n")
	}
	for in, want := range map[string]int{each.String(): 128, batch.String(): 64} {
		out, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: tags(t)}, in+"data: [DONE]\n\n", 3000)
		choices := map[float64]string{}
		for _, e := range events(t, out) {
			for _, c := range e["choices"].([]any) {
				choice := c.(map[string]any)
				s, _ := choice["delta"].(map[string]any)["content"].(string)
				choices[choice["index"].(float64)] += s
			}
		}
		for i, got := range choices {
			if got != "call <PHONE> now" {
				t.Fatalf("choice %v of %d: %q (%d)", i, want, got, problem)
			}
		}
		if len(choices) != want {
			t.Errorf("%d choices of %d", len(choices), want)
		}
	}
}

// Indices tell texts apart as strings, too.
func TestIndicesAsStrings(t *testing.T) {
	in := ""
	for _, c := range "call 13987654321 now" {
		in += fmt.Sprintf(`data: {"choices":[{"index":"0","delta":{"content":"%c"}}]}`+"\n\n"+`data: {"choices":[{"index":"1","delta":{"content":"5"}}]}`+"\n\n", c)
	}
	out, _ := rewrite(t, answer.Options{Format: answer.Events, Rules: tags(t)}, in)
	said := map[any]string{}
	for _, e := range events(t, out) {
		choice := e["choices"].([]any)[0].(map[string]any)
		s, _ := choice["delta"].(map[string]any)["content"].(string)
		said[choice["index"]] += s
	}
	if said["0"] != "call <PHONE> now" || said["1"] != strings.Repeat("5", 20) {
		t.Errorf("%q", said)
	}
}
