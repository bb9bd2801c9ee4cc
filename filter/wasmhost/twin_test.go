package wasmhost

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/policytest"
)

// TestGoldenVectors runs on the filter that ships what the engine's own tests
// run on the engine: the same requests, the same outcomes.
func TestGoldenVectors(t *testing.T) {
	module := filterModule(t)
	vectors := policytest.Vectors()
	for i := range vectors {
		v := &vectors[i]
		t.Run(v.Name, func(t *testing.T) {
			for _, shape := range shapes(len(v.Body())) {
				for _, problem := range v.Check(runVector(t, module, v, shape)) {
					t.Errorf("%s: %s", shape.name, problem)
				}
			}
		})
	}
}

// shape is a way in which a body arrives.
type shape struct {
	name        string
	size        int // of a chunk
	separateEnd bool
	protocol    string
	trailers    Headers
}

// shapes are the ways in which vectors are sent. Single bytes are for short
// bodies: a long one would take minutes and say no more.
func shapes(size int) []shape {
	all := []shape{
		{name: "one chunk", size: size, protocol: "HTTP/1.1"},
		{name: "one chunk and its end", size: size, separateEnd: true, protocol: "HTTP/1.1"},
		{name: "HTTP/2 frames", size: 16 << 10, protocol: "HTTP/2"},
	}
	if size <= 4096 {
		all = append(all, shape{name: "single bytes", size: 1, protocol: "HTTP/1.1"},
			shape{name: "single bytes and trailers", size: 1, protocol: "HTTP/2", trailers: Headers{{"x-sum", "1"}}})
	}
	return all
}

// runVector sends a vector's request, after those that it wants sent before.
func runVector(t *testing.T, module *Module, v *policytest.Vector, sh shape) *policytest.Outcome {
	t.Helper()
	at := time.Unix(0, v.Now)
	if v.Now == 0 {
		at = time.Unix(1_700_000_000, 0)
	}
	fails := false
	vm, err := module.NewVM(t.Context(), Options{
		Now: func() time.Time { return at },
		Fault: func(function string) Status {
			if fails && strings.HasSuffix(function, "_shared_data") {
				return StatusBadArgument
			}
			return StatusOK
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = vm.Close(t.Context()) }()
	if err := vm.Configure(v.Document()); err != nil {
		t.Fatal(err)
	}
	fails = v.StoreFails
	r := vectorRequest(v, sh)
	for range v.Before {
		do(t, vm, r)
	}
	return vectorOutcome(do(t, vm, r))
}

func vectorRequest(v *policytest.Vector, sh shape) Request {
	r := Request{
		Method: v.Request.Method, Path: v.Request.Path, Peer: v.Peer,
		SeparateEnd: sh.separateEnd,
		Properties:  map[string]string{"request.protocol": sh.protocol},
	}
	for path, value := range v.Properties {
		r.Properties[path] = value
	}
	for _, h := range v.Request.Headers {
		r.Headers = append(r.Headers, Header{h[0], h[1]})
	}
	body := v.Body()
	if !v.Request.Chunked && len(body) > 0 {
		r.Headers = append(r.Headers, Header{"content-length", fmt.Sprint(len(body))})
	}
	r.Chunks = pieces(body, sh.size)
	if len(body) > 0 {
		r.Trailers = sh.trailers
	}
	if a := v.Answer; a != nil {
		r.Response = &Message{Headers: Headers{{":status", fmt.Sprint(a.Status)}}, Trailers: sh.trailers}
		for _, h := range a.Trailers {
			r.Response.Trailers = append(r.Response.Trailers, Header{h[0], h[1]})
		}
		for _, h := range a.Headers {
			r.Response.Headers = append(r.Response.Headers, Header{h[0], h[1]})
		}
		size := sh.size
		if size > 1 {
			size = len(a.Bytes())
		}
		r.ResponseChunks = pieces(a.Bytes(), size)
		if sh.separateEnd {
			r.ResponseChunks = append(r.ResponseChunks, nil)
		}
	}
	return r
}

func pieces(p []byte, size int) (all [][]byte) {
	for len(p) > 0 {
		n := min(size, len(p))
		all, p = append(all, p[:n]), p[n:]
	}
	return all
}

func vectorOutcome(o Outcome) *policytest.Outcome {
	if o.Reply != nil {
		return &policytest.Outcome{Status: o.Reply.Status, Headers: fields(o.Reply.Headers), Body: o.Reply.Body, GRPC: o.Reply.GRPC}
	}
	return &policytest.Outcome{
		Headers: fields(o.Headers), Body: o.Body,
		Response: fields(o.Response.Headers[1:]), Answer: o.Response.Body,
	}
}

func fields(h Headers) [][2]string {
	var out [][2]string
	for _, f := range h {
		out = append(out, [2]string{f.Name, f.Value})
	}
	return out
}
