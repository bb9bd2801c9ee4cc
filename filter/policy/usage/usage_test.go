package usage_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/usage"
)

// outcome is all that is seen of an answer.
type outcome struct {
	usage usage.Usage
	text  int64
	out   string
}

// read gives an answer to a scanner in pieces that next sizes.
func read(s *usage.Scanner, f usage.Format, cut bool, answer []byte, next func() int) outcome {
	s.Reset(f, cut)
	var out []byte
	for rest := answer; len(rest) > 0; {
		piece := bytes.Clone(rest[:min(next(), len(rest))])
		rest = rest[len(piece):]
		p := s.Scan(piece)
		if p.Unchanged() {
			out = append(out, piece...)
		} else {
			out = append(append(append(out, p.Before...), piece[:p.From]...), piece[p.To:len(piece)-p.Tail]...)
		}
		for i := range piece {
			piece[i] = 0xEE // the scanner must not look at it again
		}
	}
	out = append(out, s.Rest()...)
	return outcome{s.Usage(), s.Text(), string(out)}
}

func whole() int { return 1 << 30 }

// Answers as the servers write them.
const (
	chatJSON = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}],
		"usage":{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":64,"cached_tokens":7}}}`
	embeddingJSON = `{"object":"list","data":[{"object":"embedding","embedding":[0.1,-2e-3],"index":0}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}`
	responseJSON  = `{"id":"r","object":"response","status":"completed","error":null,"instructions":"be brief","output":[{"type":"message","content":[{"type":"output_text","text":"Hi","annotations":[]}]}],
		"reasoning":{"effort":null},"text":{"format":{"type":"text"}},"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":5},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":123}}`
	messageJSON = `{"id":"msg","type":"message","role":"assistant","content":[{"type":"text","text":"Hi!"}],"stop_reason":"end_turn",
		"usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100},"output_tokens":12,"service_tier":"standard"}}`
	silentJSON = `{"choices":[{"message":{"content":"four words are here"}}],"usage":null}`

	chatEvents = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hello"}}],"usage":null}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":"stop"}],"usage":null}

`
	usageEvent = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3}}}

`
	doneEvent      = "data: [DONE]\n\n"
	responseEvents = `event: response.created
data: {"type":"response.created","response":{"id":"r","usage":null,"output":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"m","delta":"Hello","logprobs":[{"token":"Hello","logprob":-1}],"obfuscation":"xxxxxxxx"}

event: response.output_text.done
data: {"type":"response.output_text.done","text":"Hello"}

`
	responseCompleted = `event: response.completed
data: {"type":"response.completed","response":{"id":"r","output":[{"content":[{"text":"Hello"}]}],"usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":0},"output_tokens":11,"total_tokens":48}}}

`
	messageStart = `event: message_start
data: {"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

`
	messageDelta = `event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

`
)

