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
	var want bytes.Buffer
	for i := range *randomBodies {
		text := policytest.RandomText(random)
		want.Reset()
		redacted(t, rules, []byte(text), &want)
		o := do(t, vm, cut(random, `{"model":"tagged","messages":[{"role":"user","content":"`+text+`"}]}`))
		if !o.Forwarded || string(o.Body) != `{"model":"tagged","messages":[{"role":"user","content":"`+want.String()+`"}]}` {
			t.Fatalf("body %d: %q became %q, want %q (reply %+v)", i, text, o.Body, want.String(), o.Reply)
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
