package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// gossiped is a policy that turns the caller's values into tokens and takes everybody
// else's out of answers; a resident ID may not come at all.
const gossiped = `{"limits":[{"mode":"tokens","name":"all","onFailure":"closed","tokens":{"capacity":10000000,"defaultOutput":512,"refillMilli":0}}],` +
	`"models":[{"name":"m"},{"name":"open"}],"redactions":[` +
	`{"entities":[{"kind":"phone","mode":"token"},{"kind":"email","mode":"token"},{"directions":["response"],"kind":"residentID","mode":"block"}],"models":["m"],"name":"r","onFailure":"closed"},` +
	`{"entities":[{"kind":"phone","mode":"tag"}],"models":["open"],"name":"o","onFailure":"open"}],` +
	`"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`

// Values that nobody has sent, and those of the caller.
const (
	strangerPhone = "13987654321"
	strangerMail  = "someone.else@example.org"
	strangerID    = "11010519491231002X"

	ownPhone = "13812345678"
	ownMail  = "caller@example.com"
)

// gossip is an upstream that repeats what it was asked, letter by letter, with the
// values of strangers between.
func gossip(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.Contains(string(body), `"model":"m"`) && strings.Contains(string(body), ownMail) || r.Header.Get("accept-encoding") != "" {
		http.Error(w, "it was not redacted: "+string(body), http.StatusTeapot)
		return
	}
	asked := regexp.MustCompile(`\[[A-Z_]+_\d+_[a-z]+\]`).FindAllString(string(body), -1)
	text := "As " + strings.Join(asked, " and ") + " know, call " + strangerPhone + " or " + strangerMail + " now"
	h := w.Header()
	switch r.Header.Get("x-end") {
	case "json":
		h.Set("content-type", "application/json")
		h.Set("etag", `"1"`)
		_, _ = fmt.Fprintf(w, wholeAnswer, text)
	case "gzip":
		h.Set("content-type", "application/json")
		h.Set("content-encoding", "gzip")
		_, _ = w.Write([]byte("\x1f\x8b not read"))
	case "image":
		h.Set("content-type", "image/png")
		_, _ = io.WriteString(w, strangerPhone)
	case "broken":
		h.Set("content-type", "text/event-stream")
		_, _ = fmt.Fprintf(w, oneChunk+"\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"%s\n\n"+oneChunk+"\n\n", "before", strangerPhone, "behind")
	case "cut":
		h.Set("content-type", "application/json")
		_, _ = fmt.Fprintf(w, `{"choices":[{"message":{"content":"%s","%s`, text, "\xff")
	case "cut late":
		h.Set("content-type", "application/json")
		_, _ = fmt.Fprintf(w, `{"choices":[{"message":{"content":"%s%s","%s`, text, strings.Repeat(" and so on", 500_000), "\xff")
	case "blocked":
		h.Set("content-type", "application/json")
		_, _ = fmt.Fprintf(w, wholeAnswer, "it is "+strangerID)
	case "blocked stream":
		h.Set("content-type", "text/event-stream")
		for _, c := range "it is " + strangerID + ", you know" {
			_, _ = fmt.Fprintf(w, oneChunk+"\n\n", string(c))
			w.(http.Flusher).Flush()
		}
	case "blocked text":
		http.Error(w, "it is "+strangerID, http.StatusBadRequest)
	default:
		h.Set("content-type", "text/event-stream")
		for _, event := range script(r.URL.Path, text) {
			if _, err := io.WriteString(w, event); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
}

// wholeAnswer and oneChunk are answers around a text.
const (
	wholeAnswer = `{"id":"chatcmpl-` + strangerPhone + `","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",` +
		`"logprobs":{"content":[{"token":"` + strangerPhone + `","bytes":[49,51],"logprob":-1.5}]},"message":{"role":"assistant","content":%q}}],"usage":{"prompt_tokens":7,"completion_tokens":9}}`
	oneChunk = `data: {"id":"c1","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}`
)

// script says a text, one character an event.
func script(path, text string) (events []string) {
	add := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)+"\n\n") }
	switch path {
	case "/v1/responses":
		add("event: response.created\ndata: %s", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress"}}`)
		for i, c := range text {
			add(`event: response.output_text.delta`+"\n"+`data: {"type":"response.output_text.delta","sequence_number":%d,"item_id":"msg_1","output_index":0,"content_index":0,"delta":%q}`, i+1, string(c))
		}
		add(`event: response.output_text.done`+"\n"+`data: {"type":"response.output_text.done","item_id":"msg_1","output_index":0,"content_index":0,"text":%q}`, text)
		add(`event: response.completed`+"\n"+`data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[{"content":[{"type":"output_text","text":%q}]}],"usage":{"input_tokens":7,"output_tokens":9}}}`, text)
	case "/v1/messages":
		add("event: message_start\ndata: %s", `{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"usage":{"input_tokens":7,"output_tokens":1}}}`)
		for block, kind := range []string{`"text_delta","text"`, `"input_json_delta","partial_json"`} {
			add("event: content_block_start\n"+`data: {"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}`, block)
			for _, c := range text {
				add("event: content_block_delta\n"+`data: {"type":"content_block_delta","index":%d,"delta":{"type":%s:%q}}`, block, kind, string(c))
			}
			add("event: content_block_stop\n"+`data: {"type":"content_block_stop","index":%d}`, block)
		}
		add("event: message_delta\ndata: %s", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}`)
		add("event: message_stop\ndata: %s", `{"type":"message_stop"}`)
	default:
		for i, c := range text {
			for choice := range 3 {
				if choice == 2 {
					id := ""
					if i == 0 {
						id = `"id":"call_1","type":"function",`
					}
					add(`data: {"id":"c1","object":"chat.completion.oneChunk","created":1,"model":"m","choices":[{"index":2,"delta":{"tool_calls":[{"index":0,%s"function":{"arguments":%q}}]},"finish_reason":null}]}`, id, string(c))
					continue
				}
				add(`data: {"id":"c1","object":"chat.completion.oneChunk","created":1,"model":"m","choices":[{"delta":{"content":%q},"index":%d,"finish_reason":null}]}`, string(c), choice)
			}
		}
		for choice, reason := range []string{"stop", "length", "tool_calls"} {
			add(`data: {"id":"c1","object":"chat.completion.oneChunk","created":1,"model":"m","choices":[{"index":%d,"delta":{},"finish_reason":%q}]}`, choice, reason)
		}
		add("data: %s", `{"id":"c1","object":"chat.completion.oneChunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}`)
		add("data: [DONE]")
	}
	return events
}

// TestAnswersAreRedacted has an upstream tell values that were never in the prompt
// through a real Envoy, one character an event, in three APIs, tool calls and choices:
// they do not arrive, and what the caller sent does.
func TestAnswersAreRedacted(t *testing.T) {
	e := gossiping(t)
	want := "As " + ownPhone + " and " + ownMail + " know, call <PHONE> or <EMAIL> now"
	for path, texts := range map[string][]string{
		"/v1/chat/completions": {"0/content", "1/content", "2/arguments"},
		"/v1/responses":        {"/delta", "/text", "/text"},
		"/v1/messages":         {"0/text", "1/partial_json"},
	} {
		answer, err := tell(t.Context(), e, path, "m", "")
		if err != nil || answer.status != http.StatusOK {
			t.Fatalf("%s: %v %v", path, answer, err)
		}
		body := answer.body
		if strings.Contains(body, strangerPhone) || strings.Contains(body, strangerMail) {
			t.Errorf("%s: a stranger's value arrives: %s", path, body)
		}
		got := spoken(t, body)
		for _, lane := range texts {
			if got[lane] != want && got[lane] != want+want { // the Responses API says it twice more
				t.Errorf("%s: %s is %q, want %q", path, lane, got[lane], want)
			}
		}
		if path == "/v1/chat/completions" {
			for _, part := range []string{`"finish_reason":"stop"`, `"finish_reason":"length"`, `"finish_reason":"tool_calls"`, `"id":"call_1"`, "data: [DONE]\n\n"} {
				if strings.Count(body, part) != 1 {
					t.Errorf("%s stands %d times in %s", part, strings.Count(body, part), body)
				}
			}
			if strings.Contains(body, "prompt_tokens") {
				t.Error("the usage arrives that nobody asked for")
			}
		}
	}
	eventually(t, 30*time.Second, func() error {
		got, err := e.Counter(t.Context(), "wasmcustom.weir.settlements.usage")
		if err == nil && got != 3 {
			err = fmt.Errorf("%d answers are settled by their usage", got)
		}
		return err
	})
}

// spoken joins the strings of a stream's events by the innermost index and the name.
func spoken(t *testing.T, stream string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		speak(out, "", v)
	}
	return out
}

func speak(out map[string]string, index string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if n, ok := v["index"].(float64); ok && index == "" {
			index = fmt.Sprint(n)
		}
		for name, member := range v {
			if s, ok := member.(string); ok {
				out[index+"/"+name] += s
			}
			speak(out, index, member)
		}
	case []any:
		for _, item := range v {
			speak(out, index, item)
		}
	}
}

