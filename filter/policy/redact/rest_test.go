package redact_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// A secret whose last character so far begins nothing is not at its end for that.
func TestSwallowBehindSlash(t *testing.T) {
	for n := 20; n < 110; n++ {
		in := "\u3000Bearer 140eyJ" + strings.Repeat("b.", n) + "dXNlcjpwYXNz/4111111111111111粤"
		want, _ := apply(t, maskAll, in)
		if got, _ := apply(t, maskAll, in, 1); got != want || n >= 60 && want != "\u3000Bearer ****粤" {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Values longer than a window are swallowed to their end and no further.
func TestSwallow(t *testing.T) {
	const head = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0"
	body := strings.Repeat("abcDEF0123456789", 300)
	lines := strings.Repeat(strings.Repeat("MIIEowIBAAKCAQEA", 4)+`\n`, 40)
	pem := func(end string) string { return "-----BEGIN RSA PRIVATE KEY-----" + end }
	for _, c := range []struct{ in, want string }{
		{"a " + head + body + "." + body + ", b", "a <JWT>, b"},
		{head + body, "<JWT>"},
		{head + body + "\u200b" + body + " c", "<JWT> c"},
		{head + body + "中", "<JWT>中"},
		{head + body + "\u00ad\\u200b_.\u00ad,", "<JWT>\u00ad,"},
		{"Bearer 1a2b3c4d5e6f7a8b" + body + "+/== d", "Bearer <BEARER> d"},
		{"sk-proj-1a2B3c4D5e6F7g8H9i0J" + body + "\\\"", "<OPENAI_KEY>\\\""},
		{"x" + pem(`\n`+lines+`-----END RSA PRIVATE KEY-----\n`) + "y", `x<PRIVATE_KEY>\ny`},
		{"x " + pem(`\\n`+strings.ReplaceAll(lines, `\n`, `\\n`)+`-----END RSA PRIVATE KEY-----`) + "y", "x <PRIVATE_KEY>y"},
		{pem("\n"+strings.ReplaceAll(lines, `\n`, "\n")+"-----END RSA PRIVATE KEY-----") + ", zhang@example.com", "<PRIVATE_KEY>, <EMAIL>"},
		{pem(`\n` + lines), "<PRIVATE_KEY>"},
		{pem(`\nProc-Type: 4;`) + " 13812345678", "<PRIVATE_KEY>; <PHONE>"},
		{pem(lines) + "中文", "<PRIVATE_KEY>中文"},
	} {
		for _, sizes := range [][]int{{1 << 20}, {1}, {2}, {7, 300}, {1000}} {
			if got, _ := apply(t, everything, c.in, sizes...); got != c.want {
				t.Errorf("%.60q in chunks of %v: %.100q, want %q", c.in, sizes, got, c.want)
			}
		}
	}
}

// Whatever is read, little is held back.
func TestHoldBackOfAllKinds(t *testing.T) {
	for _, c := range policytest.Texts() {
		if !c.Hostile {
			continue
		}
		var r redact.Redactor
		out := &meter{}
		r.Reset(everything, &redact.Session{}, out)
		r.StringStart()
		for range 3000 / len(c.Unit) {
			if err := r.Bytes([]byte(c.Unit)); err != nil {
				t.Fatal(err)
			}
			if r.Held() > 1024 || r.Held() > 256+len(c.Unit) && len(c.Unit) == 1 {
				t.Fatalf("%s: %d bytes held back", c.Name, r.Held())
			}
		}
	}
}
