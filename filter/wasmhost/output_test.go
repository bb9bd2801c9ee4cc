package wasmhost

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// TestOutputDigest compares the digest of an answer in its record with what the client
// got, in pieces of many sizes.
func TestOutputDigest(t *testing.T) {
	s := newSealer(t, "open", NewSharedData())
	for _, size := range []int{1, 55, 64, 65535, 65536, 65537, 131072, 200000} {
		body := bytes.Repeat([]byte("x"), size)
		for _, piece := range []int{size, 1000, 65536} {
			r := chat(`{"model":"m"}`)
			r.Response = jsonAnswer(string(body))
			r.ResponseChunks = slices.Collect(slices.Chunk(body, piece))
			o := do(t, s.VM, r)
			var record struct {
				Output struct {
					SHA256 string
					Bytes  int
				}
			}
			if err := json.Unmarshal(o.FilterState["wasm.weir"], &record); err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(o.Response.Body)
			if record.Output.SHA256 != hex.EncodeToString(sum[:]) || record.Output.Bytes != len(o.Response.Body) || len(o.Response.Body) != size {
				t.Errorf("%d bytes by %d: %+v", size, piece, record.Output)
			}
		}
	}
	// What the filter answers by itself is said by its outcome.
	if o := do(t, s.VM, chat(`{"model":"unknown"}`)); bytes.Contains(o.FilterState["wasm.weir"], []byte(`"output"`)) {
		t.Errorf("%s", o.FilterState["wasm.weir"])
	}
}

// TestOutputDigestOfWhatIsRewritten has an event cut out of a stream, which is then not
// in the digest either.
func TestOutputDigestOfWhatIsRewritten(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	document := bytes.Replace([]byte(shared), []byte(`"settings":{`), []byte(`"settings":{"evidence":"open",`), 1)
	document = bytes.Replace(document, []byte(`"scope":"shared",`), nil, 1)
	if err := vm.Configure(document); err != nil {
		t.Fatal(err)
	}
	for _, piece := range []int{1, 7, 100, 1 << 20} {
		answer := eventAnswer(20)
		r := chat(`{"model":"m","stream":true,"max_tokens":50,"messages":[]}`)
		r.Path = "/v1/chat/completions"
		r.Response = answer
		r.ResponseChunks = slices.Collect(slices.Chunk(answer.Body, piece))
		o := do(t, vm, r)
		if len(o.Response.Body) >= len(answer.Body) {
			t.Fatalf("nothing was cut out of %s", o.Response.Body)
		}
		sum := sha256.Sum256(o.Response.Body)
		if want := fmt.Sprintf(`"output":{"sha256":"%x","bytes":%d}`, sum, len(o.Response.Body)); !bytes.Contains(o.FilterState["wasm.weir"], []byte(want)) {
			t.Errorf("by %d: %s, want %s", piece, o.FilterState["wasm.weir"], want)
		}
	}
}
