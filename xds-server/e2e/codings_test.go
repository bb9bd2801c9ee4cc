package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// decompressing are policies: m has bodies decompressed, open lets pass what cannot be
// read, and plain has the default.
const decompressing = `apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: coded}
spec:
  models: [m]
  encodings: decompress
  entities: [{kind: phone, mode: mask}, {kind: email, mode: token}]
---
apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: lenient}
spec: {models: [open], encodings: decompress, onFailure: open, entities: [{kind: phone, mode: mask}]}
---
apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: usual}
spec: {models: [plain], entities: [{kind: phone, mode: mask}]}
`

// courier is an upstream that keeps what it got, and answers as the request's x-end and
// x-coding say.
type courier struct {
	mu     sync.Mutex
	header http.Header   // guarded by mu
	body   string        // guarded by mu
	next   chan struct{} // lets the next event of a stream go
}

func (c *courier) got() (http.Header, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.header, c.body
}

const (
	coded     = "call " + strangerPhone + " or " + strangerMail
	codedJSON = `{"choices":[{"index":0,"message":{"role":"assistant","content":"` + coded + `"}}]}`
	cleaned   = "call 139****4321 or <EMAIL>"
)

func (c *courier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c.mu.Lock()
	c.header, c.body = r.Header.Clone(), string(body)
	c.mu.Unlock()
	h, coding, end := w.Header(), r.Header.Get("x-coding"), r.Header.Get("x-end")
	h.Set("content-type", "application/json")
	if coding != "" {
		h.Set("content-encoding", coding)
	}
	for _, name := range []string{"etag", "content-digest", "repr-digest", "accept-ranges"} {
		h.Set(name, `"about the bytes"`)
	}
	switch end {
	case "stream":
		c.stream(w, coding)
		return
	case "text":
		h.Set("content-type", "text/plain")
	case "nothing":
		_, _ = w.Write([]byte("no coding at all"))
		return
	}
	out := encode(coding, codedJSON)
	switch end {
	case "cut":
		out = out[:len(out)-20]
	case "damaged":
		out = append(out[:len(out)/2], bytes.Repeat([]byte{0xff}, len(out)/2)...)
	}
	_, _ = w.Write(out)
}

// stream sends each event when the test asks for it, and flushes it out of the coding.
func (c *courier) stream(w http.ResponseWriter, coding string) {
	w.Header().Set("content-type", "text/event-stream")
	var to io.Writer = w
	flush := func() {}
	if strings.HasPrefix(coding, "gzip") {
		z := gzip.NewWriter(w)
		to, flush = z, func() { _ = z.Flush() }
		if coding == "gzip" {
			defer z.Close()
		}
	}
	for _, piece := range []string{"It is ", "1398", "765", "4321", ", you know"} {
		_, _ = fmt.Fprintf(to, oneChunk+"\n\n", piece)
		flush()
		w.(http.Flusher).Flush()
		if _, more := <-c.next; !more {
			return // the stream is cut short
		}
	}
	_, _ = io.WriteString(to, `data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
}

// encode puts text into a content coding. Brotli's and Zstandard's encoders here only
// store it: decoding is Envoy's.
func encode(coding, text string) []byte {
	var b bytes.Buffer
	switch coding {
	case "gzip", "x-gzip":
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
	case "gzip, gzip":
		return encode("gzip", string(encode("gzip", text)))
	case "deflate":
		w := zlib.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
	case "br": // RFC 7932 section 9: a window of 16 bits, an uncompressed meta-block, an empty last one
		head := uint32(len(text)-1)<<4 | 1<<20
		b.Write([]byte{byte(head), byte(head >> 8), byte(head >> 16)})
		b.WriteString(text)
		b.WriteByte(3)
	case "zstd": // RFC 8878 section 3.1.1: magic number, no size, a window of 1 MiB, one last raw block
		head := uint32(len(text))<<3 | 1
		b.Write([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x50, byte(head), byte(head >> 8), byte(head >> 16)})
		b.WriteString(text)
	default:
		return []byte(text)
	}
	return b.Bytes()
}

// couriered is a gateway with the policies before a courier.
func couriered(t *testing.T) (*plane, *courier) {
	t.Helper()
	c := &courier{next: make(chan struct{})}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	p := startPlane(t, func(p *plane) {
		for _, name := range []string{"m", "open", "plain", "free"} {
			p.write(t, name+".yaml", model(name, []version{{"v1", strings.TrimPrefix(server.URL, "http://"), ""}}, []int{100}, ""))
		}
		p.write(t, "redactions.yaml", decompressing)
	})
	return p, c
}

// deliver sends a body that is encoded already.
func deliver(t *testing.T, client *http.Client, p *plane, body []byte, headers ...string) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	return readAnswer(resp)
}

func codedChat(model, text string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]}`, model, text)
}

