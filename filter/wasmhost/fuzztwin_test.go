package wasmhost

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// twinModels are the models of FuzzTwin's policy, each with a way of its own to redact
// both requests and answers.
var twinModels = []struct {
	name string
	mode spec.RedactionMode
	fail spec.Failure
}{{"codes", spec.RedactHMAC, spec.FailOpen}, {"open", spec.RedactMask, spec.FailOpen}, {"tagged", spec.RedactTag, spec.FailClosed}, {"tokens", spec.RedactToken, spec.FailClosed}}

func twinPolicy() []byte {
	d := &spec.Document{Version: spec.Version, Settings: spec.Settings{HoldLimit: 2 << 10, WorkerHoldLimit: 1 << 20, Overflow: spec.OverflowStream, MaxDepth: 16, Record: true}}
	for _, m := range twinModels {
		d.Models = append(d.Models, spec.Model{Name: m.name, GRPC: true})
		r := everyKind(m.mode)
		r.Name, r.Models, r.OnFailure = m.name, []string{m.name}, m.fail
		for i := range r.Entities {
			if r.Entities[i].Problem().Field != "" { // it cannot have this mode
				r.Entities[i].Mode = spec.RedactTag
			}
		}
		d.Redactions = append(d.Redactions, *r)
	}
	return spec.Encode(d)
}

// twinHost surrounds the engine outside of the module.
type twinHost struct {
	*bucket.Memory
	keys redact.Keys
}

func (h *twinHost) Now() int64             { return 1_700_000_000_000_000_000 }
func (h *twinHost) Random() uint64         { return 1 << 63 }
func (h *twinHost) Peer() []byte           { return nil }
func (h *twinHost) Property(string) []byte { return nil }
func (h *twinHost) Keys() *redact.Keys     { return &h.keys }

// twin is the engine outside of the module.
type twin struct {
	stream  *engine.Stream
	pool    *hold.Pool
	program *engine.Program
	host    twinHost
}

// told is what of a request and its answer both twins have to make alike.
type told struct {
	status int
	reply  string
	body   string // that went upstream
	fault  engine.AnswerFault
	answer string // that went to the client
}

var errHeld = errors.New("the engine holds a request for ever")

// run sends a request and its answer as the module's host does.
func (w *twin) run(r Request) (o told, err error) {
	s := w.stream
	s.Reset(w.program, &w.host)
	defer func() {
		s.Release()
		if w.pool.InUse() != 0 {
			err = errors.Join(err, errHeld)
		}
	}()
	for _, h := range r.head() {
		s.Header([]byte(h.Name), []byte(h.Value))
	}
	var upstream bytes.Buffer
	action := s.Headers(len(r.Chunks) == 0 && r.Trailers == nil)
	passes := action == engine.Forward
	for i, p := range r.Chunks {
		if passes {
			upstream.Write(p)
			continue
		}
		if action == engine.Reply {
			break
		}
		piece := bytes.Clone(p)
		if action = s.Body(piece, i == len(r.Chunks)-1 && r.Trailers == nil); action == engine.Forward {
			w.forward(&upstream, piece)
		}
	}
	if r.Trailers != nil && !passes && action != engine.Reply {
		if action = s.Body(nil, true); action == engine.Forward {
			w.forward(&upstream, nil)
		}
	}
	switch action {
	case engine.Reply:
		return told{status: s.Reply().Status, reply: string(s.Reply().Body)}, nil
	case engine.Hold:
		return o, errHeld
	}
	o.body = upstream.String()
	w.answer(r, &o)
	return o, nil
}

// forward takes what goes upstream in place of a piece.
func (w *twin) forward(upstream *bytes.Buffer, piece []byte) {
	if !w.stream.Rewritten() {
		upstream.Write(piece)
		return
	}
	held := w.stream.Held()
	for i := range held.Blocks() {
		upstream.Write(held.Block(i))
	}
	held.Release()
}

