package answer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// tags is a rule for each kind of the first four.
func tags(t testing.TB) *redact.Rules {
	t.Helper()
	var entities []spec.Entity
	for _, k := range []spec.EntityKind{spec.EntityPhone, spec.EntityEmail, spec.EntityResidentID, spec.EntityBankCard} {
		entities = append(entities, spec.Entity{Kind: k, Mode: spec.RedactTag})
	}
	return redact.Compile(&spec.Redaction{Entities: entities}, spec.DirectionResponse)
}

// What the Rewriters of a worker share.
var (
	pool = hold.NewPool(1 << 20)
	desk = &answer.Desk{}
)

// rewrite sends an answer through a Rewriter in pieces of the given sizes, over and over.
func rewrite(t testing.TB, o answer.Options, in string, sizes ...int) (string, answer.Problem) {
	t.Helper()
	var r answer.Rewriter
	r.Bind(pool)
	o.Desk = desk
	o.Session = &redact.Session{}
	r.Reset(&o)
	var out bytes.Buffer
	for i, k := 0, 0; i < len(in); k++ {
		n := len(in)
		if len(sizes) > 0 {
			n = max(1, sizes[k%len(sizes)])
		}
		piece := []byte(in[i:min(i+n, len(in))])
		r.Write(piece, sinkTo(&out))
		clear(piece) // nothing may be read after the call
		i += n
	}
	r.End(sinkTo(&out))
	problem := r.Problem()
	r.Release()
	if pool.InUse() != 0 {
		t.Errorf("%d bytes are held after the end", pool.InUse())
	}
	return out.String(), problem
}

type sink struct{ b *bytes.Buffer }

func sinkTo(b *bytes.Buffer) sink { return sink{b} }

func (s sink) Write(p []byte) error {
	s.b.Write(p)
	return nil
}

// whole is a text that is the value of a member, redacted in one piece.
func whole(rules *redact.Rules, member, text string) string {
	if member == "arguments" || member == "partial_json" {
		return wholeCoded(rules, text)
	}
	var r redact.Redactor
	var out bytes.Buffer
	r.Reset(rules, &redact.Session{}, sinkTo(&out))
	r.Key([]byte(member))
	r.StringStart()
	_ = r.Bytes([]byte(text))
	_ = r.StringEnd()
	return out.String()
}

// words are what texts are made of; some are values, and some look like the beginning
// of one.
var words = []string{
	"hello", " ", " world", ", ", "13812345678", "zhang@example.com", "4111 1111 1111 1111", "11010519491231002X", "1381234567", "a@", "@", "1", "请联系",
	"我们。", `\n`, `\"`, `\\`, `\u0031\u0033812345678`, `\u4f60`, "1 3 8", "-", "5:", "_", "６１３", `{\"mail\":\"bob@corp.example\"}`,
}

func text(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(12) {
		b.WriteString(words[random.IntN(len(words))])
	}
	return b.String()
}

// pieces cuts raw string content where an encoder may: between characters.
func pieces(random *rand.Rand, raw string) []string {
	var out []string
	most := 1 + random.IntN(12)
	for raw != "" {
		end := 0
		for range 1 + random.IntN(most) {
			if end < len(raw) {
				end += character(raw[end:])
			}
		}
		out, raw = append(out, raw[:end]), raw[end:]
	}
	return out
}

func character(raw string) int {
	switch {
	case strings.HasPrefix(raw, `\u`):
		if len(raw) >= 12 && raw[6:8] == `\u` && utf16.DecodeRune(unit(raw), unit(raw[6:])) != utf8.RuneError {
			return 12
		}
		return 6
	case raw[0] == '\\':
		return 2
	}
	for i := range raw {
		if i > 0 {
			return i
		}
	}
	return len(raw)
}

// unit is the code unit of an escape.
func unit(raw string) rune {
	n, _ := strconv.ParseUint(raw[2:6], 16, 16)
	return rune(n)
}

// dialect is an API: how a piece of a text and its end are said. Texts are numbered.
type dialect struct {
	name  string
	piece func(text int, raw string) string
	end   func(text int) string
	close string
	// member is the name of a text.
	member func(text int) string
	// lane says which text a delta of the output belongs to, and its raw content.
	lane func(event map[string]any) map[int]string
}

