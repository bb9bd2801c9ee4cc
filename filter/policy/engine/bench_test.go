package engine_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
)

// request is a chat request of about 1 KB, as bytes.
type request struct {
	headers [][2][]byte
	body    []byte
}

func newRequest(body string) *request {
	r := &request{body: []byte(body)}
	for _, h := range [][2]string{
		{":authority", "gateway.test"}, {":method", "POST"}, {":path", "/v1/chat/completions"}, {":scheme", "http"},
		{"accept", "application/json"}, {"content-type", "application/json"}, {"authorization", "Bearer sk-0123456789"},
		{"user-agent", "OpenAI/Python 1.0"}, {"x-tenant-id", "tenant-1"}, {"x-user-id", "user-1"},
		{"x-request-id", "9f1c2d"}, {"content-length", strconv.Itoa(len(body))},
	} {
		r.headers = append(r.headers, [2][]byte{[]byte(h[0]), []byte(h[1])})
	}
	return r
}

// bodies are chat requests of about 1 KB of several kinds.
func bodies() map[string]string {
	english := strings.Repeat("The quick brown fox jumps over the lazy dog near 12 rivers. ", 14)
	chinese := strings.Repeat("请把下面这段话翻译成英文，并解释其中的成语。", 13)
	personal := strings.Repeat("Call 13800138000 or mail alice@example.com, card 4111 1111 1111 1111. ", 12)
	chat := func(first, text, last string) string {
		return `{` + first + `"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"` + text +
			`"}],"max_tokens":256,"temperature":0.7,"stream":true` + last + `}`
	}
	return map[string]string{
		"english":    chat(`"model":"gpt-4",`, english, ""),
		"modelLast":  chat("", english, `,"model":"gpt-4"`),
		"chinese":    chat(`"model":"gpt-4",`, chinese, ""),
		"personal":   chat(`"model":"gpt-4",`, personal, ""),
		"unredacted": chat(`"model":"minilm",`, english, ""),
	}
}

// serve runs one request in pieces of at most size bytes. The next Reset gives back
// what it holds.
func serve(s *engine.Stream, p *engine.Program, h engine.Host, r *request, size int) engine.Action {
	s.Reset(p, h)
	for i := range r.headers {
		s.Header(r.headers[i][0], r.headers[i][1])
	}
	action := s.Headers(false)
	for rest := r.body; len(rest) > 0 && action == engine.Hold; {
		n := min(size, len(rest))
		action = s.Body(rest[:n], n == len(rest))
		rest = rest[n:]
	}
	return action
}

func BenchmarkChat(b *testing.B) {
	p := compile(b, document())
	for name, body := range bodies() {
		b.Run(name, func(b *testing.B) {
			s, h, r := engine.NewStream(hold.NewPool(1<<20)), &host{Memory: bucket.NewMemory(64), now: 1}, newRequest(body)
			b.SetBytes(int64(len(r.body)))
			b.ReportAllocs()
			for b.Loop() {
				h.now += 1_000_000_000
				if serve(s, p, h, r, 64<<10) != engine.Forward {
					b.Fatal(string(s.Reply().Body))
				}
			}
		})
	}
}