// TestRequestsAreDecompressed sends requests in each coding through a real Envoy.
func TestRequestsAreDecompressed(t *testing.T) {
	p, c := couriered(t)
	var some strings.Builder
	for i := range 25_000 {
		fmt.Fprintf(&some, "and %d, at some length; ", i*i)
	}
	long := some.String()
	for name, client := range map[string]*http.Client{"HTTP/1.1": plain, "HTTP/2": http2Only} {
		for _, coding := range []string{"gzip", "GZIP", "br", "zstd", "identity", ""} {
			for _, body := range []string{"I am " + ownPhone, long + ownPhone} {
				if len(body) > 60_000 && coding != "gzip" && coding != "" {
					continue // the encoders of this test make one block
				}
				a, err := deliver(t, client, p, encode(strings.ToLower(coding), codedChat("m", body)),
					"content-encoding", coding, "content-digest", "sha-256=:AAAA:", "repr-digest", "sha-256=:AAAA:", "cache-control", "no-transform")
				header, got := c.got()
				want := codedChat("m", strings.ReplaceAll(body, ownPhone, "138****5678"))
				if err != nil || a.status != http.StatusOK || got != want {
					t.Fatalf("%s %s: %v %d %s, upstream got %.300s", name, coding, err, a.status, clip(a.body), got)
				}
				for _, gone := range []string{"content-digest", "repr-digest", "x-weir-coded"} {
					if header.Get(gone) != "" {
						t.Errorf("%s %s: upstream got %s: %s", name, coding, gone, header.Get(gone))
					}
				}
				if e := header.Get("content-encoding"); e != "" && e != "identity" {
					t.Errorf("%s %s: upstream got content-encoding %s", name, coding, e)
				}
			}
		}
	}
	t.Run("another model", func(t *testing.T) {
		if a, err := deliver(t, plain, p, encode("gzip", codedChat("free", ownPhone)), "content-encoding", "gzip"); err != nil || a.status != http.StatusOK {
			t.Errorf("%v %d %s", err, a.status, a.body)
		}
		if _, got := c.got(); got != codedChat("free", ownPhone) {
			t.Errorf("upstream got %s", got)
		}
	})
	t.Run("parts", func(t *testing.T) {
		form := "--b\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\nI am " + ownPhone + "\r\n--b--\r\n"
		post := func(body []byte) answer {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(p.gateway)+"/v2/models/m/infer", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("content-type", "multipart/form-data; boundary=b")
			req.Header.Set("content-encoding", "gzip")
			a, err := send(req)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		if a := post(encode("gzip", form)); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
		if _, got := c.got(); got != strings.ReplaceAll(form, ownPhone, "138****5678") {
			t.Errorf("upstream got %s", got)
		}
		if a := post(encode("gzip", form)[:40]); a.status != http.StatusUnsupportedMediaType && a.status != http.StatusBadRequest {
			t.Errorf("a form that is cut short: %d %s", a.status, a.body)
		}
	})
	t.Run("refused", func(t *testing.T) { testRefusedCodings(t, p) })
	t.Run("bombs", func(t *testing.T) { testBombs(t, p) })
}

func testRefusedCodings(t *testing.T, p *plane) {
	text := codedChat("m", "I am "+ownPhone)
	whole := encode("gzip", text)
	damaged := append(bytes.Clone(whole[:20]), bytes.Repeat([]byte{0xff}, 60)...)
	for _, r := range []struct {
		name, coding, mediaType string
		body                    []byte
		status                  int
		code                    string
	}{
		{"cut short", "gzip", "", whole[:len(whole)-20], 400, "invalid_json"},
		{"cut very short", "gzip", "", whole[:12], 415, "unsupported_content_encoding"},
		{"damaged", "gzip", "", damaged, 415, "unsupported_content_encoding"},
		{"none at all", "gzip", "", []byte(text), 415, "unsupported_content_encoding"},
		{"none at all", "br", "", []byte(text), 415, "unsupported_content_encoding"},
		{"none at all", "zstd", "", []byte(text), 415, "unsupported_content_encoding"},
		{"deflate", "deflate", "", encode("deflate", text), 415, "unsupported_content_encoding"},
		{"compress", "compress", "", []byte(text), 415, "unsupported_content_encoding"},
		{"x-gzip", "x-gzip", "", whole, 415, "unsupported_content_encoding"},
		{"twice", "gzip, gzip", "", encode("gzip, gzip", text), 415, "unsupported_content_encoding"},
		{"two codings", "gzip, br", "", whole, 415, "unsupported_content_encoding"},
		{"two codings", "br,gzip", "", whole, 415, "unsupported_content_encoding"},
		{"forged mark", "compress", "", []byte(text), 415, "unsupported_content_encoding"},
		{"type without an end", "gzip", "text/plain", whole, 415, "unsupported_content_encoding"},
	} {
		headers := []string{"content-encoding", r.coding, "x-weir-coded", "1"}
		if r.mediaType != "" {
			headers = append(headers, "content-type", r.mediaType)
		}
		for name, client := range map[string]*http.Client{"HTTP/1.1": plain, "HTTP/2": http2Only} {
			a, err := deliver(t, client, p, r.body, headers...)
			if err == nil {
				err = refused(a, r.status, r.code)
			}
			if err != nil {
				t.Errorf("%s, %s, %s: %v", r.name, r.coding, name, err)
			}
		}
	}
}

// testBombs sends bodies out of which far more comes than goes in.
func testBombs(t *testing.T, p *plane) {
	before, err := p.envoy.RSS()
	if err != nil {
		t.Fatal(err)
	}
	zeros := codedChat("m", strings.Repeat("0", 100_000_000))
	// A Zstandard block of 4 bytes is one byte 131,072 times (RFC 8878 section 3.1.1.2.2).
	repeats := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x50}, bytes.Repeat([]byte{0x02, 0, 0x10, '0'}, 100_000)...)
	most := before
	for _, b := range []struct {
		coding string
		body   []byte
	}{{"gzip", encode("gzip", zeros)}, {"zstd", repeats}, {"gzip", encode("gzip", zeros)[:50_000]}} {
		for range 5 {
			a, err := deliver(t, plain, p, b.body, "content-encoding", b.coding)
			if err != nil || a.status != http.StatusRequestEntityTooLarge && a.status != http.StatusBadRequest {
				t.Errorf("%s of %d bytes: %v %d %s", b.coding, len(b.body), err, a.status, clip(a.body))
			}
			now, err := p.envoy.RSS()
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, now)
		}
	}
	if most > before+200<<20 {
		t.Errorf("Envoy has grown from %d to %d bytes", before, most)
	}
	if counters, err := p.envoy.Stats(t.Context(), `decompressor\.weir\.gzip\.decompressor_library\.zlib_data_error`); err != nil || len(counters) == 0 {
		t.Errorf("Envoy counts no errors: %v %v", counters, err)
	}
}

