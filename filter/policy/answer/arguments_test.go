package answer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Values of a caller. The first ones hold what JSON escapes.
const (
	ownKey   = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\r\n\tKY1=\n-----END PRIVATE KEY-----"
	ownEnv   = `-----BEGIN PRIVATE KEY-----\nAIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----`
	ownMail  = "caller@example.com"
	ownPhone = "138 1234 5678"
)

// callers begins a session in which the caller's values have tokens, in this order.
func callers(t testing.TB) (s *redact.Session, tokens []string) {
	t.Helper()
	keys := &redact.Keys{}
	keys.Seed(&[32]byte{1})
	s = &redact.Session{}
	s.Reset(keys, false)
	var entities []spec.Entity
	for _, k := range []spec.EntityKind{spec.EntityPhone, spec.EntityEmail, spec.EntityPrivateKey} {
		entities = append(entities, spec.Entity{Kind: k, Mode: spec.RedactToken})
	}
	rules := redact.Compile(&spec.Redaction{Entities: entities}, spec.DirectionRequest)
	for i, value := range []string{ownKey, ownEnv, ownMail, ownPhone} {
		var r redact.Redactor
		var out bytes.Buffer
		r.Reset(rules, s, sinkTo(&out))
		levels := i % 3 // however it is sent, the same value comes back
		r.Escapes(uint8(levels))
		raw := value
		for range levels {
			raw = escaped(raw)
		}
		r.StringStart()
		for c := range len(raw) {
			if err := r.Bytes([]byte{raw[c]}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.StringEnd(); err != nil || !strings.HasPrefix(out.String(), "[") {
			t.Fatalf("%q became %q (%v)", value, out.String(), err)
		}
		tokens = append(tokens, out.String())
	}
	return s, tokens
}

// escaped is a text as content of a JSON string.
func escaped(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return strings.TrimSuffix(b.String(), "\"\n")[1:]
}

// through sends an answer with the caller's session through a Rewriter.
func through(t testing.TB, s *redact.Session, rules *redact.Rules, format answer.Format, in string, size int) string {
	t.Helper()
	var r answer.Rewriter
	var out bytes.Buffer
	r.Bind(pool)
	r.Reset(&answer.Options{Desk: desk, Format: format, Rules: rules, Session: s, Hold: 128})
	for i := 0; i < len(in); i += size {
		r.Write([]byte(in[i:min(i+size, len(in))]), sinkTo(&out))
	}
	r.End(sinkTo(&out))
	if r.Problem() != answer.None {
		t.Fatalf("problem %d with %s", r.Problem(), in)
	}
	r.Release()
	return out.String()
}

// argued is how APIs say the arguments of a call: whole, and as streams of deltas.
var argued = []struct {
	name   string
	format answer.Format
	delta  string // %s is raw content
	end    string // likewise, of the whole
}{
	{"chat, whole", answer.JSON, "", `{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"%s"}}]}}]}`},
	{"responses, whole", answer.JSON, "", `{"output":[{"type":"function_call","call_id":"c","name":"f","arguments":"%s"}]}`},
	{"chat", answer.Events, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"%s"}}]}}]}`, `data: [DONE]`},
	{"chat, as it was", answer.Events, `data: {"choices":[{"index":0,"delta":{"function_call":{"arguments":"%s"}}}]}`, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}`},
	{"responses", answer.Events, "event: response.function_call_arguments.delta\ndata: " + `{"delta":"%s","output_index":0,"type":"response.function_call_arguments.delta"}`,
		`data: {"type":"response.function_call_arguments.done","output_index":0,"arguments":"%s"}`},
	{"responses, the item", answer.Events, `data: {"type":"response.mcp_call_arguments.delta","output_index":0,"delta":"%s"}`,
		`data: {"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","arguments":"%s"}}`},
	{"messages", answer.Events, `data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"%s"}}`, `data: {"type":"content_block_stop","index":0}`},
}

