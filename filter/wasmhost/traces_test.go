package wasmhost

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record testdata/traces anew from a real Envoy (needs WEIR_TOOLS and WEIR_BUILD)")

// scenario is one request whose calls between Envoy and the filter are recorded
// from a real Envoy and played again on this host.
type scenario struct {
	name     string
	method   string
	path     string
	headers  Headers
	body     string
	http2    bool    // else HTTP/1.1
	chunked  bool    // no content-length, written in three pieces
	trailers Headers // HTTP/2 only
	abort    bool    // the client goes away after half of the body
}

var scenarios = []scenario{
	{name: "http1-small", body: chatBody("chat", 900)},
	{name: "http1-chunked", body: chatBody("chat", 3000), chunked: true},
	{name: "http1-get", method: "GET", path: "/v1/models"},
	{name: "http1-redacted", body: chatBody("chat", 100) + " "},
	{name: "http1-large", body: chatBody("plain", 700_000)},
	{name: "http1-large-headers", body: chatBody("chat", 10), headers: Headers{{"x-large", strings.Repeat("h", 40_000)}}},
	{name: "http2-small", body: chatBody("chat", 900), http2: true},
	{name: "http2-streamed", body: chatBody("chat", 50_000), http2: true, chunked: true},
	{name: "http2-trailers", body: chatBody("chat", 900), http2: true, chunked: true, trailers: Headers{{"x-sum", "1"}}},
	{name: "local-reply", body: chatBody("nobody", 10)},
	{name: "too-large", body: chatBody("plain", 1_200_000), chunked: true},
	{name: "client-gone", body: chatBody("chat", 3000), abort: true},
}

// chatBody is a chat completion of about n bytes with a phone number in it.
func chatBody(model string, n int) string {
	return `{"model":"` + model + `","max_tokens":16,"messages":[{"role":"user","content":"call 13812345678 ` +
		strings.Repeat("word ", n/5) + `"}]}`
}

// TestReplay plays what Envoy 1.40 called, and wants the filter to call back and
// answer as it did there: this host behaves as Envoy does.
func TestReplay(t *testing.T) {
	module := filterModule(t)
	if *update {
		recordTraces(t)
	}
	vm := newVM(t, module, Options{Trace: true}) // one for all, as in Envoy: blocks grow, buckets exist
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			want := readTrace(t, sc.name)
			sc.replay(t, vm, want)
			got := renumber(vm.Trace())
			if len(got) != len(want) {
				t.Errorf("%d calls, Envoy had %d", len(got), len(want))
			}
			for i := range min(len(got), len(want)) {
				if got[i].String() != want[i].String() {
					t.Fatalf("call %d:\n%s\nEnvoy had:\n%s", i, around(got, i), around(want, i))
				}
			}
		})
	}
}

// answerHeaders are those of the upstream's answer, as far as the filter looks at them.
var answerHeaders = Headers{{":status", "200"}, {"content-type", "text/plain; charset=utf-8"}, {"content-length", "1"}}

// replay makes the callbacks of the recorded calls.
func (sc scenario) replay(t *testing.T, vm *VM, calls []Call) {
	t.Helper()
	s, err := vm.NewStream(map[string]string{"request.protocol": sc.protocol(), "response.code_details": "via_upstream"})
	if err != nil {
		t.Fatal(err)
	}
	rest := []byte(sc.body)
	for _, c := range calls {
		if !c.Callback {
			continue
		}
		var err error
		switch end := len(c.Args) > 2 && c.Args[2] != 0; c.Name {
		case "proxy_on_request_headers":
			_, err = s.RequestHeaders(pad(sc.head(), int(c.Args[1])), end)
		case "proxy_on_request_body":
			n := int(c.Args[1])
			_, err = s.RequestBody(rest[:n], end)
			rest = rest[n:]
		case "proxy_on_request_trailers":
			_, err = s.RequestTrailers(sc.trailers)
		case "proxy_on_response_headers":
			if s.Reply == nil {
				_, err = s.ResponseHeaders(pad(answerHeaders, int(c.Args[1])), end)
			}
		case "proxy_on_response_body":
			if s.Reply == nil {
				_, err = s.ResponseBody(bytes.Repeat([]byte("1"), int(c.Args[1])), end) // as many digits as the upstream's number has
			}
		case "proxy_on_log":
			err = s.Done()
		}
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
	if !sc.abort && s.Reply == nil && len(s.Upstream.Body) == 0 && sc.body != "" {
		t.Error("the body did not reach the upstream")
	}
}

func (sc scenario) protocol() string {
	if sc.http2 {
		return "HTTP/2"
	}
	return "HTTP/1.1"
}

// head are the request headers as Envoy hands them to the filter.
func (sc scenario) head() Headers {
	r := Request{Method: sc.method, Path: sc.target(), Headers: sc.fields()}
	h := r.head()
	if sc.body != "" && !sc.chunked {
		h = append(h, Header{"content-length", fmt.Sprint(len(sc.body))})
	}
	return append(h, Header{"x-forwarded-proto", "http"})
}

func (sc scenario) target() string {
	if sc.path == "" {
		return "/v1/chat/completions"
	}
	return sc.path
}

func (sc scenario) fields() Headers {
	h := Headers{{"user-agent", "weir"}, {"x-user-id", "u-1"}, {"x-tenant-id", "t-1"}}
	if sc.body != "" {
		h = append(h, Header{"content-type", "application/json"})
	}
	return append(h, sc.headers...)
}

// pad fills a header map up to n headers: those that Envoy adds have no
// meaning for the filter, but their number is part of the call.
func pad(h Headers, n int) Headers {
	for len(h) < n {
		h = append(h, Header{fmt.Sprintf("x-padding-%d", len(h)), "1"})
	}
	return h
}

// renumber gives the root context the id 1 and the stream the id 2.
func renumber(calls []Call) []Call {
	for _, c := range calls {
		if !c.Callback {
			continue
		}
		c.Args[0] = 2
		if c.Name == "proxy_on_context_create" {
			c.Args[1] = 1
		}
	}
	return calls
}

func around(calls []Call, at int) string {
	var b strings.Builder
	for i := max(0, at-6); i <= at; i++ {
		fmt.Fprintln(&b, calls[i])
	}
	return b.String()
}

func tracePath(name string) string { return filepath.Join("testdata", "traces", name+".txt") }

// readTrace reads the form that Call.String writes.
func readTrace(t *testing.T, name string) []Call {
	t.Helper()
	f, err := os.Open(tracePath(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var calls []Call
	for lines := bufio.NewScanner(f); lines.Scan(); {
		c, err := parseCall(lines.Text())
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		calls = append(calls, c)
	}
	return calls
}

func parseCall(line string) (Call, error) {
	rest, callback := strings.CutPrefix(line, "> ")
	rest = strings.TrimPrefix(rest, "  < ")
	name, rest, ok := strings.Cut(rest, "(")
	args, result, ok2 := strings.Cut(rest, ") = ")
	if !ok || !ok2 {
		return Call{}, fmt.Errorf("no call: %q", line)
	}
	c := Call{Callback: callback, Name: name}
	if _, err := fmt.Sscan(result, &c.Result); err != nil {
		return Call{}, fmt.Errorf("result of %q: %w", line, err)
	}
	if args == "" {
		return c, nil
	}
	for _, a := range strings.Split(args, ", ") {
		var n uint64
		if _, err := fmt.Sscan(a, &n); err != nil {
			return Call{}, fmt.Errorf("argument of %q: %w", line, err)
		}
		c.Args = append(c.Args, n)
	}
	return c, nil
}