// TestAnswersThatCannotPass has an upstream answer what cannot be read, or may not be
// told at all.
func TestAnswersThatCannotPass(t *testing.T) {
	e := gossiping(t)
	for _, c := range []struct {
		model, end string
		status     int
		has, lacks string
		reset      bool
	}{
		{"m", "json", 200, `As ` + ownPhone + ` and ` + ownMail + ` know, call <PHONE> or <EMAIL> now`, strangerMail, false},
		{"m", "json", 200, `"id":"chatcmpl-` + strangerPhone + `"`, `"token":"1`, false},
		{"m", "json", 200, `"bytes":[0,0],"logprob":-1.5`, `[49`, false},
		{"m", "gzip", 502, `"code":"unreadable_answer"`, "not read", false},
		{"open", "gzip", 200, "not read", "unreadable", false},
		{"m", "image", 502, `"code":"unreadable_answer"`, strangerPhone, false},
		{"open", "image", 200, strangerPhone, "unreadable", false},
		{"m", "broken", 200, "before", "behind", false},
		{"m", "broken", 200, `"code":"unreadable_answer"`, strangerPhone, false},
		{"open", "broken", 200, "behind", "unreadable", false},
		{"m", "cut", 502, `"code":"unreadable_answer"`, strangerPhone, false},
		{"m", "cut late", 200, "", strangerPhone, true},
		{"m", "blocked", 403, `"code":"blocked_answer"`, strangerID, false},
		{"m", "blocked stream", 200, `"code":"blocked_answer"`, strangerID, false},
		{"m", "blocked text", 403, `"code":"blocked_answer"`, strangerID, false},
		{"open", "blocked", 200, "it is " + strangerID, "blocked_answer", false},
	} {
		answer, err := tell(t.Context(), e, "/v1/chat/completions", c.model, c.end)
		if (err != nil) != c.reset || answer.status != c.status || answer.header.Get("etag") != "" ||
			!strings.Contains(answer.body, c.has) || strings.Contains(answer.body, c.lacks) {
			t.Errorf("%s %s: %d %v %.500s (%v)", c.model, c.end, answer.status, answer.header, answer.body, err)
		}
	}
	eventually(t, 30*time.Second, func() error {
		for name, want := range map[string]int64{"refused": 2, "passed": 3, "broken": 4, "blocked": 3} {
			got, err := e.Counter(t.Context(), "wasmcustom.weir.answers."+name)
			if err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("%d answers are %s, want %d", got, name, want)
			}
		}
		return nil
	})
}

func gossiping(t *testing.T) *staticenvoy.Envoy {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(gossip))
	t.Cleanup(server.Close)
	e, err := staticenvoy.Start(t.Context(), staticenvoy.Config{
		Binary: artefact.Envoy(t), Dir: t.TempDir(), Upstream: strings.TrimPrefix(server.URL, "http://"), Concurrency: 2, Log: t.Output(),
		Filter: staticenvoy.Wasm(artefact.Built(t, "filter.wasm"), gossiped),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

// told is an answer.
type told struct {
	status int
	header http.Header
	body   string
}

// tell asks for an answer.
func tell(ctx context.Context, e *staticenvoy.Envoy, path, model, end string) (told, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	body := fmt.Sprintf(`{"model":%q,"n":3,"stream":true,"messages":[{"role":"user","content":"I am %s, %s"}]}`, model, ownPhone, ownMail)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.Address()+path, strings.NewReader(body))
	if err != nil {
		return told{}, err
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("accept-encoding", "gzip")
	req.Header.Set("x-end", end)
	resp, err := plain.Do(req)
	if err != nil {
		return told{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return told{resp.StatusCode, resp.Header, string(answer)}, err
}
