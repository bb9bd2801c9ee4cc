package engine_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// outcome is all that a host sees of a request.
type outcome struct {
	action   engine.Action
	status   int
	reply    string
	upstream string
	edits    []string
	counts   engine.Counts
	record   string
}

// observe sends a request in pieces that next sizes.
func observe(t *testing.T, pool *hold.Pool, s *engine.Stream, p *engine.Program, path, header string, body []byte, next func() int) outcome {
	return observeAs(t, "application/json", pool, s, p, path, header, body, next)
}

// observeAs sends a request with a body of this type.
func observeAs(t *testing.T, contentType string, pool *hold.Pool, s *engine.Stream, p *engine.Program, path, header string, body []byte, next func() int) outcome {
	h := newHost()
	h.peer = header
	s.Reset(p, h)
	for _, pair := range [][2]string{
		{":method", "POST"}, {":path", path}, {"content-type", contentType}, {"x-user-id", header},
		{"x-model-version", header}, {"x-model", header}, {"x-weir-" + header, header},
	} {
		s.Header([]byte(pair[0]), []byte(pair[1]))
	}
	var o outcome
	var upstream []byte
	o.action = s.Headers(len(body) == 0)
	for rest := body; len(rest) > 0 && o.action != engine.Reply; {
		piece := bytes.Clone(rest[:min(next(), len(rest))])
		rest = rest[len(piece):]
		if o.action = s.Body(piece, len(rest) == 0); o.action != engine.Forward {
			continue
		}
		if s.Rewritten() {
			piece = []byte(held(s))
			s.Held().Release()
		}
		upstream = append(upstream, piece...)
	}
	if o.action == engine.Hold {
		t.Fatalf("%q is held for ever", body)
	}
	o.counts, o.record = s.Counts(), string(s.Record())
	if !json.Valid([]byte(o.record)) {
		t.Fatalf("record %q", o.record)
	}
	if o.action == engine.Reply {
		o.status, o.reply = s.Reply().Status, string(s.Reply().Body)
		if !json.Valid([]byte(o.reply)) && contentType != "application/grpc" {
			t.Fatalf("reply %q", o.reply)
		}
	} else {
		o.upstream, o.edits = string(upstream), lines(s.Edits())
	}
	s.Release()
	if pool.InUse() != 0 {
		t.Fatalf("%d bytes in use after the request", pool.InUse())
	}
	return o
}

// FuzzStream gives strangers' bytes to the engine: no panic, the same outcome in
// all pieces, a valid body upstream, and nothing personal that has a known form.
func FuzzStream(f *testing.F) {
	for _, body := range bodies() {
		f.Add("/v1/chat/completions", "v1", []byte(body), uint64(1))
	}
	f.Add("/v2/models/gpt-4/versions/v1/infer", "spiffe://weir.test/edge", []byte(`{"inputs":[{"data":["13800138000"]}]}`), uint64(2))
	f.Add("/v1/chat/completions", "gpt-4", []byte(`{"a":"13800138000","m\u006fdel":"gpt-4","user":"\ud83d\ude00","n":2}`), uint64(3))
	f.Add("/v1/models/%2f", "", []byte(`[[[[[]]]]]`), uint64(4))
	streaming := document()
	streaming.Settings.HoldLimit, streaming.Settings.Overflow, streaming.Settings.MaxDepth = 100, spec.OverflowStream, 5
	programs := []*engine.Program{compile(f, document()), compile(f, streaming), compile(f, counting())}
	pool := hold.NewPool(1 << 20)
	s := engine.NewStream(pool)
	f.Fuzz(func(t *testing.T, path, header string, body []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 3))
		p := programs[seed%uint64(len(programs))]
		whole := observe(t, pool, s, p, path, header, body, func() int { return len(body) })
		for _, next := range []func() int{func() int { return 1 }, func() int { return 1 + random.IntN(40) }} {
			pieces := observe(t, pool, s, p, path, header, body, next)
			if pieces.action == engine.Reply { // what was found before the fault depends on the pieces
				pieces.counts, pieces.record = whole.counts, whole.record
			}
			if !reflect.DeepEqual(whole, pieces) {
				t.Fatalf("%q in pieces:\n%+v\nwhole:\n%+v", body, pieces, whole)
			}
		}
		if whole.action == engine.Forward && len(body) > 0 && !json.Valid([]byte(whole.upstream)) {
			t.Fatalf("%q goes upstream as %q", body, whole.upstream)
		}
	})
}