var chat = dialect{
	name:   "chat",
	member: func(n int) string { return []string{"content", "arguments"}[n%2] },
	piece: func(n int, raw string) string {
		if n%2 == 0 {
			return fmt.Sprintf(`data: {"id":"chatcmpl-13812345678","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"delta":{"content":"%s"},"index":%d,"logprobs":null,"finish_reason":null}]}`+"\n\n", raw, n/2)
		}
		return fmt.Sprintf(`data: {"id":"c","choices":[{"index":%d,"delta":{"tool_calls":[{"function":{"arguments":"%s"},"index":%d}]},"finish_reason":null}],"usage":null}`+"\n\n", n/2, raw, n%3)
	},
	end: func(n int) string {
		if n%2 == 0 {
			return ""
		}
		return fmt.Sprintf(`data: {"id":"c","choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}`+"\n\n", n/2)
	},
	close: `data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\ndata: [DONE]\n\n",
	lane: func(e map[string]any) map[int]string {
		out := map[int]string{}
		for _, c := range e["choices"].([]any) {
			choice := c.(map[string]any)
			n, d := int(choice["index"].(float64)), choice["delta"].(map[string]any)
			if s, ok := d["content"].(string); ok {
				out[2*n] = s
			}
			if calls, ok := d["tool_calls"].([]any); ok {
				out[2*n+1] = calls[0].(map[string]any)["function"].(map[string]any)["arguments"].(string)
			}
		}
		return out
	},
}

var responses = dialect{
	name:   "responses",
	member: func(int) string { return "delta" },
	piece: func(n int, raw string) string {
		return fmt.Sprintf("event: response.output_text.delta\ndata: "+`{"content_index":%d,"delta":"%s","item_id":"msg_%d","obfuscation":"13812345678","output_index":%d,"sequence_number":4,"type":"response.output_text.delta"}`+"\n\n", n%2, raw, rand.Int(), n/2)
	},
	end: func(n int) string {
		return fmt.Sprintf("event: response.output_text.done\ndata: "+`{"type":"response.output_text.done","output_index":%d,"content_index":%d,"text":"call 13812345678"}`+"\n\n", n/2, n%2)
	},
	close: "event: response.completed\ndata: " + `{"type":"response.completed","response":{"id":"r","output":[{"content":[{"text":"mail zhang@example.com"}]}]}}` + "\n\n",
	lane: func(e map[string]any) map[int]string {
		if e["type"] != "response.output_text.delta" {
			return nil
		}
		return map[int]string{2*int(e["output_index"].(float64)) + int(e["content_index"].(float64)): e["delta"].(string)}
	},
}

var messages = dialect{
	name:   "messages",
	member: func(n int) string { return []string{"text", "partial_json"}[n%2] },
	piece: func(n int, raw string) string {
		if n%2 == 0 {
			return fmt.Sprintf("event: content_block_delta\r\ndata: "+`{"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"},"index":%d}`+"\r\n\r\n", raw, n)
		}
		return fmt.Sprintf(": a comment\n\nevent: content_block_delta\ndata: "+`{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta","partial_json":"%s"}}`+"\n\n", n, raw)
	},
	end: func(n int) string {
		return fmt.Sprintf("event: content_block_stop\ndata: "+`{"type":"content_block_stop","index":%d}`+"\n\n", n)
	},
	close: "event: message_delta\ndata: " + `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}` + "\n\nevent: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n",
	lane: func(e map[string]any) map[int]string {
		if e["type"] != "content_block_delta" {
			return nil
		}
		d := e["delta"].(map[string]any)
		n := int(e["index"].(float64))
		if s, ok := d["text"].(string); ok {
			return map[int]string{n: s}
		}
		return map[int]string{n: d["partial_json"].(string)}
	},
}

// anything has members of any name, and no index and no end.
var anything = dialect{
	name:   "anything",
	member: func(n int) string { return fmt.Sprintf("deep%d", n) },
	piece: func(n int, raw string) string {
		list := strings.Repeat(`0,`, n%3)
		return fmt.Sprintf(`data: {"a":[%s{"deep%d":[["%s"]]}]}`+"\n\n", list, n, raw)
	},
	end: func(int) string { return "" },
	lane: func(e map[string]any) map[int]string {
		list := e["a"].([]any)
		for k, v := range list[len(list)-1].(map[string]any) {
			n := 0
			if _, err := fmt.Sscanf(k, "deep%d", &n); err != nil {
				return nil
			}
			return map[int]string{n: v.([]any)[0].([]any)[0].(string)}
		}
		return nil
	},
}