var answers = map[string]struct {
	format usage.Format
	answer string
	usage  usage.Usage
	text   int64
}{
	"chat":            {usage.JSON, chatJSON, usage.Usage{2006, 1920, 300, true, true}, 2},
	"embedding":       {usage.JSON, embeddingJSON, usage.Usage{8, 0, 0, true, true}, 0},
	"response":        {usage.JSON, responseJSON, usage.Usage{36, 5, 87, true, true}, 1},
	"message":         {usage.JSON, messageJSON, usage.Usage{1125, 1000, 12, true, true}, 2},
	"silent":          {usage.JSON, silentJSON, usage.Usage{}, 4},
	"cut off":         {usage.JSON, chatJSON[:len(chatJSON)/2], usage.Usage{}, 2},
	"no JSON":         {usage.JSON, "upstream says no", usage.Usage{}, 4},
	"half JSON":       {usage.JSON, `{"a":1,}12345678`, usage.Usage{}, 4},
	"opaque":          {usage.Opaque, chatJSON[:40], usage.Usage{}, 10},
	"parameters":      {usage.JSON, `{"model_name":"m","parameters":{"prompt_tokens":4,"completion_tokens":5},"outputs":[]}`, usage.Usage{4, 0, 5, true, true}, 0},
	"generate":        {usage.JSON, `{"text_output":"Hello there"}`, usage.Usage{}, 2},
	"elsewhere":       {usage.JSON, `{"choices":[{"usage":{"prompt_tokens":4}}],"x":{"usage":{"prompt_tokens":4}},"a":{"b":{"usage":{"prompt_tokens":1}}}}`, usage.Usage{}, 0},
	"strange numbers": {usage.JSON, `{"usage":{"prompt_tokens":-4,"completion_tokens":1e3,"total_tokens":99999999999999999999}}`, usage.Usage{}, 0},
	"output alone":    {usage.JSON, `{"usage":{"completion_tokens":7}}`, usage.Usage{0, 0, 7, false, true}, 0},
	"deepseek":        {usage.JSON, `{"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":64,"completion_tokens":7}}`, usage.Usage{10, 10, 7, true, true}, 0},

	"chat events":         {usage.Events, chatEvents + usageEvent + doneEvent, usage.Usage{11, 3, 2, true, true}, 2},
	"chat without":        {usage.Events, chatEvents + doneEvent, usage.Usage{}, 2},
	"chat broken off":     {usage.Events, chatEvents[:len(chatEvents)-60], usage.Usage{}, 1},
	"continuous":          {usage.Events, "data: {\"choices\":[{\"text\":\"a\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\ndata: {\"choices\":[{\"text\":\"b\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n", usage.Usage{5, 0, 2, true, true}, 2},
	"response events":     {usage.Events, responseEvents + responseCompleted, usage.Usage{37, 0, 11, true, true}, 1},
	"response broken off": {usage.Events, responseEvents, usage.Usage{}, 1},
	"message events":      {usage.Events, messageStart + messageDelta, usage.Usage{30, 5, 15, true, true}, 4},
	"message broken off":  {usage.Events, messageStart, usage.Usage{30, 5, 0, true, false}, 4},
	"events with text":    {usage.Events, "data: 12345678\n\n: a comment\n\nretry: 5\n\n", usage.Usage{}, 2},
	"data in several lines": {usage.Events, "data: {\"usage\":\ndata:{\"prompt_tokens\":5,\n" +
		"data: \"completion_tokens\":6}}\r\n\r\n", usage.Usage{5, 0, 6, true, true}, 0},
	"line ends": {usage.Events, "data:{\"usage\":{\"completion_tokens\":6}}\r\rdata: {\"usage\":{\"prompt_tokens\":5}}\r\n\r\n", usage.Usage{5, 0, 6, true, true}, 0},
	"tools":     {usage.Events, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"city\":"}}]}}]}` + "\n\n", usage.Usage{}, 3},
}

func TestAnswers(t *testing.T) {
	for name, c := range answers {
		var s usage.Scanner
		got := read(&s, c.format, false, []byte(c.answer), whole)
		if want := (outcome{c.usage, c.text, c.answer}); got != want {
			t.Errorf("%s:\n%+v\nwant %+v", name, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	azure := `data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}` + "\n\n"
	swapped := `data: {"usage":{"prompt_tokens":1,"completion_tokens":1},"id":"c","choices":[ ] }` + "\n\n"
	far := `data: {"x":"` + strings.Repeat("y", 2000) + `","choices":[],"usage":{"completion_tokens":1}}` + "\n\n"
	crlf := strings.ReplaceAll(usageEvent, "\n", "\r\n")
	cr := strings.ReplaceAll(usageEvent, "\n", "\r")
	long := strings.Replace(usageEvent, `"cached_tokens":3`, `"cached_tokens":3,"x":"`+strings.Repeat("y", 5000)+`"`, 1)
	for name, c := range map[string]struct{ answer, want string }{
		"last":                 {chatEvents + usageEvent + doneEvent, chatEvents + doneEvent},
		"only one":             {chatEvents + usageEvent + usageEvent, chatEvents + usageEvent},
		"none":                 {chatEvents + doneEvent, chatEvents + doneEvent},
		"at the end":           {chatEvents + usageEvent, chatEvents},
		"never ended":          {chatEvents + strings.TrimSpace(usageEvent), chatEvents},
		"broken off":           {chatEvents + usageEvent[:90], chatEvents + usageEvent[:90]},
		"no choices, no usage": {azure + chatEvents + usageEvent, azure + chatEvents},
		"usage first":          {swapped + doneEvent, doneEvent},
		"known too late":       {far + doneEvent, far + doneEvent},
		"long":                 {chatEvents + long + doneEvent, chatEvents + doneEvent},
		"CR LF":                {crlf + doneEvent, doneEvent},
		"CR":                   {cr + doneEvent, doneEvent},
		"CR, then LF":          {cr + "\n" + doneEvent, doneEvent},
		"with other fields":    {"id: 7\nevent: x\n" + usageEvent + doneEvent, doneEvent},
		"comments":             {": ping\n\n" + usageEvent + ": ping\n\n", ": ping\n\n: ping\n\n"},
		"not JSON":             {"data: {\"choices\":[],}\n\ndata: x\n\n", "data: {\"choices\":[],}\n\ndata: x\n\n"},
	} {
		var s usage.Scanner
		for _, size := range []int{1 << 20, 1, 2, 7, 100} {
			if got := read(&s, usage.Events, true, []byte(c.answer), func() int { return size }); got.out != c.want {
				t.Errorf("%s in pieces of %d:\n%q\nwant %q", name, size, got.out, c.want)
			}
		}
	}
}

// Any chunking of any stream gives the same numbers and the same bytes.
func TestAnyChunking(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var fragments []string
	for _, c := range answers {
		fragments = append(fragments, strings.SplitAfter(c.answer, "\n\n")...)
	}
	fragments = append(fragments, "\n", "\r", "\r\n", ": c\n\n", "data:\n", "data", usageEvent, usageEvent)
	var s usage.Scanner
	for range 3000 {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString(fragments[random.IntN(len(fragments))])
		}
		answer := []byte(b.String())
		if random.IntN(3) == 0 && len(answer) > 0 {
			answer[random.IntN(len(answer))] ^= 1 << random.IntN(8)
		}
		check(t, &s, answer, random)
	}
}

func check(t *testing.T, s *usage.Scanner, answer []byte, random *rand.Rand) {
	t.Helper()
	for _, f := range []usage.Format{usage.Events, usage.JSON, usage.Opaque} {
		for _, cut := range []bool{true, false} {
			want := read(s, f, cut, answer, whole)
			for _, most := range []int{1, 9, 300} {
				if got := read(s, f, cut, answer, func() int { return 1 + random.IntN(most) }); !reflect.DeepEqual(got, want) {
					t.Fatalf("%q, format %d, cut %v:\n%+v\nwhole %+v", answer, f, cut, got, want)
				}
			}
			if (f != usage.Events || !cut) && want.out != string(answer) {
				t.Fatalf("%q, format %d: came out as %q", answer, f, want.out)
			}
			if len(want.out) < len(answer) && !strings.Contains(string(answer), "choices") {
				t.Fatalf("%q: cut to %q", answer, want.out)
			}
			if u := want.usage; u.Input < 0 || u.Output < 0 || u.Cached > u.Input || want.text < 0 {
				t.Fatalf("%q: %+v", answer, want)
			}
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, c := range answers {
		f.Add([]byte(c.answer), uint64(1))
	}
	f.Add([]byte(chatEvents+usageEvent+doneEvent), uint64(2))
	var s usage.Scanner
	f.Fuzz(func(t *testing.T, answer []byte, seed uint64) {
		check(t, &s, answer, rand.New(rand.NewPCG(seed, 7)))
	})
}

// What a JSON decoder finds in a random report, the scanner finds.
func TestReportsAgreeWithADecoder(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	names := []string{"prompt_tokens", "completion_tokens", "total_tokens", "queue_time", "x"}
	var s usage.Scanner
	for range 500 {
		report := map[string]int64{}
		for _, name := range names {
			if random.IntN(3) > 0 {
				report[name] = random.Int64N(1_000_000)
			}
		}
		body, err := json.Marshal(map[string]any{"a": []any{1, "usage"}, "usage": report, "z": map[string]any{"usage": 5}})
		if err != nil {
			t.Fatal(err)
		}
		got := read(&s, usage.JSON, false, body, func() int { return 1 + random.IntN(20) }).usage
		input, hasInput := report["prompt_tokens"]
		output, hasOutput := report["completion_tokens"]
		if total, ok := report["total_tokens"]; ok && hasInput && !hasOutput {
			output, hasOutput = max(total-input, 0), true
		}
		if want := (usage.Usage{input, 0, output, hasInput, hasOutput}); got != want {
			t.Fatalf("%s: %+v, want %+v", body, got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	var s usage.Scanner
	for name, c := range answers {
		answer := []byte(c.answer + usageEvent)
		if n := testing.AllocsPerRun(20, func() {
			s.Reset(c.format, true)
			for i := 0; i < len(answer); i += 100 {
				s.Scan(answer[i:min(i+100, len(answer))])
			}
			s.Rest()
			s.Usage()
			s.Text()
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	event := []byte(strings.SplitAfter(chatEvents, "\n\n")[1])
	var s usage.Scanner
	for _, cut := range []bool{false, true} {
		b.Run(map[bool]string{false: "read", true: "cut"}[cut], func(b *testing.B) {
			s.Reset(usage.Events, cut)
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				s.Scan(event)
			}
		})
	}
}
