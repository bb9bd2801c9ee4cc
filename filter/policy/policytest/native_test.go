package policytest_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// host surrounds the engine as a vector asks for.
type host struct {
	*bucket.Memory
	now        int64
	peer       string
	properties map[string]string
	fails      bool
	keys       redact.Keys
}

func (h *host) Keys() *redact.Keys { return &h.keys }

func (h *host) Now() int64     { return h.now }
func (h *host) Random() uint64 { return 1 << 63 }

func (h *host) Peer() []byte {
	if h.peer == "" {
		return nil
	}
	return []byte(h.peer)
}

func (h *host) Property(path string) []byte {
	return []byte(h.properties[strings.ReplaceAll(path, "\x00", ".")])
}

func (h *host) Take(c *bucket.Charge, now int64) (bucket.Result, error) {
	if h.fails {
		return bucket.Result{}, errors.New("no store")
	}
	return h.Memory.Take(c, now)
}

// native is the engine as a host of vectors.
type native struct {
	t      *testing.T
	stream *engine.Stream
	pool   *hold.Pool
}

// run sends a vector's request, and before it those that the vector wants, with
// the body in pieces that next sizes.
func (n *native) run(v *policytest.Vector, p *engine.Program, next func() int) *policytest.Outcome {
	h := &host{Memory: bucket.NewMemory(64), now: v.Now, peer: v.Peer, properties: v.Properties, fails: v.StoreFails}
	if h.now == 0 {
		h.now = 1_700_000_000_000_000_000
	}
	for range v.Before {
		n.send(v, p, h, next)
	}
	return n.send(v, p, h, next)
}

func (n *native) send(v *policytest.Vector, p *engine.Program, h *host, next func() int) *policytest.Outcome {
	s, body := n.stream, v.Body()
	defer func() {
		s.Release()
		if n.pool.InUse() != 0 {
			n.t.Errorf("%s: %d bytes in use after the request", v.Name, n.pool.InUse())
		}
	}()
	s.Reset(p, h)
	headers := append([][2]string{{":method", v.Request.Method}, {":path", v.Request.Path}}, v.Request.Headers...)
	if !v.Request.Chunked && len(body) > 0 {
		headers = append(headers, [2]string{"content-length", strconv.Itoa(len(body))})
	}
	for _, header := range headers {
		s.Header([]byte(header[0]), []byte(header[1]))
	}
	var upstream []byte
	action := s.Headers(len(body) == 0)
	for rest := body; len(rest) > 0 && action != engine.Reply; {
		piece := bytes.Clone(rest[:min(next(), len(rest))])
		rest = rest[len(piece):]
		action = s.Body(piece, len(rest) == 0)
		if action == engine.Forward {
			upstream = append(upstream, written(s, piece)...)
		}
		for i := range piece {
			piece[i] = 0xEE // the engine must not look at it again
		}
	}
	if action == engine.Reply {
		r := s.Reply()
		return &policytest.Outcome{Status: r.Status, Body: bytes.Clone(r.Body), GRPC: int(r.GRPC), Headers: apply(nil, r.Headers)}
	}
	if action != engine.Forward {
		n.t.Errorf("%s: action %d at the end", v.Name, action)
	}
	o := &policytest.Outcome{Headers: apply(headers, s.Edits()), Body: upstream}
	o.Answer = n.answer(v, next)
	o.Response = apply(nil, s.ResponseEdits())
	return o
}

// answer plays the response and returns what the client gets of its body.
func (n *native) answer(v *policytest.Vector, next func() int) []byte {
	s, a := n.stream, v.Answer
	if a == nil {
		a = &policytest.Answer{Status: 200}
	}
	if !s.Reads() {
		s.Finish(engine.CauseEnd)
		return a.Bytes()
	}
	s.ResponseHeader([]byte(":status"), []byte(strconv.Itoa(a.Status)))
	for _, h := range a.Headers {
		s.ResponseHeader([]byte(h[0]), []byte(h[1]))
	}
	s.ResponseHeaders(len(a.Bytes()) == 0 && len(a.Trailers) == 0)
	var out bytes.Buffer
	for rest := a.Bytes(); len(rest) > 0; {
		piece := bytes.Clone(rest[:min(next(), len(rest))])
		rest = rest[len(piece):]
		s.ResponseBody(piece, output{&out})
	}
	if s.ReadsTrailers() {
		for _, h := range a.Trailers {
			s.ResponseHeader([]byte(h[0]), []byte(h[1]))
		}
	}
	s.ResponseEnd(output{&out})
	s.Finish(engine.CauseClient) // must find nothing to do
	return out.Bytes()
}

// written returns what goes upstream in place of a piece.
func written(s *engine.Stream, piece []byte) []byte {
	if !s.Rewritten() {
		return piece
	}
	var out []byte
	for i := range s.Held().Blocks() {
		out = append(out, s.Held().Block(i)...)
	}
	s.Held().Release()
	return out
}

func apply(headers [][2]string, edits []engine.Edit) [][2]string {
	for _, e := range edits {
		var kept [][2]string
		if e.Op == engine.Merge {
			for _, h := range headers {
				if h[0] == e.Name {
					e.Value = engine.AppendBaggage(bytes.Clone(e.Value), []byte(h[1]))
				}
			}
			e.Op = engine.Set
		}
		for _, h := range headers {
			if h[0] != e.Name || e.Op == engine.Append {
				kept = append(kept, h)
			}
		}
		headers = kept
		if e.Op != engine.Remove {
			headers = append(headers, [2]string{e.Name, string(e.Value)})
		}
	}
	return headers
}

func TestNative(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	programs := map[string]*engine.Program{}
	for _, name := range policytest.Policies() {
		p, err := engine.Compile(policytest.Policy(name), nil)
		if err != nil {
			t.Fatalf("policy %s: %v", name, err)
		}
		programs[name] = p
	}
	seen := map[string]bool{}
	for _, v := range policytest.Vectors() {
		t.Run(v.Name, func(t *testing.T) {
			if seen[v.Name] {
				t.Error("the name stands there twice")
			}
			seen[v.Name] = true
			pool := hold.NewPool(1 << 20)
			n := &native{t: t, stream: engine.NewStream(pool), pool: pool}
			whole := n.run(&v, programs[v.Policy], func() int { return 64 << 10 })
			for _, problem := range v.Check(whole) {
				t.Error(problem)
			}
			sizes := []func() int{func() int { return 1 }, func() int { return 1 + random.IntN(7) }, func() int { return 1 + random.IntN(300) }}
			for _, next := range sizes {
				if got := n.run(&v, programs[v.Policy], next); !reflect.DeepEqual(got, whole) {
					t.Errorf("in pieces: %d %q %s\nwhole: %d %q %s", got.Status, got.Headers, got.Body, whole.Status, whole.Headers, whole.Body)
				}
			}
		})
	}
	if len(seen) < 60 {
		t.Errorf("only %d vectors", len(seen))
	}
}

// output is a buffer as an engine.Output.
type output struct{ *bytes.Buffer }

// Write is part of engine.Output.
func (o output) Write(p []byte) error {
	o.Buffer.Write(p)
	return nil
}
