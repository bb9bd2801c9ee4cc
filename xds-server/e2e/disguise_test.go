package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// disguises are requests that hold ownPhone where it must not pass, as bytes on the wire.
var disguises = func() map[string]string {
	const path, kind = "/v1/chat/completions", "Content-Type: application/json\r\n"
	body := `{"model":"m","messages":[{"role":"user","content":"call ` + ownPhone + `"}]}`
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(body)) }
	request := func(method, path, headers, body string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
	}
	chunks := func(extension, end string) string {
		return fmt.Sprintf("%x%s\r\n%s\r\n%x%s\r\n%s\r\n0\r\n%s\r\n", 60, extension, body[:60], len(body)-60, extension, body[60:], end)
	}
	all := map[string]string{
		"as it is":                   request("POST", path, kind+length(body), body),
		"JSON, then text":            request("POST", path, kind+"Content-Type: text/plain\r\n"+length(body), body),
		"text, then JSON":            request("POST", path, "Content-Type: text/plain\r\n"+kind+length(body), body),
		"two types in one":           request("POST", path, "Content-Type: application/json, text/plain\r\n"+length(body), body),
		"no type":                    request("POST", path, length(body), body),
		"an empty type":              request("POST", path, "Content-Type:\r\n"+length(body), body),
		"two lengths":                request("POST", path, kind+length(body)+"Content-Length: 5\r\n", body),
		"a length and chunks":        request("POST", path, kind+length(body)+"Transfer-Encoding: chunked\r\n", chunks("", "")),
		"extensions of chunks":       request("POST", path, kind+"Transfer-Encoding: chunked\r\n", chunks(";note="+ownPhone, "")),
		"trailers":                   request("POST", path, kind+"Transfer-Encoding: chunked\r\nTrailer: x-note\r\n", chunks("", "x-note: well\r\n")),
		"a transfer coding":          request("POST", path, kind+"Transfer-Encoding: gzip, chunked\r\n", chunks("", "")),
		"two codings":                request("POST", path, kind+"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"+length(body), body),
		"a coding that is none":      request("POST", path, kind+"Content-Encoding: identity\r\n"+length(body), body),
		"an unknown coding":          request("POST", path, kind+"Content-Encoding: x-none\r\n"+length(body), body),
		"expectation":                request("POST", path, kind+"Expect: 100-continue\r\n"+length(body), body),
		"web socket":                 request("GET", path, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", body),
		"upgrade of a POST":          request("POST", path, kind+"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"+length(body), body),
		"tunnel":                     request("CONNECT", "localhost:80", "", body),
		"GET with a body":            request("GET", path, kind+length(body), body),
		"GET of a model with a body": request("GET", "/v2/models/m", kind+length(body), body),
		"absolute form":              request("POST", "http://localhost"+path, kind+length(body), body),
		"dots in the path":           request("POST", "/v1/./x/../chat/completions", kind+length(body), body),
		"slashes in the path":        request("POST", "//v1//chat/completions", kind+length(body), body),
		"encoded path":               request("POST", "/v1/ch%61t/completions", kind+length(body), body),
		"semicolon in the path":      request("POST", path+";x=1", kind+length(body), body),
		"fragment in the path":       request("POST", path+"#x", kind+length(body), body),
		"form that is JSON":          request("POST", "/v2/models/m/generate", "Content-Type: application/x-www-form-urlencoded\r\n"+length(body), body),
		"tensors behind JSON":        request("POST", "/v2/models/m/infer", kind+"Inference-Header-Content-Length: 2\r\n"+length("{}"+body), "{}"+body),
		"another request behind it":  request("POST", path, kind+length(body), body) + request("POST", path, "Connection: close\r\n"+kind+length(body), body),
	}
	for _, method := range []string{"HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "QUERY"} {
		all["method "+method] = request(method, path, kind+length(body), body)
		all["method "+method+" of a model"] = request(method, "/v2/models/m/generate", kind+length(body), body)
	}
	return all
}()

