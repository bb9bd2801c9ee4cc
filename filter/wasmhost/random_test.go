package wasmhost

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

var randomBodies = flag.Int("bodies", 2000, "how many random bodies go through the module")

// fragments are what random texts are made of: values of all kinds and parts of them,
// spelled in several ways, and what stands around them.
var fragments = []string{
	"13812345678", "138 1234 5678", "+86-138-1234-5678", "zhang.san@example.com", "a%40b.cn", "11010519491231002X", "4111 1111 1111 1111", "4111111111111111",
	"010-62345678", "(212) 555-0123", "+44 20 7946 0958", "护照E12345678", "回乡证H12345678", "京A12345", "91350100M000100Y43", "A123456(3)", "A123456789", "SSN 078-05-1120",
	"GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32", "203.0.113.77", "2001:db8::1:7", "00:1b:44:11:3a:b7", "IMEI 490154203237518", "1M8GDM9AXKP042788",
	"AKIAIOSFODNN7EXAMPLE", "ghp_", "xoxb-123456789012-123456789012-abcdefABCDEF123456789012", "sk-proj-abcdefghij0123456789abcdefghij0123456789", "AIzaSyA-1234567890abcdefghijklmnopqrstu",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", `-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----`,
	"Bearer abcdef0123456789abcdef", "https://user:s3cretpass@host/x", `\u0031\u0033\u0038`, "１３８", "١٢٣٤", "\u200b", "\ufeff", `\u200d`, `\\n`, `\n`, `\"`, `\\u0040`, "%40",
	"@", ".", "-", " ", "_", "+", "/", "(", ")", ":", "1", "62", "138", "0000", "a", "AB", "eyJ", "sk-", "://", "-----BEGIN ", "手机", "邮箱", "卡号", "，", "é", "🙂", `\ud83d\ude00`, "phone ", "id ", "word ",
}

// TestRandomBodies sends random texts in random chunks through the module that ships:
// nothing traps, and what goes upstream is what the redactor makes of the whole text,
// outside of the module and in one piece. `go test -run TestRandomBodies -bodies
// 1000000` makes more of them.
func TestRandomBodies(t *testing.T) {
	vm, err := filterModule(t).NewVM(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := vm.Configure(policytest.Policy("entities")); err != nil {
		t.Fatal(err)
	}
	rules := redact.Compile(everyKind(spec.RedactTag), spec.DirectionRequest)
	random := rand.New(rand.NewPCG(4, 2))
	var text, want bytes.Buffer
	for i := range *randomBodies {
		text.Reset()
		for range random.IntN(24) {
			text.WriteString(fragments[random.IntN(len(fragments))])
		}
		want.Reset()
		redacted(t, rules, text.Bytes(), &want)
		o := do(t, vm, cut(random, `{"model":"tagged","messages":[{"role":"user","content":"`+text.String()+`"}]}`))
		if !o.Forwarded || string(o.Body) != `{"model":"tagged","messages":[{"role":"user","content":"`+want.String()+`"}]}` {
			t.Fatalf("body %d: %q became %q, want %q (reply %+v)", i, text.String(), o.Body, want.String(), o.Reply)
		}
	}
	t.Logf("%d bodies", *randomBodies)
}

func everyKind(mode spec.RedactionMode) *spec.Redaction {
	redaction := &spec.Redaction{}
	for k := range spec.EntityKinds {
		redaction.Entities = append(redaction.Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: mode})
	}
	return redaction
}

// sink is a buffer as a redactor's output.
type sink struct{ *bytes.Buffer }

// Write is part of redact.Output.
func (s sink) Write(p []byte) error {
	_, err := s.Buffer.Write(p)
	return err
}

// redacted writes what a redactor makes of a whole string under the key "content".
func redacted(t *testing.T, rules *redact.Rules, text []byte, to *bytes.Buffer) {
	t.Helper()
	var r redact.Redactor
	r.Reset(rules, &redact.Session{}, sink{to})
	r.Key([]byte("content"))
	r.StringStart()
	if err := r.Bytes(text); err != nil {
		t.Fatal(err)
	}
	if err := r.StringEnd(); err != nil {
		t.Fatal(err)
	}
}

// cut makes a request of a body in chunks of random sizes.
func cut(random *rand.Rand, body string) Request {
	r := streamed(body, len(body))
	r.Chunks = nil
	most := 1 + random.IntN(len(body))
	for p := []byte(body); len(p) > 0; {
		n := min(1+random.IntN(most), len(p))
		r.Chunks, p = append(r.Chunks, p[:n]), p[n:]
	}
	return r
}
