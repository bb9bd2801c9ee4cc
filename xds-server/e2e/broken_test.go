package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What is wrong with a request must be its sender's trouble only: each has one
// defined answer, and the next request is served.
func testBrokenInput(t *testing.T, s *stack) {
	long := strings.Repeat("x", 64)
	for _, tc := range []struct {
		name    string
		path    string
		body    string
		headers []string
		status  int
		code    string
	}{
		{"malformed JSON", "", `{"model":"minilm","input":`, nil, 400, "invalid_json"},
		{"trailing garbage", "", `{"model":"minilm","input":"a"} x`, nil, 400, "invalid_json"},
		{"not UTF-8", "", "{\"model\":\"minilm\",\"input\":\"\xff\"}", nil, 400, "invalid_json"},
		{"empty body", "", "", nil, 400, ""},
		{"no model", "", `{"input":"a"}`, nil, 400, "missing_model"},
		{"a model that is no string", "", `{"model":7,"input":"a"}`, nil, 400, "invalid_parameter"},
		{"second model", "", `{"model":"minilm","input":"a","model":"echo"}`, nil, 400, "duplicate_parameter"},
		{"second model, spelled with an escape", "", `{"model":"minilm","input":"a","mod\u0065l":"echo"}`, nil, 400, "duplicate_parameter"},
		{"second max_tokens", "/v1/chat/completions", `{"model":"echo","max_tokens":1,"max_tokens":2,"messages":[]}`, nil, 400, "duplicate_parameter"},
		{"second stream", "/v1/chat/completions", `{"model":"echo","stream":false,"messages":[],"stream":true}`, nil, 400, "duplicate_parameter"},
		{"second n", "/v1/chat/completions", `{"n":1,"model":"echo","messages":[],"n":2}`, nil, 400, "duplicate_parameter"},
		{"deep nesting", "", `{"model":"minilm","input":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, nil, 400, "json_too_deep"},
		{"unknown model", "", `{"model":"gpt-99","input":"a"}`, nil, 404, "model_not_found"},
		{"unknown version", "", `{"model":"minilm","input":"a"}`, []string{"x-model-version", "v99"}, 404, "version_not_found"},
		{"unknown path", "/v1/nothing", `{"model":"minilm"}`, nil, 404, "unknown_url"},
		{"encoded slash", "/v1/models/minilm%2Fv1", `{}`, nil, 400, "invalid_path"},
		{"encoded backslash", "/v1/models/minilm%5Cv1", `{}`, nil, 400, "invalid_path"},
		{"wrong content type", "", `{"model":"minilm","input":"a"}`, []string{"content-type", "text/plain"}, 415, "unsupported_media_type"},
		{"compressed body", "", gzipped(t, `{"model":"minilm","input":"a"}`), []string{"content-encoding", "gzip"}, 415, "unsupported_content_encoding"},
		{"20 MB body", "", `{"model":"minilm","input":"` + strings.Repeat(long, 20<<20/len(long)) + `"}`, nil, 413, "request_too_large"},
		{"more than all headers may have", "", `{"model":"minilm","input":"a"}`, []string{"x-long", strings.Repeat(long, 2<<10)}, 431, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := tc.path
			if path == "" {
				path = "/v1/embeddings"
			}
			headers := append([]string{"x-tenant-id", "broken"}, tc.headers...)
			if err := refused(s.raw(t, rawPost(path, tc.body, headers...)), tc.status, tc.code); err != nil {
				t.Error(err)
			}
			s.serves(t)
		})
	}
	t.Run("20 MB without a length", func(t *testing.T) {
		a := s.raw(t, chunked("/v1/embeddings", `{"model":"minilm","input":"`, strings.Repeat(long, 1<<10), 20<<20))
		if err := refused(a, http.StatusRequestEntityTooLarge, "request_too_large"); err != nil {
			t.Error(err)
		}
		s.serves(t)
	})
	t.Run("60 KB of headers are served", func(t *testing.T) {
		a := s.raw(t, rawPost("/v1/chat/completions", chat("hello"), "x-tenant-id", "long-headers", "x-long", strings.Repeat(long, 60<<10/len(long))))
		if a.status != http.StatusOK {
			t.Errorf("status %d: %s", a.status, clip(a.body))
		}
	})
	t.Run("in the form of the Open Inference Protocol", func(t *testing.T) {
		a := s.raw(t, rawPost("/v2/models/minilm%2Finfer", `{}`))
		if want := `{"error":"The path holds an encoded slash or backslash."}`; a.status != http.StatusBadRequest || string(a.body) != want {
			t.Errorf("answered %d %s, want 400 %s", a.status, clip(a.body), want)
		}
		s.serves(t)
	})
	t.Run("client leaves mid-body", func(t *testing.T) { testClientLeaves(t, s) })
	t.Run("upstream is not there", func(t *testing.T) {
		a := s.post(t, "/v1/chat/completions", `{"model":"gone","messages":[]}`)
		if err := refused(a, http.StatusServiceUnavailable, ""); err != nil {
			t.Error(err)
		}
		if !bytes.Contains(a.body, []byte("The model's server cannot be reached: ")) {
			t.Errorf("the answer does not tell whose trouble it is: %s", a.body)
		}
	})
}

// goneModel is a model whose endpoint nobody listens on: port 1 is tcpmux.
var goneModel = change{"gone.yaml", "", `apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: gone}
spec:
  versions: [{name: v1, endpoints: ["127.0.0.1:1"], insecure: true}]
---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: gone}
spec:
  model: gone
  split: [{version: v1, weight: 100}]
`}

// serves proves that the gateway goes on, with the same Envoy.
func (s *stack) serves(t *testing.T) {
	t.Helper()
	a := s.post(t, "/v1/chat/completions", `{"model":"load","messages":[{"role":"user","content":"still there?"}]}`)
	if a.status != http.StatusOK || !bytes.Contains(a.body, []byte("still there?")) {
		t.Fatalf("the next request was answered %d: %s", a.status, clip(a.body))
	}
	if n := strings.Count(s.log.text(), "| envoy started"); n != 1 {
		t.Fatalf("envoy was started %d times", n)
	}
}

// Clients that go away at every point of their body leave nothing behind:
// after more than the worker's pool would hold, there is still room.
func testClientLeaves(t *testing.T, s *stack) {
	body := `{"model":"load","messages":[{"role":"user","content":"` + strings.Repeat("y", 900<<10) + `"}]}`
	request := rawPost("/v1/chat/completions", body)
	for i := range 64 {
		conn, err := net.DialTimeout("tcp", loopback(s.gateway), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(request[:len(request)*(i+1)/65]); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 30*time.Second, func() error {
		a := s.raw(t, request)
		if a.status != http.StatusOK {
			return fmt.Errorf("a whole request is answered %d: %s", a.status, clip(a.body))
		}
		return nil
	})
	s.serves(t)
}

func chat(text string) string {
	return `{"model":"echo","max_tokens":8,"messages":[{"role":"user","content":"` + text + `"}]}`
}

// rawPost is a whole HTTP/1.1 request; a header named twice has the last value.
func rawPost(path, body string, headers ...string) []byte {
	all := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(headers); i += 2 {
		all.Set(headers[i], headers[i+1])
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", path, len(body))
	_ = all.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.Bytes()
}

// chunked is a request of at least size bytes without content-length and
// without an end.
func chunked(path, begin, piece string, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", path)
	fmt.Fprintf(&b, "%x\r\n%s\r\n", len(begin), begin)
	for b.Len() < size {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(piece), piece)
	}
	return b.Bytes()
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
