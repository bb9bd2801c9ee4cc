package engine_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// tagging is document with every entity replaced by its tag.
func tagging() *spec.Document {
	d := document()
	for i := range d.Redactions[0].Entities {
		d.Redactions[0].Entities[i].Mode = spec.RedactTag
	}
	return d
}

// Bodies as clients send them, with an address or a phone number wherever text may
// stand, and where none is looked for. What is replaced is written in brackets.
var covered = []struct{ name, path, body string }{
	{"chat", "/v1/chat/completions", `{"model":"gpt-4","messages":[{"role":"system","content":"Answer [alice@example.com]"},
		{"role":"user","name":"[bob@example.com]","content":[{"type":"text","text":"call [13800138000]"},{"type":"image_url","image_url":{"url":"https://x.test/?u=[alice@example.com]"}}]}],
		"metadata":{"owner":"[alice@example.com]"},"user":"[alice@example.com]","stop":["[13800138000]"],"unknown":{"a":[["[alice@example.com]"]]},"prediction":{"type":"content","content":"[13800138000]"}}`},
	{"chat, the model last", "/v1/chat/completions", `{"messages":[{"role":"13800138000","content":"[13800138000]","tool_call_id":"13800138000"}],"model":"gpt-4"}`},
	{"chat tools", "/v1/chat/completions", `{"model":"gpt-4","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"13800138000","type":"function","function":{"name":"mail",
		"arguments":"{\"to\":\"[alice@example.com]\",\"n\":13800138000,\"13800138000\":[\"[13800138000]\",{\"body\":\"a\\u4e2d\\\"[13800138000]\\\"\"}]}"}}],"function_call":{"name":"f","arguments":"not JSON: [13800138000]"}},
		{"role":"tool","tool_call_id":"13800138000","content":"{\"mail\":\"[alice@example.com]\",\"a\":\"x\\n[13800138000]\\n[alice\\u0040example.com]\"}"}],
		"tools":[{"type":"function","function":{"name":"mail","description":"mail [alice@example.com]","parameters":{"type":"object","properties":{"to":{"type":"string","description":"as [13800138000]","enum":["[bob@example.com]"]}}}}}],
		"tool_choice":{"type":"function","function":{"name":"13800138000"}},"response_format":{"type":"json_schema","json_schema":{"name":"13800138000","schema":{"description":"[13800138000]"}}}}`},
	{"tool arguments spelled with escapes", "/v1/chat/completions", `{"model":"gpt-4","messages":[{"tool_calls":[{"function":{"\u0061rguments":"\u007b\u0022to\u0022: \u0022[alice\u0040example.com]\u0022,\"n\":13800138000}"}}]}]}`},
	{"tool arguments that are cut off", "/v1/chat/completions", `{"model":"gpt-4","messages":[{"tool_calls":[{"function":{"arguments":"{\"to\":\"[alice@example.com]\", oops [13800138000]"}}]}]}`},
	{"choices of tools", "/v1/chat/completions", `{"model":"gpt-4","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"13800138000","function":{"name":"13800138000"}}],"x":"[13800138000]"},"modalities":["13800138000"]}`},
	{"objects where an API has a word", "/v1/chat/completions", `{"model":"gpt-4","type":{"a":"[13800138000]"},"id":["[13800138000]"],"service_tier":{"a":"[13800138000]"},"include":["13800138000",{"a":"[13800138000]"}],
		"messages":[{"role":{"a":"[13800138000]"},"tool_calls":[{"id":["[13800138000]"]}]}]}`},
	{"completions", "/v1/completions", `{"model":"gpt-4","prompt":["[13800138000]","of [alice@example.com]"],"suffix":"[13800138000]"}`},
	{"embeddings", "/v1/embeddings", `{"model":"gpt-4","input":["[13800138000]","[alice@example.com]"],"encoding_format":"float"}`},
	{"embeddings of one", "/v1/embeddings", `{"input":"[13800138000]","model":"gpt-4"}`},
	{"responses", "/v1/responses", `{"model":"gpt-4","instructions":"[alice@example.com]","input":[{"role":"user","content":[{"type":"input_text","text":"[13800138000]"}]},
		{"type":"function_call","call_id":"13800138000","id":"13800138000","name":"mail","arguments":"{\"to\":\"[alice@example.com]\",\"n\":13800138000}"},
		{"type":"function_call_output","call_id":"13800138000","output":"{\"found\":\"[bob@example.com]\"}"}],"previous_response_id":"13800138000","text":{"format":{"type":"text"}}}`},
	{"responses of one", "/v1/responses", `{"model":"gpt-4","input":"[13800138000]"}`},
	{"anthropic", "/v1/messages", `{"model":"gpt-4","max_tokens":9,"system":[{"type":"text","text":"[alice@example.com]","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"[13800138000]"},
		{"role":"assistant","content":[{"type":"thinking","thinking":"[13800138000]","signature":"13800138000"},{"type":"tool_use","id":"13800138000","name":"mail","input":{"to":"[alice@example.com]","type":"[13800138000]","n":13800138000}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"13800138000","content":[{"type":"text","text":"[bob@example.com]"}]},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"[13800138000]"},"title":"[alice@example.com]"}]}],
		"tools":[{"name":"mail","description":"[alice@example.com]","input_schema":{"type":"object","properties":{"to":{"description":"[13800138000]"}}}}]}`},
	{"anthropic input as a string", "/v1/messages", `{"model":"gpt-4","messages":[{"content":[{"type":"tool_use","input":"{\"a\":[13800138000,\"[13800138000]\"]}"}]}]}`},
	{"inference", "/v2/models/gpt-4/infer", `{"id":"13800138000","parameters":{"who":"[alice@example.com]"},"inputs":[{"name":"13800138000","shape":[2],"datatype":"BYTES","parameters":{"x":"[13800138000]"},"data":["[alice@example.com]",["[13800138000]"]]}],
		"outputs":[{"name":"13800138000"}]}`},
	{"generate", "/v2/models/gpt-4/generate", `{"text_input":"[13800138000]","parameters":{"stop":"[alice@example.com]"}}`},
	{"a string", "/v2/models/gpt-4/generate", `"[13800138000]"`},
	{"a list", "/v2/models/gpt-4/generate", `["[13800138000]",13800138000]`},
}

