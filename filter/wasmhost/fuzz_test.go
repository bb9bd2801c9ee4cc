package wasmhost

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzFilter holds the filter to its first duty: whatever a stranger sends, it
// neither traps nor hangs, and what it answers is JSON.
func FuzzFilter(f *testing.F) {
	module := filterModule(f)
	vm := newVM(f, module, Options{})
	f.Add("POST", "/v1/chat/completions", "content-type: application/json\nx-user-id: u", []byte(chatBody("chat", 50)), uint8(7), true)
	f.Add("POST", "/v1/embeddings", "content-length: 5\nx-weir-model: a\nx-model: b", []byte(`{"model":"\u0063hat","input":["１３８１２３４５６７８","a@b.cn"]}`), uint8(1), false)
	f.Add("GET", "/v2/models/chat/versions/v1/ready?x=%2F", "x-tenant-id: \x00\xff", []byte{}, uint8(0), true)
	f.Add("POST", "/v2/models/plain/infer", "inference-header-content-length: 3\ncontent-encoding: gzip", []byte("\xef\xbb\xbf{\"model\":1e999}"), uint8(3), true)
	f.Fuzz(func(t *testing.T, method, path, headers string, body []byte, size uint8, http2 bool) {
		r := Request{Method: method, Path: path, Properties: map[string]string{"request.protocol": "HTTP/1.1"}}
		if http2 {
			r.Properties = map[string]string{"request.protocol": "HTTP/2"}
			r.Trailers = Headers{{"x-sum", "1"}}
		}
		for line := range strings.Lines(headers) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			r.Headers = append(r.Headers, Header{name, value})
		}
		for p := body; len(p) > 0; {
			n := min(int(size)*int(size)+1, len(p))
			r.Chunks, p = append(r.Chunks, p[:n]), p[n:]
		}
		o, err := vm.Do(r)
		if err != nil {
			vm = newVM(t, module, Options{})
			t.Fatal(err)
		}
		if o.Reply != nil && !json.Valid(o.Reply.Body) {
			t.Errorf("reply %d is no JSON: %q", o.Reply.Status, o.Reply.Body)
		}
		if record := o.FilterState["wasm.weir"]; !json.Valid(record) {
			t.Errorf("record is no JSON: %q", record)
		}
	})
}