// stream says texts at once, one piece of one after the other.
func (d *dialect) stream(random *rand.Rand, texts []string) string {
	var b strings.Builder
	left := make([][]string, len(texts))
	for i, t := range texts {
		left[i] = append([]string{}, pieces(random, t)...)
	}
	for open := len(texts); open > 0; {
		i := random.IntN(len(texts))
		switch {
		case left[i] == nil:
		case len(left[i]) == 0:
			left[i] = nil
			open--
		default:
			b.WriteString(d.piece(i, left[i][0]))
			left[i] = append([]string{}, left[i][1:]...)
		}
	}
	for i := range texts {
		b.WriteString(d.end(i))
	}
	b.WriteString(d.close)
	return b.String()
}

// events are the data of a stream's events.
func events(t testing.TB, stream string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(strings.ReplaceAll(stream, "\r\n", "\n")) {
		text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: ")
		if !ok || text == "[DONE]" {
			continue
		}
		var e map[string]any
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, e)
	}
	return out
}

func unquote(t testing.TB, raw string) string {
	t.Helper()
	var s string
	if err := json.Unmarshal([]byte(`"`+raw+`"`), &s); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return s
}

// However the texts of a stream are cut into events, and these into chunks, they come
// out as if each had been redacted whole, and the rest as it was.
func TestTextsAcrossEvents(t *testing.T) {
	rules := tags(t)
	for _, d := range []*dialect{&chat, &responses, &messages, &anything} {
		t.Run(d.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 7))
			for range 600 {
				texts := make([]string, 1+random.IntN(6))
				for i := range texts {
					texts[i] = text(random)
				}
				across(t, d, rules, random, texts)
			}
		})
	}
}

// across says texts in events that are cut at random.
func across(t *testing.T, d *dialect, rules *redact.Rules, random *rand.Rand, texts []string) {
	t.Helper()
	in := d.stream(random, texts)
	out, problem := rewrite(t, answer.Options{Format: answer.Events, Rules: rules}, in, 1+random.IntN(60), 1+random.IntN(400))
	if problem != answer.None {
		t.Fatalf("problem %d with %s", problem, in)
	}
	got := make([]string, len(texts))
	for _, e := range events(t, out) {
		for n, s := range d.lane(e) {
			got[n] += s
		}
	}
	for i := range texts {
		if want := unquote(t, whole(rules, d.member(i), texts[i])); got[i] != want {
			t.Fatalf("text %d of\n%s\ncame out as\n%s\n%q, want %q", i, in, out, got[i], want)
		}
	}
	if again, _ := rewrite(t, answer.Options{Format: answer.Events, Rules: rules}, in); again != out {
		t.Fatalf("in one piece\n%s\nin several\n%s", again, out)
	}
	kept(t, in, out)
}

// kept says whether the events of a stream came out in their order, with everything but
// their texts, and nothing else but copies of them.
func kept(t *testing.T, in, out string) {
	t.Helper()
	left := skeletons(out)
	known := map[string]bool{}
	for _, s := range skeletons(in) {
		known[s] = true
		for len(left) > 0 && left[0] != s {
			if !known[left[0]] {
				t.Fatalf("an event came out that did not come in: %s\n%s\n%s", left[0], in, out)
			}
			left = left[1:]
		}
		if len(left) == 0 {
			t.Fatalf("an event is gone: %s\n%s\n%s", s, in, out)
		}
		left = left[1:]
	}
	for _, s := range left {
		if !known[s] {
			t.Fatalf("an event came out that did not come in: %s\n%s\n%s", s, in, out)
		}
	}
}

// skeletons are the events of a stream without the texts of the dialects.
func skeletons(stream string) []string {
	var out []string
	for _, e := range strings.Split(strings.ReplaceAll(stream, "\r\n", "\n"), "\n\n") {
		for _, name := range []string{`"content":"`, `"arguments":"`, `"delta":"`, `"text":"`, `"partial_json":"`, `[["`} {
			if before, after, ok := strings.Cut(e, name); ok {
				end := 0
				for after[end] != '"' {
					end += character(after[end:])
				}
				e = before + name + after[end:]
			}
		}
		out = append(out, numbers.ReplaceAllString(e, `"sequence_number":0`))
	}
	return out
}

// numbers are those of events, of which those that are put in have their own.
var numbers = regexp.MustCompile(`"sequence_number":\d+`)