var spelled = strings.NewReplacer(
	"[13800138000]", "13800138000", "[alice@example.com]", "alice@example.com", "[bob@example.com]", "bob@example.com", `[alice\u0040example.com]`, `alice\u0040example.com`, `[alice\\u0040example.com]`, `alice\\u0040example.com`,
)

var replaced = strings.NewReplacer(
	"[13800138000]", "<PHONE>", "[alice@example.com]", "<EMAIL>", "[bob@example.com]", "<EMAIL>", `[alice\u0040example.com]`, "<EMAIL>", `[alice\\u0040example.com]`, "<EMAIL>",
)

func TestCoverage(t *testing.T) {
	pool := hold.NewPool(1 << 20)
	s, p, random := engine.NewStream(pool), compile(t, tagging()), rand.New(rand.NewPCG(1, 3))
	for _, c := range covered {
		body, want := spelled.Replace(c.body), replaced.Replace(c.body)
		whole := observe(t, pool, s, p, c.path, "", []byte(body), func() int { return len(body) })
		if whole.upstream != want || !json.Valid([]byte(want)) {
			t.Errorf("%s:\n%s\nwant\n%s\n%s", c.name, whole.upstream, want, whole.reply)
		}
		for _, most := range []int{1, 3, 50} {
			if pieces := observe(t, pool, s, p, c.path, "", []byte(body), func() int { return 1 + random.IntN(most) }); !reflect.DeepEqual(pieces, whole) {
				t.Errorf("%s in pieces of %d:\n%+v\nwant\n%+v", c.name, most, pieces, whole)
			}
		}
	}
}

// What a policy leaves alone besides: the value there and all in it, and nothing else.
func TestSkip(t *testing.T) {
	d := tagging()
	d.Redactions[0].Skip = []string{"metadata", "messages[*].tool_calls", "messages[*].name"}
	pool := hold.NewPool(1 << 20)
	s, p := engine.NewStream(pool), compile(t, d)
	for _, model := range [][2]string{{`"model":"gpt-4",`, ""}, {"", `,"model":"gpt-4"`}} {
		body := "{" + model[0] + `"metadata":{"a":["13800138000"],"b":{"messages":"13800138000"}},"messages":[{"name":"13800138000","content":"[13800138000]",` +
			`"tool_calls":[{"function":{"arguments":"{\"a\":\"13800138000\"}"}}]},{"x":{"metadata":"[13800138000]"}}]` + model[1] + "}"
		sent, want := spelled.Replace(body), replaced.Replace(body)
		if got := observe(t, pool, s, p, "/v1/chat/completions", "", []byte(sent), func() int { return 7 }); got.upstream != want {
			t.Errorf("%s\nwant %s\n%s", got.upstream, want, got.reply)
		}
	}
}