// disguisedAnswers are answers that hold strangerPhone where it must not pass, by name:
// status, content-type and body.
var disguisedAnswers = map[string]struct {
	status       int
	headers, out string
}{
	"error":               {400, "content-type: application/json", `{"error":{"message":"cannot parse ` + strangerPhone + `"}}`},
	"error of a server":   {500, "content-type: text/plain", "panic: " + strangerPhone},
	"error page":          {502, "content-type: text/html", "<html><body>" + strangerPhone + "</body></html>"},
	"no type":             {200, "x-none: 1", `{"a":"` + strangerPhone + `"}`},
	"part":                {206, "content-type: application/json\ncontent-range: bytes 0-30/100", `{"a":"` + strangerPhone + `"}`},
	"parts":               {206, "content-type: multipart/byteranges; boundary=b", "--b\r\n\r\n" + strangerPhone + "\r\n--b--"},
	"other charset":       {200, "content-type: text/plain; charset=utf-16le", wide(strangerPhone)},
	"other charset, JSON": {200, "content-type: application/json; charset=utf-16le", wide(`{"a":"` + strangerPhone + `"}`)},
	"two types":           {200, "content-type: image/png\ncontent-type: application/json", `{"a":"` + strangerPhone + `"}`},
	"image":               {200, "content-type: image/png", strangerPhone},
	"events by CR":        {200, "content-type: text/event-stream", "data: {\"a\":\"1398765\"}\r\rdata: {\"a\":\"4321 \"}\r\r"},
	"data in two lines":   {200, "content-type: text/event-stream", "data: {\"a\":\ndata: \"" + strangerPhone + "\"}\n\n"},
	"data without JSON":   {200, "content-type: text/event-stream; charset=utf-8", "data:139876\n\ndata:54321 ok\n\n"},
	"event without end":   {200, "content-type: text/event-stream", "data: {\"a\":\"" + strangerPhone},
	"mark before events":  {200, "content-type: text/event-stream", "\xef\xbb\xbfdata: {\"a\":\"" + strangerPhone + "\"}\n\n"},
	"error among events":  {400, "content-type: text/event-stream", `{"error":{"message":"cannot parse ` + strangerPhone + `"}}`},
	"comment":             {200, "content-type: text/event-stream", ": " + strangerPhone + "\n\nnote " + strangerPhone + "\ndata: {}\n\n"},
	"long event":          {200, "content-type: text/event-stream", "\xef\xbb\xbfdata: {\"a\":\"" + strangerPhone + strings.Repeat(" so on", 20000) + "\"}\n\n"},
	"events in UTF-16":    {200, "content-type: text/event-stream; charset=utf-16le", wide("data: {\"a\":\"" + strangerPhone + "\"}\n\n")},
	"events as HTML":      {200, "content-type: text/html; charset=utf-8", "data: {\"a\":\"139876\"}\n\ndata: {\"a\":\"54321 \"}\n\n"},
	"events as JSON":      {200, "content-type: application/json", "event: a\ndata: {\"a\":\"139876\"}\n\ndata: {\"a\":\"54321 \"}\n\n"},
	"null as a string":    {200, "content-type: text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"139876\"},\"finish_reason\":\"null\"}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"54321 \"}}]}\n\n"},
	"lines":               {200, "content-type: application/x-ndjson", "{\"a\":\"139876\"}\n{\"a\":\"54321 \"}\n"},
	"text behind JSON":    {200, "content-type: application/json", `{"a":1} ` + strangerPhone},
	"mark before JSON":    {200, "content-type: application/json", "\xef\xbb\xbf" + `{"a":"` + strangerPhone + `"}`},
	"half a character":    {200, "content-type: text/plain", strangerPhone + "\xe4\xb8"},
}

func wide(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }

// TestDisguises sends personal data in every way in which a request may hide it from the
// filter and show it to a model, through a real Envoy, and has a model do the same: it
// passes nowhere.
func TestDisguises(t *testing.T) {
	artefact.Built(t, "filter.wasm")
	var mu sync.Mutex
	seen := map[string]string{} // guarded by mu: what reached the upstream, by who sent it
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen[r.Method+" "+r.URL.Path] += string(body)
		mu.Unlock()
		a, ok := disguisedAnswers[r.Header.Get("x-answer")]
		if !ok {
			w.Header().Set("content-type", "application/json")
			_, _ = io.WriteString(w, `{}`)
			return
		}
		w.Header()["Content-Type"] = nil // none of its own
		for line := range strings.SplitSeq(a.headers, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.out)
	}))
	t.Cleanup(upstream.Close)
	p := startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "")
		p.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
		p.write(t, "redaction.yaml", trapPolicy)
	})
	eventually(t, 30*time.Second, func() error { _, err := p.ask(t, "m"); return err })
	t.Run("requests", func(t *testing.T) {
		for name, request := range disguises {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				status, _, _ := strings.Cut(wire(t, p.gateway, request), "\r\n")
				if !strings.HasPrefix(status, "HTTP/1.1 ") {
					t.Errorf("answered %q", status)
				}
				t.Log(status)
			})
		}
	})
	mu.Lock()
	all := fmt.Sprint(seen)
	mu.Unlock()
	if strings.Contains(all, ownPhone) || strings.Count(all, "call <PHONE>") < 5 {
		t.Errorf("upstream got %s", all)
	}
	for name, a := range disguisedAnswers {
		t.Run("answer: "+name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions", strings.NewReader(`{"model":"m"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("x-answer", name)
			resp, err := plain.Do(req)
			if err != nil {
				return // it was reset: the client has nothing
			}
			defer resp.Body.Close()
			got, _ := io.ReadAll(resp.Body) // up to where it is reset
			narrow := bytes.ReplaceAll(got, []byte{0}, nil)
			if bytes.Contains(narrow, []byte(strangerPhone)) || bytes.Contains(narrow, []byte("54321")) || resp.StatusCode != a.status && resp.StatusCode != http.StatusBadGateway {
				t.Errorf("the client got %d %q", resp.StatusCode, got)
			}
			t.Logf("%d %q", resp.StatusCode, got)
		})
	}
}

// wire sends bytes and returns all that comes back.
func wire(t *testing.T, port int, request string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", loopback(port), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(700 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, request) // the gateway may close before it has read all
	all, _ := io.ReadAll(conn)           // until it closes, or rests
	return string(all)
}