// TestAnswersAreDecompressed has an upstream answer in each coding.
func TestAnswersAreDecompressed(t *testing.T) {
	p, c := couriered(t)
	for _, a := range []struct {
		model, coding, end string
		status             int
		has                string
		reset              bool
	}{
		{"m", "gzip", "", 200, cleaned, false},
		{"m", "br", "", 200, cleaned, false},
		{"m", "zstd", "", 200, cleaned, false},
		{"m", "", "", 200, cleaned, false},
		{"m", "gzip", "cut", 200, "", true},
		{"m", "gzip", "damaged", 502, "unreadable_answer", false},
		{"m", "gzip", "nothing", 200, "", true},
		{"m", "br", "nothing", 200, "", true},
		{"m", "zstd", "nothing", 200, "", true},
		{"m", "deflate", "", 502, "unreadable_answer", false},
		{"m", "x-gzip", "", 502, "unreadable_answer", false},
		{"m", "gzip, gzip", "", 502, "unreadable_answer", false},
		{"m", "br, gzip", "nothing", 502, "unreadable_answer", false},
		{"m", "gzip", "text", 502, "unreadable_answer", false},
		{"open", "gzip", "", 200, "call 139****4321 or " + strangerMail, false},
		{"open", "compress", "nothing", 200, "no coding at all", false},
		{"plain", "gzip", "", 502, "unreadable_answer", false},
		{"free", "gzip", "", 200, string(encode("gzip", codedJSON)), false},
	} {
		for name, client := range map[string]*http.Client{"HTTP/1.1": plain, "HTTP/2": http2Only} {
			got, err := deliver(t, client, p, []byte(codedChat(a.model, "hello")), "x-coding", a.coding, "x-end", a.end, "accept-encoding", "gzip, deflate, br", "range", "bytes=0-10")
			what := fmt.Sprintf("%s %q %q over %s", a.model, a.coding, a.end, name)
			if a.reset {
				if err == nil {
					t.Errorf("%s: %d %s, want an error", what, got.status, got.body)
				}
				continue
			}
			if err != nil || got.status != a.status || !strings.Contains(string(got.body), a.has) {
				t.Errorf("%s: %v %d %s", what, err, got.status, got.body)
				continue
			}
			header, _ := c.got()
			wantAccept, wantRange := "gzip", ""
			switch a.model {
			case "plain":
				wantAccept = ""
			case "free":
				wantAccept, wantRange = "gzip, deflate, br", "bytes=0-10"
			}
			if accept, ranged := header.Get("accept-encoding"), header.Get("range"); accept != wantAccept || ranged != wantRange {
				t.Errorf("%s: upstream got accept-encoding %q and range %q, want %q and %q", what, accept, ranged, wantAccept, wantRange)
			}
			if a.model == "m" && a.status == 200 {
				for _, gone := range []string{"content-encoding", "etag", "content-digest", "repr-digest", "accept-ranges", "content-length"} {
					if got.header.Get(gone) != "" {
						t.Errorf("%s: %s: %s arrives", what, gone, got.header.Get(gone))
					}
				}
			}
		}
	}
	t.Run("streams", func(t *testing.T) { testCodedStreams(t, p, c) })
	eventually(t, 30*time.Second, func() error {
		broken, err := p.envoy.Counter(t.Context(), "wasmcustom.weir.answers.broken")
		if err == nil && broken < 8 {
			err = fmt.Errorf("%d answers are broken, want at least 8", broken)
		}
		return err
	})
}