// answer sends the answer.
func (w *twin) answer(r Request, o *told) {
	s := w.stream
	if !s.Reads() {
		for _, p := range r.ResponseChunks {
			o.answer += string(p)
		}
		s.Finish(engine.CauseEnd)
		return
	}
	for _, h := range r.Response.Headers {
		s.ResponseHeader([]byte(h.Name), []byte(h.Value))
	}
	var out bytes.Buffer
	if s.ResponseHeaders(len(r.ResponseChunks) == 0) {
		for i, p := range r.ResponseChunks {
			s.ResponseBody(bytes.Clone(p), sink{&out})
			if i == len(r.ResponseChunks)-1 {
				s.ResponseEnd(sink{&out})
			}
		}
	}
	o.fault, o.answer = s.AnswerFault(), out.String()
	s.Finish(engine.CauseEnd)
}

// secrets are what each twin draws by itself: the letters of tokens and codes.
var secrets = regexp.MustCompile(`(_|:|%3A)[b-t]{8,10}(]|>|%5D|%3E)`)

func public(s string) string { return secrets.ReplaceAllString(s, "$1*$2") }

// twinRequest makes a request with its answer of what a fuzzer thinks up. The bits of
// variant choose the model, the API, and how bodies begin and end.
func twinRequest(contentType, body, answerType, answer string, variant uint8, seed uint64) Request {
	random, model := rand.New(rand.NewPCG(seed, 5)), twinModels[variant&3].name
	rpc := strings.HasPrefix(contentType, "application/grpc")
	r := Request{Path: "/v2/models/" + model + "/generate", Properties: map[string]string{"request.protocol": "HTTP/2"}}
	switch {
	case rpc:
		r.Path = "/inference.GRPCInferenceService/ModelInfer"
		body = framed("\n"+string(rune(len(model)))+model+body, variant&64 != 0)
		answer = framed(answer, variant&64 != 0)
	case variant&4 != 0:
		r.Path, body = "/v1/chat/completions", strings.Replace(body, "MODEL", model, 1)
	}
	if contentType != "" {
		r.Headers = Headers{{"content-type", contentType}}
	}
	if variant&8 != 0 && body != "" {
		r.Trailers = Headers{{"x-sum", "1"}}
	} else if variant&16 != 0 {
		r.Headers = append(r.Headers, Header{"content-length", strconv.Itoa(len(body))})
	}
	r.Chunks = cutUp(random, body)
	r.Response = &Message{Headers: Headers{{":status", []string{"200", "200", "400", "503"}[variant>>6]}, {"content-type", answerType}}}
	r.ResponseChunks = cutUp(random, answer)
	return r
}

// framed puts a message into a frame of gRPC, unless it is to stay as it is.
func framed(message string, bare bool) string {
	if bare {
		return message
	}
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + message
}

// cutUp cuts a body into chunks of random sizes.
func cutUp(random *rand.Rand, body string) (chunks [][]byte) {
	most := 1 + random.IntN(len(body)+1)
	for body != "" {
		n := min(1+random.IntN(most), len(body))
		chunks, body = append(chunks, []byte(body[:n])), body[n:]
	}
	return chunks
}