// arguments joins what an answer says in members of these names: in deltas, and whole.
func arguments(t testing.TB, format answer.Format, out string) (all []string) {
	t.Helper()
	answers := []map[string]any{}
	if format == answer.Events {
		answers = events(t, out)
	} else {
		var v map[string]any
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		answers = append(answers, v)
	}
	joined, whole := "", ""
	for _, e := range answers {
		into := &joined
		if typed, _ := e["type"].(string); strings.HasSuffix(typed, ".done") {
			into = &whole
		}
		collect(into, e)
	}
	for _, s := range []string{joined, whole} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

func collect(into *string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			if s, ok := m.(string); ok && (name == "arguments" || name == "delta" || name == "partial_json") {
				*into += s
			}
			collect(into, m)
		}
	case []any:
		for _, m := range v {
			collect(into, m)
		}
	}
}

// What comes out of the arguments of a call is JSON, with the caller's values in it as
// they were, whatever has to be escaped, and others' redacted; numbers and names stay.
func TestArguments(t *testing.T) {
	s, tokens := callers(t)
	inner, err := json.Marshal(map[string]any{"deep": tokens[0], "mail": "stranger@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]any{
		"key": tokens[0], "env": "export KEY=" + tokens[1] + "\n", "mail": tokens[2], "list": []any{tokens[3], "call 13987654321"}, "13987654321": 13987654321.0,
		"body": string(inner), "quoted": `say "` + tokens[0] + `"`, "back": `C:\` + tokens[2], "as": strings.ToLower(tokens[2][1 : len(tokens[2])-1]),
		tokens[2]: "a name",
	}
	want := map[string]any{
		"key": ownKey, "env": "export KEY=" + ownEnv + "\n", "mail": ownMail, "list": []any{ownPhone, "call <PHONE>"}, "13987654321": 13987654321.0,
		"quoted": `say "` + ownKey + `"`, "back": `C:\` + ownMail, "as": ownMail, ownMail: "a name",
	}
	spelled, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range argued {
		for _, raw := range []string{escaped(string(spelled)), strings.ReplaceAll(escaped(string(spelled)), "@", `\\u0040`), strings.ReplaceAll(escaped(string(spelled)), "@", `\u0040`)} {
			in := c.end
			if c.delta != "" {
				in = ""
				for rest := raw; rest != ""; {
					n := character(rest)
					in += fmt.Sprintf(c.delta, rest[:n]) + "\n\n"
					rest = rest[n:]
				}
				in += c.end + "\n\n"
			}
			if strings.Contains(c.end, "%s") {
				in = strings.Replace(in, "%s", raw, 1)
			}
			for _, size := range []int{1, 100, len(in)} {
				for i, joined := range arguments(t, c.format, through(t, s, tags(t), c.format, in, size)) {
					got := map[string]any{}
					if err := json.Unmarshal([]byte(joined), &got); err != nil {
						t.Fatalf("%s: %v in %s", c.name, err, joined)
					}
					body := map[string]any{}
					if text, _ := got["body"].(string); json.Unmarshal([]byte(text), &body) != nil || body["deep"] != ownKey || body["mail"] != "<EMAIL>" {
						t.Errorf("%s, %d: JSON in a string in a string: %v", c.name, i, got["body"])
					}
					delete(got, "body")
					if !reflect.DeepEqual(got, want) {
						t.Errorf("%s, %d in pieces of %d:\n%v\nwant\n%v", c.name, i, size, got, want)
					}
				}
			}
		}
	}
}

// An answer that is JSON, because it was asked for so, stays it.
func TestStructuredOutput(t *testing.T) {
	s, tokens := callers(t)
	content := escaped(" \n{\"key\": \"" + tokens[0] + `", "mail": "` + tokens[2] + "\"}")
	in := ""
	for content != "" {
		n := character(content)
		in += fmt.Sprintf(`data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}`+"\n\n", content[:n])
		content = content[n:]
	}
	joined := ""
	for _, e := range events(t, through(t, s, tags(t), answer.Events, in+"data: [DONE]\n\n", 100)) {
		joined += chat.lane(e)[0]
	}
	got := map[string]string{}
	if err := json.Unmarshal([]byte(joined), &got); err != nil || got["key"] != ownKey || got["mail"] != ownMail {
		t.Errorf("%v: %s", err, joined)
	}
	text := "The key is " + tokens[0] + " and no other"
	if got, want := through(t, s, tags(t), answer.Text, text, 7), strings.Replace(text, tokens[0], ownKey, 1); got != want {
		t.Errorf("as text %q, want %q", got, want)
	}
}

// Whatever rules do with values in arguments, these stay JSON, and what no rule asks for
// stays as it was.
func TestArgumentsStayJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	session := &redact.Session{}
	keys := &redact.Keys{}
	keys.Seed(&[32]byte{2})
	for _, mode := range []spec.RedactionMode{spec.RedactMask, spec.RedactTag, spec.RedactHMAC, spec.RedactFormat, spec.RedactDrop} {
		var entities []spec.Entity
		for k := range spec.EntityKinds {
			e := spec.Entity{Kind: spec.EntityKind(k), Mode: mode}
			if e.Problem().Field == "" {
				entities = append(entities, e)
			}
		}
		rules := redact.Compile(&spec.Redaction{Entities: entities}, spec.DirectionResponse)
		session.Reset(keys, false)
		for range 300 {
			sent := map[string]any{}
			for range 1 + random.IntN(4) {
				sent[text(random)] = []any{text(random), random.IntN(1 << 40), unquote(t, text(random))}
			}
			spelled, err := json.Marshal(sent)
			if err != nil {
				t.Fatal(err)
			}
			in := ""
			for _, piece := range pieces(random, escaped(string(spelled))) {
				in += fmt.Sprintf(argued[2].delta, piece) + "\n\n"
			}
			got := arguments(t, answer.Events, through(t, session, rules, answer.Events, in+"data: [DONE]\n\n", 1+random.IntN(300)))
			back := map[string]any{}
			if len(got) != 1 || json.Unmarshal([]byte(got[0]), &back) != nil || len(back) != len(sent) {
				t.Fatalf("%s became %s", spelled, got)
			}
			for name := range sent {
				if _, ok := back[name]; !ok {
					t.Fatalf("the name %q is gone from %s", name, got)
				}
			}
		}
	}
}

// Arguments that are no string but an object are the model's words: no name in them is
// one of the API's, in whose members identifiers are left alone.
func TestArgumentObjects(t *testing.T) {
	s, tokens := callers(t)
	const made = `{"id":"stranger@example.org","type":"%[1]s","status":["13987654321",{"role":"%[1]s"}],"model":"m","index":"13987654321","finish_reason":"%[1]s"}`
	want := `{"id":"<EMAIL>","type":"` + ownMail + `","status":["<PHONE>",{"role":"` + ownMail + `"}],"model":"m","index":"<PHONE>","finish_reason":"` + ownMail + `"}`
	sent := fmt.Sprintf(made, tokens[2])
	for _, around := range []string{
		`{"id":"a@example.org","message":{"tool_calls":[{"function":{"name":"f","arguments":%s}}]}}`,
		`{"id":"a@example.org","candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":%s}}]}}]}`,
		`{"id":"a@example.org","content":[{"type":"tool_use","id":"13987654321","name":"f","input":%s}]}`,
		`{"id":"a@example.org","output":[{"type":"file_search_call","results":[{"file_id":"13987654321","attributes":%s}]}]}`,
	} {
		in, out := fmt.Sprintf(around, sent), fmt.Sprintf(around, want)
		if got := through(t, s, tags(t), answer.JSON, in, 7); got != out {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, out)
		}
		in, out = "data: "+in+"\n\n", "data: "+out+"\n\n"
		if got := through(t, s, tags(t), answer.Events, in, 7); got != out {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, out)
		}
	}
}