// Bodies that are no JSON are redacted without an allocation, too.
func TestNoAllocationOfOtherBodies(t *testing.T) {
	const service = "/inference.GRPCInferenceService/ModelInfer"
	message := "\n\x05gpt-4*\x1a\x12\x05BYTES*\x11B\x0f13800138000 abc"
	d := tagging()
	d.Models[0].GRPC = true
	for i := range d.Redactions[0].Entities {
		d.Redactions[0].Entities[i].Directions = spec.DirectionRequest
	}
	p, s, h := compile(t, d), newStream(), newHost()
	for _, c := range []struct{ path, contentType, body string }{
		{service, "application/grpc", "\x00\x00\x00\x00" + string(rune(len(message))) + message},
		{"/v2/models/gpt-4/generate", "text/plain", "call 13800138000"},
		{"/v2/models/gpt-4/generate", "application/x-www-form-urlencoded", "a=13800138000&b=alice%40example.com"},
		{"/v2/models/gpt-4/generate", "multipart/form-data; boundary=b", "--b\r\n\r\n13800138000\r\n--b\r\nContent-Type: application/json\r\n\r\n[\"alice@example.com\"]\r\n--b--"},
	} {
		whole := []byte(c.body)
		headers := [][2][]byte{{[]byte(":method"), []byte("POST")}, {[]byte(":path"), []byte(c.path)}, {[]byte("content-type"), []byte(c.contentType)}}
		for _, size := range []int{1000, 3} {
			if n := testing.AllocsPerRun(20, func() {
				s.Reset(p, h)
				for _, header := range headers {
					s.Header(header[0], header[1])
				}
				action, body := s.Headers(false), whole
				for len(body) > 0 && action == engine.Hold {
					n := min(size, len(body))
					action = s.Body(body[:n], n == len(body))
					body = body[n:]
				}
				if action != engine.Forward || s.Counts()[spec.EntityPhone] != 1 {
					t.Fatalf("%s: action %d, %s", c.contentType, action, s.Reply().Body)
				}
				s.Release()
			}); n != 0 {
				t.Errorf("%s in pieces of %d: %v allocations", c.contentType, size, n)
			}
		}
	}
}

// The name of a member says what its value may be, in the body and in JSON in its strings.
func TestKeyIsContext(t *testing.T) {
	d := tagging()
	d.Redactions[0].Entities = []spec.Entity{{Kind: spec.EntityPassport, Mode: spec.RedactTag}}
	pool := hold.NewPool(1 << 20)
	s, p := engine.NewStream(pool), compile(t, d)
	for body, want := range map[string]string{
		`{"model":"gpt-4","a":{"passport":"E12345678"},"order":"E12345678"}`:                                                                `{"model":"gpt-4","a":{"passport":"<PASSPORT>"},"order":"E12345678"}`,
		`{"model":"gpt-4","passportNumbers":["E12345678","E12345679"],"list":["E12345678"]}`:                                                `{"model":"gpt-4","passportNumbers":["<PASSPORT>","<PASSPORT>"],"list":["E12345678"]}`,
		`{"model":"gpt-4","messages":[{"tool_calls":[{"function":{"arguments":"{\"passport\":\"E12345678\",\"order\":\"E12345678\"}"}}]}]}`: `{"model":"gpt-4","messages":[{"tool_calls":[{"function":{"arguments":"{\"passport\":\"<PASSPORT>\",\"order\":\"E12345678\"}"}}]}]}`,
	} {
		if got := observe(t, pool, s, p, "/v1/chat/completions", "", []byte(body), func() int { return 7 }); got.upstream != want {
			t.Errorf("%s\nbecame %s\nwant   %s\n%s", body, got.upstream, want, got.reply)
		}
	}
}

// A body of which nothing comes out, or nothing yet, is not taken for one that is left
// as it is.
func TestNothingComesOut(t *testing.T) {
	d := tagging()
	d.Redactions[0].Entities[0].Mode = spec.RedactDrop
	d.Settings.HoldLimit, d.Settings.Overflow = 100, spec.OverflowStream
	pool := hold.NewPool(1 << 20)
	s, p := engine.NewStream(pool), compile(t, d)
	for body, want := range map[string]string{"13800138000": "", strings.Repeat("t", 143): strings.Repeat("t", 143)} {
		for _, size := range []int{1, 5, 1000} {
			got := observeAs(t, "text/plain", pool, s, p, "/v2/models/gpt-4/generate", "", []byte(body), func() int { return size })
			if got.upstream != want || got.action != engine.Forward {
				t.Errorf("%s in pieces of %d became %q", body, size, got.upstream)
			}
		}
	}
}