// FuzzTwin sends whatever a stranger and a model may say, in whatever chunks, through the
// module that ships and through the engine outside of it: neither traps, and both make
// the same of requests and answers, byte for byte. Coverage of the engine outside leads
// the way.
func FuzzTwin(f *testing.F) {
	vm, err := filterModule(f).NewVM(context.Background(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	document := twinPolicy()
	if err := vm.Configure(document); err != nil {
		f.Fatal(err)
	}
	program, err := engine.Compile(document, nil)
	if err != nil {
		f.Fatal(err)
	}
	w := &twin{pool: hold.NewPool(1 << 20), program: program, host: twinHost{Memory: bucket.NewMemory(64)}}
	w.stream = engine.NewStream(w.pool)
	w.host.keys.Seed(&[32]byte{1})
	seedTwin(f)
	f.Fuzz(func(t *testing.T, contentType, body, answerType, answer string, variant uint8, seed uint64) {
		r := twinRequest(contentType, body, answerType, answer, variant, seed)
		want, err := w.run(r)
		if err != nil {
			t.Fatal(err)
		}
		o, err := vm.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		compareTwins(t, want, o)
	})
}

func compareTwins(t *testing.T, want told, o Outcome) {
	t.Helper()
	if o.Reply != nil && want.status != 0 {
		if o.Reply.Status != want.status || string(o.Reply.Body) != want.reply {
			t.Fatalf("reply %d %q, want %d %q", o.Reply.Status, o.Reply.Body, want.status, want.reply)
		}
		return
	}
	if want.status != 0 || public(string(o.Body)) != public(want.body) {
		t.Fatalf("upstream %q, want %q (%d %s)", o.Body, want.body, want.status, want.reply)
	}
	switch {
	case want.fault >= engine.AnswerRefused && want.answer == "":
		if o.Reply == nil && len(o.Response.Body) > 0 {
			t.Fatalf("the client got %q of an answer that is refused", o.Response.Body)
		}
	case want.fault >= engine.AnswerBroken && o.Reply != nil:
	case o.Reply != nil:
		t.Fatalf("reply %d %q, want %q", o.Reply.Status, o.Reply.Body, want.answer)
	case want.fault < engine.AnswerBroken && public(string(o.Response.Body)) != public(want.answer):
		t.Fatalf("the client got %q, want %q", o.Response.Body, want.answer)
	case !strings.HasPrefix(public(want.answer), public(string(o.Response.Body))):
		t.Fatalf("the client got %q of %q", o.Response.Body, want.answer)
	}
}

// seedTwin adds a body of each type in each API, and answers to them.
func seedTwin(f *testing.F) {
	random := rand.New(rand.NewPCG(6, 6))
	text := func() string { return policytest.RandomText(random) }
	chat := func() string {
		return `{"model":"MODEL","stream":true,"messages":[{"role":"user","content":"` + text() + `"},{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"to\":\"13812345678\"}"}}]}],"passport":"E12345678"}`
	}
	events := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"call 138\"}}]}\n\n: a\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"12345678 [PHONE_1_bbbbbbbb]\"}}]}\n\ndata: [DONE]\n\n"
	message := "*\x12\n\x01a\x12\x05BYTES*\x06B\x04a@b.:\x0f\x0b\x00\x00\x0013812345678\"\x19\n\x08passport\x12\x0d\x1a\x0bE12345678 x"
	for i := range 8 {
		v := uint8(i)
		f.Add("application/json", chat(), "text/event-stream", events, v|4, uint64(i))
		f.Add("application/json; charset=utf-8", chat(), "application/json", `{"id":"1","choices":[{"message":{"content":"`+text()+`"}}]}`, v|4|16, uint64(i))
		f.Add("text/plain", text(), "text/plain", text(), v, uint64(i))
		f.Add("application/x-www-form-urlencoded", "a="+strings.ReplaceAll(text(), "&", "%26")+"&b=%40", "application/x-ndjson", "{\"response\":\"138\"}\n{\"response\":\"12345678\",\"done\":true}\n", v, uint64(i))
		f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Type: application/json\r\n\r\n[\"13812345678\"]\r\n--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\na@b.cn\r\n--b--\r\n", "application/json", `["a@b.cn"`, v|8, uint64(i))
		f.Add("application/grpc", message, "application/grpc", "*\x07\x12\x05BYTES2\x0f\x0b\x00\x00\x0013812345678", v, uint64(i))
	}
	for i, kind := range []string{"", "application/x-json", "text/json", "application/json; charset=utf-16", "text/plain; charset=gbk", "application/octet-stream", "image/png", "application/grpc+proto", "multipart/mixed", "application/ndjson"} {
		f.Add(kind, `{"model":"MODEL","a":"13812345678"}`, kind, `{"a":"13812345678"}`, uint8(i), uint64(i))
	}
	for _, unit := range []string{"\xef\xbb\xbf", "\xff\xfe1\x003\x008\x00", "+ADEAMw-", "\xc0\xb1", `\ud83d`, `\u0000`, "/*", "}{", "\n{\"a\":\"13812345678\"}"} {
		f.Add("application/json", unit+`{"model":"MODEL","a":"`+unit+`138`+unit+`12345678"}`+unit, "application/json", unit+`{"a":"`+unit+`138`+unit+`12345678"}`+unit, uint8(5), uint64(7))
	}
}
