package engine_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/policytest/oracle"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// everyKind is a policy that tags all kinds in what goes to gpt-4 and in its answers.
func everyKind() *spec.Document {
	d := document()
	d.Limits, d.Models[0].GRPC, d.Models[0].Aliases = nil, true, nil
	d.Redactions[0].Entities = nil
	for k := range spec.EntityKinds {
		d.Redactions[0].Entities = append(d.Redactions[0].Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	return d
}

// oracleOf is one of the redaction of gpt-4.
func oracleOf(d *spec.Document, way spec.Direction) *oracle.Oracle {
	return &oracle.Oracle{Rules: redact.Compile(&d.Redactions[0], way), Left: oracle.LeftAlone}
}

// bodyTypes are the content-types of requests that are redacted.
var bodyTypes = []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/grpc", "application/json"}

// FuzzOtherBodies sends bodies of all types: in whatever pieces they come, what goes
// upstream is the body with each of its texts redacted whole, and nothing else changed.
func FuzzOtherBodies(f *testing.F) {
	f.Add(uint8(0), "call 13800138000 \\u0040 \xe4\xb8\xad", uint64(1))
	f.Add(uint8(1), "a=13800138000&b=alice%40example.com&c=%1&d", uint64(2))
	f.Add(uint8(2), "--b\r\nContent-Type: application/json\r\n\r\n[\"13800138000\"]\r\n--b\r\n\r\nalice@example.com\r\n--b--", uint64(3))
	f.Add(uint8(2), "--b\r\nContent-Disposition: form-data; name=\"passport\"\r\n\r\nE12345678\r\n--b--\r\n", uint64(3))
	f.Add(uint8(3), "\n\x05gpt-4*\x1a\x12\x05BYTES*\x11B\x0f13800138000 abc", uint64(4))
	f.Add(uint8(3), "\n\x05gpt-4\"\x19\n\x08passport\x12\x0d\x1a\x0bE12345678 x*\x07\x12\x05BYTES:\x0f\x0b\x00\x00\x0013800138000", uint64(5))
	f.Add(uint8(4), `{"passport":"E12345678","a":{"b":["13800138000",7]},"messages":[{"role":"user","content":"a\u0040b.cn"}],"tools":[{"name":"x@y.cn"}]}`, uint64(6))
	for i, body := range bodies() {
		f.Add(uint8(4), body, uint64(len(i)))
	}
	d := everyKind()
	streaming := *d
	streaming.Settings.HoldLimit, streaming.Settings.Overflow = 100, spec.OverflowStream
	programs := []*engine.Program{compile(f, d), compile(f, &streaming)}
	o := oracleOf(d, spec.DirectionRequest)
	pool := hold.NewPool(1 << 20)
	s := engine.NewStream(pool)
	f.Fuzz(func(t *testing.T, kind uint8, text string, seed uint64) {
		random, contentType := rand.New(rand.NewPCG(seed, 3)), bodyTypes[int(kind)%len(bodyTypes)]
		path, body := "/v2/models/gpt-4/generate", []byte(text)
		if contentType == "application/grpc" {
			path = "/inference.GRPCInferenceService/ModelInfer"
			body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
		}
		p := programs[seed%2]
		whole := observeAs(t, contentType, pool, s, p, path, "", body, func() int { return len(body) })
		for _, next := range []func() int{func() int { return 1 }, func() int { return 1 + random.IntN(40) }} {
			pieces := observeAs(t, contentType, pool, s, p, path, "", body, next)
			if pieces.action == engine.Reply { // what was found before the fault depends on the pieces
				pieces.counts, pieces.record = whole.counts, whole.record
			}
			if !reflect.DeepEqual(whole, pieces) {
				t.Fatalf("%q in pieces:\n%+v\nwhole:\n%+v", body, pieces, whole)
			}
		}
		if whole.action != engine.Forward || len(body) == 0 {
			return
		}
		if whole.counts == (engine.Counts{}) && whole.upstream != string(body) {
			t.Fatalf("%q goes upstream as %q", body, whole.upstream)
		}
		if strings.Contains(whole.record, `"model":"gpt-4"`) {
			if problem := compared(o, contentType, body, []byte(whole.upstream)); problem != "" {
				t.Fatalf("%q goes upstream as %q: %s", body, whole.upstream, problem)
			}
		}
	})
}

// compared returns how out differs from what has to become of a request's body.
func compared(o *oracle.Oracle, contentType string, in, out []byte) string {
	switch contentType {
	case "text/plain":
		return o.Text(in, out)
	case "application/x-www-form-urlencoded":
		return o.Form(in, out)
	case "application/grpc":
		return o.Message(false, in, out)
	case "application/json":
		return o.JSON(in, out)
	}
	return o.Multipart("b", in, out)
}

// answered is all that a client sees of an answer.
type answered struct {
	fault  engine.AnswerFault
	body   string
	counts uint32 // of what was found in it
}

// answerTypes are the content-types of answers that are redacted.
var answerTypes = []string{"application/json", "text/plain", "text/event-stream", "application/x-ndjson", "application/grpc"}

// receive sends an answer of this type through a stream, in pieces that next sizes.
func receive(t *testing.T, pool *hold.Pool, s *engine.Stream, p *engine.Program, contentType string, body []byte, next func() int) answered {
	h := newHost()
	s.Reset(p, h)
	path, kind, request := "/v1/chat/completions", "application/json", `{"model":"gpt-4"}`
	if contentType == "application/grpc" {
		path, kind, request = "/inference.GRPCInferenceService/ModelInfer", contentType, "\x00\x00\x00\x00\x07\n\x05gpt-4"
	}
	for _, pair := range [][2]string{{":method", "POST"}, {":path", path}, {"content-type", kind}} {
		s.Header([]byte(pair[0]), []byte(pair[1]))
	}
	s.Headers(false)
	if action := s.Body([]byte(request), true); action != engine.Forward {
		t.Fatalf("the request: %v %s", action, s.Reply().Body)
	}
	if s.Rewritten() {
		s.Held().Release()
	}
	s.ResponseHeader([]byte(":status"), []byte("200"))
	s.ResponseHeader([]byte("content-type"), []byte(contentType))
	a := answered{}
	var out bytes.Buffer
	if s.ResponseHeaders(false) {
		for rest := body; len(rest) > 0; {
			piece := bytes.Clone(rest[:min(next(), len(rest))])
			rest = rest[len(piece):]
			s.ResponseBody(piece, sink{&out})
			clear(piece) // nothing may be read after the call
		}
		s.ResponseEnd(sink{&out})
	}
	a.fault, a.body = s.AnswerFault(), out.String()
	for k := range spec.EntityKinds {
		a.counts += s.Found(spec.DirectionResponse, spec.EntityKind(k))
	}
	s.Finish(engine.CauseEnd)
	s.Release()
	if pool.InUse() != 0 {
		t.Fatalf("%d bytes in use after the answer", pool.InUse())
	}
	return a
}

// FuzzAnswers sends answers of all types, gRPC among them: in whatever pieces they come,
// the client gets the same, and of what is read string by string each redacted whole, with
// nothing else changed.
func FuzzAnswers(f *testing.F) {
	f.Add(uint8(0), `{"id":"chatcmpl-1","choices":[{"index":0,"message":{"role":"assistant","content":"call 13800138000"},"finish_reason":"stop"}],"passport":"E12345678"}`, uint64(1))
	f.Add(uint8(0), `{"a_very_long_name_that_ends_with_a_word_about_what_is_in_it_passport":"E12345678"}`, uint64(1))
	f.Add(uint8(1), "call 13800138000 \\u0040 \xe4\xb8\xad", uint64(2))
	f.Add(uint8(2), "data: {\"choices\":[{\"delta\":{\"content\":\"138001\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"38000\"}}]}\n\ndata: [DONE]\n\n", uint64(3))
	f.Add(uint8(2), "id: 1\revent: a\rdata: {\"a\":\"13800138000\",\rdata:\"b\":1}\r\rdata: a text with alice@exam\r\rdata: ple.com\r\r", uint64(3))
	f.Add(uint8(2), "\xef\xbb\xbf: 13800138000\nno field 13800138000\nevent: 13800138000\ndata: {\"a\":\"x\"}\n\n{\"error\":\"13800138000\"}", uint64(3))
	f.Add(uint8(1), "event: 13800138000\ndata: {\"a\":\"138001\"}\n\ndata: {\"a\":\"38000\"}\n\n", uint64(3))
	f.Add(uint8(0), "data: {\"a\":\"138001\"}\n\ndata: {\"a\":\"38000\"}\n\n", uint64(3))
	f.Add(uint8(0), "dat", uint64(3))
	f.Add(uint8(3), "{\"response\":\"138001\"}\n{\"response\":\"38000\",\"done\":true}\n", uint64(4))
	f.Add(uint8(4), "\n\x05gpt-4*\x0c\n\x01a\x12\x05BYTES\x1a\x00002\x0f\x0b\x00\x00\x0013800138000", uint64(5))
	f.Add(uint8(4), "\"\x19\n\x08passport\x12\x0d\x1a\x0bE12345678 x*\x1a\x12\x05BYTES*\x11B\x0f13800138000 abc", uint64(6))
	d := everyKind()
	open := *d
	open.Redactions = []spec.Redaction{d.Redactions[0]}
	open.Redactions[0].OnFailure = spec.FailOpen
	programs := []*engine.Program{compile(f, d), compile(f, &open)}
	o := oracleOf(d, spec.DirectionResponse)
	pool := hold.NewPool(1 << 20)
	s := engine.NewStream(pool)
	f.Fuzz(func(t *testing.T, kind uint8, text string, seed uint64) {
		random, contentType, body := rand.New(rand.NewPCG(seed, 3)), answerTypes[int(kind)%len(answerTypes)], []byte(text)
		if contentType == "application/grpc" {
			body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
		}
		p := programs[seed%2]
		whole := receive(t, pool, s, p, contentType, body, func() int { return len(body) })
		for _, next := range []func() int{func() int { return 1 }, func() int { return 1 + random.IntN(40) }} {
			pieces := receive(t, pool, s, p, contentType, body, next)
			if pieces.fault == whole.fault && whole.fault >= engine.AnswerBroken {
				pieces.body, pieces.counts = whole.body, whole.counts // what came before it broke depends on the pieces
			}
			if whole != pieces {
				t.Fatalf("%q in pieces:\n%+v\nwhole:\n%+v", body, pieces, whole)
			}
		}
		if whole.fault != engine.AnswerFine {
			return
		}
		if problem := comparedAnswer(o, contentType, body, []byte(whole.body)); problem != "" {
			t.Fatalf("%q reaches the client as %q: %s", body, whole.body, problem)
		}
	})
}

// comparedAnswer returns how out differs from what has to become of an answer.
func comparedAnswer(o *oracle.Oracle, contentType string, in, out []byte) string {
	how := oracle.Said
	switch contentType {
	case "text/plain", "application/json":
		how = oracle.Guessed
	case "application/x-ndjson":
		how = oracle.Lines
	}
	if how == oracle.Guessed && oracle.LikeEvents(in) {
		return o.Events(in, out, how)
	}
	switch contentType {
	case "text/plain":
		return o.Text(in, out)
	case "application/grpc":
		if len(in) == 5 {
			return "" // it says nothing
		}
		return o.Message(true, in, out)
	case "application/json":
		switch {
		case !json.Valid(in) || !utf8.Valid(in):
			return ""
		case !json.Valid(out):
			return "it is no JSON any more"
		case bytes.Contains(in, []byte("probs")):
			return ""
		}
		return o.JSON(in, out)
	}
	return o.Events(in, out, how)
}
