package engine_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// message is one over gRPC with this text in contents, in a parameter, and in a raw
// content, whose tag differs between requests and answers.
func message(text string, rawTag byte) string {
	lengthed := func(tag byte, s string) string { return string(rune(tag)) + string(rune(len(s))) + s }
	raw := string([]byte{byte(len(text)), 0, 0, 0}) + text
	m := lengthed(0x0A, "gpt-4") + lengthed(0x22, lengthed(0x0A, "note")+lengthed(0x12, lengthed(0x1A, text))) +
		lengthed(0x2A, lengthed(0x12, "BYTES")+lengthed(0x2A, lengthed(0x42, text))) + lengthed(0x2A, lengthed(0x12, "BYTES")) + lengthed(rawTag, raw)
	return string([]byte{0, 0, 0, byte(len(m) >> 8), byte(len(m))}) + m
}

// Answers over gRPC, and a request and an answer in all, allocate nothing once pool and
// stream are warm, in whatever pieces; values of the caller come back meanwhile.
func TestMessagesAllocateNothing(t *testing.T) {
	tokens := everyKind()
	for i := range tokens.Redactions[0].Entities {
		if e := &tokens.Redactions[0].Entities[i]; e.Kind == spec.EntityPhone {
			e.Mode = spec.RedactToken
		}
	}
	asks, says := []byte(message("call 13800138000", 0x3A)), []byte(message("mail bob@example.com", 0x32))
	pool := hold.NewPool(1 << 20)
	s, h := engine.NewStream(pool), newHost()
	for name, d := range map[string]*spec.Document{"tags": everyKind(), "tokens": tokens} {
		p := compile(t, d)
		for _, size := range []int{1 << 20, 50, 1} {
			var got strings.Builder
			once := func(out engine.Output) {
				s.Reset(p, h)
				for i := 0; i < len(rpcHeaders); i += 2 {
					s.Header(rpcHeaders[i], rpcHeaders[i+1])
				}
				s.Headers(false)
				if s.Body(asks, true) != engine.Forward {
					t.Fatalf("%s", s.Reply().Body)
				}
				s.Held().Release()
				s.ResponseHeader(statusOK[0], statusOK[1])
				s.ResponseHeader(rpcHeaders[4], rpcHeaders[5])
				s.ResponseHeaders(false)
				for i := 0; i < len(says); i += size {
					s.ResponseBody(says[i:min(i+size, len(says))], out)
				}
				s.ResponseEnd(out)
				s.Finish(engine.CauseEnd)
				s.Release()
			}
			if once(builder{&got}); strings.Count(got.String(), "<EMAIL>") != 3 || s.AnswerFault() != engine.AnswerFine {
				t.Errorf("%s in pieces of %d: fault %d, %q", name, size, s.AnswerFault(), got.String())
			}
			var out engine.Output = nothing{}
			if n := testing.AllocsPerRun(50, func() { once(out) }); n != 0 {
				t.Errorf("%s in pieces of %d: %v allocations", name, size, n)
			}
		}
	}
}

var rpcHeaders = [][]byte{
	[]byte(":method"), []byte("POST"), []byte(":path"), []byte("/inference.GRPCInferenceService/ModelInfer"), []byte("content-type"), []byte("application/grpc"),
}

var statusOK = [2][]byte{[]byte(":status"), []byte("200")}

// builder is a strings.Builder as an engine.Output.
type builder struct{ *strings.Builder }

func (b builder) Write(p []byte) error {
	b.Builder.Write(p)
	return nil
}

// What an answer over gRPC says of an error is redacted; without a value it stays.
func TestRPCMessage(t *testing.T) {
	long := strings.Repeat("so long ", 200)
	plain := everyKind()
	plain.Redactions = nil
	for _, c := range []struct {
		document   *spec.Document
		says, want string
		found      bool
	}{
		{document: everyKind(), says: "cannot read 13800138000, 100%25", want: "cannot read <PHONE>, 100%25", found: true},
		{document: everyKind(), says: "mail bob%40example.com", want: "mail <EMAIL>", found: true},
		{document: everyKind(), says: "cannot read 100%25"},
		{document: everyKind(), says: long + "13800138000", want: "The model's answer cannot be read, so it cannot be redacted."},
		{document: plain, says: "cannot read 13800138000"},
	} {
		s, h := engine.NewStream(hold.NewPool(1<<20)), newHost()
		s.Reset(compile(t, c.document), h)
		for i := 0; i < len(rpcHeaders); i += 2 {
			s.Header(rpcHeaders[i], rpcHeaders[i+1])
		}
		s.Headers(false)
		if s.Body([]byte(message("hello", 0x3A)), true) != engine.Forward {
			t.Fatalf("%s", s.Reply().Body)
		}
		s.ResponseHeader([]byte(":status"), []byte("200"))
		s.ResponseHeader([]byte("content-type"), rpcHeaders[5])
		s.ResponseHeaders(false)
		s.ResponseHeader([]byte("grpc-status"), []byte("3"))
		s.ResponseHeader([]byte("grpc-message"), []byte(c.says))
		if got := string(s.RPCMessage()); got != c.want || s.RPCMessage() != nil {
			t.Errorf("%.60q: %q, want %q", c.says, got, c.want)
		}
		if s.Found(spec.DirectionResponse, spec.EntityPhone)+s.Found(spec.DirectionResponse, spec.EntityEmail) > 0 != c.found {
			t.Errorf("%.60q: the record says otherwise", c.says)
		}
		s.ResponseTrailers()
		s.Release()
	}
}