// testCodedStreams reads a stream that is flushed event by event: each event arrives
// before the next is sent. One that is cut short ends with an error.
func testCodedStreams(t *testing.T, p *plane, c *courier) {
	for _, coding := range []string{"gzip", ""} {
		for _, whole := range []bool{true, false} {
			c.next = make(chan struct{})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions",
				strings.NewReader(strings.Replace(codedChat("m", "hello"), "{", `{"stream":true,`, 1)))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"content-type": "application/json", "x-coding": coding, "x-end": "stream", "accept-encoding": "gzip"} {
				req.Header.Set(name, value)
			}
			resp, err := plain.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 60)
			if _, err := io.ReadFull(resp.Body, first); err != nil || !strings.Contains(string(first), `"choices"`) {
				t.Fatalf("%q: the first event does not arrive: %v %s", coding, err, first)
			}
			for i := range 5 {
				if !whole && i == 3 {
					close(c.next)
					break
				}
				c.next <- struct{}{}
			}
			rest, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			body := string(first) + string(rest)
			text := spoken(t, body[:strings.LastIndex(body, "\n\n")+2])["0/content"]
			switch {
			case strings.Contains(body, strangerPhone) || strings.Contains(text, strangerPhone):
				t.Errorf("%q: the number arrives: %s", coding, body)
			case whole && (err != nil || text != "It is 139****4321, you know" || !strings.HasSuffix(body, "data: [DONE]\n\n")):
				t.Errorf("%q: %v %s", coding, err, body)
			case !whole && coding == "gzip" && err == nil:
				t.Errorf("%q: a stream that is cut short ends well: %s", coding, body)
			}
		}
	}
}
