package redact

import (
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
)

type sink struct{ b []byte }

func (s *sink) Write(p []byte) error { s.b = append(s.b, p...); return nil }

func all(mode spec.RedactionMode) *Rules {
	return Compile([]spec.Entity{
		{Kind: spec.EntityPhone, Mode: mode}, {Kind: spec.EntityEmail, Mode: mode},
		{Kind: spec.EntityResidentID, Mode: mode}, {Kind: spec.EntityBankCard, Mode: mode},
	})
}

func redactChunks(t testing.TB, rules *Rules, in string, cut int) string {
	var r Redactor
	out := &sink{}
	r.Reset(rules, out)
	r.StringStart()
	for i := 0; i < len(in); i += cut {
		if err := r.Bytes([]byte(in[i:min(i+cut, len(in))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.StringEnd(); err != nil {
		t.Fatal(err)
	}
	return string(out.b)
}

func TestTry(t *testing.T) {
	for _, in := range []string{
		"请打13812345678给我", "邮箱zhang.san@example.com联系我", "id 11010519491231002X!", "card 4111 1111 1111 1111.",
		"+86 138-1234-5678", `\u0031\u0033812345678`, "１３８１２３４５６７８", "138\u200b1234\u200b5678", "zhang%40example.com",
		"phone%3D13812345678", "%E4%BD%A013812345678",
	} {
		for _, m := range []spec.RedactionMode{spec.RedactMask, spec.RedactTag} {
			a := redactChunks(t, all(m), in, 1<<20)
			b := redactChunks(t, all(m), in, 1)
			t.Log(a)
			if a != b {
				t.Errorf("%q %q", a, b)
			}
		}
	}
}
