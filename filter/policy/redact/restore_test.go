package redact_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// restore restores the tokens of an answer that comes in chunks of the given sizes.
func restore(t testing.TB, s *redact.Session, answer string, sizes ...int) string {
	t.Helper()
	var r redact.Restorer
	out := &sink{}
	r.Reset(s, out, 1)
	for i, k := 0, 0; i < len(answer); k++ {
		n := len(answer)
		if len(sizes) > 0 {
			n = sizes[k%len(sizes)]
		}
		chunk := []byte(answer[i:min(i+n, len(answer))])
		if err := r.Write(chunk); err != nil {
			t.Fatal(err)
		}
		clear(chunk)
		i += n
		if behind := i - len(out.b); !r.Holding() && strings.HasPrefix(answer, string(out.b)) && behind > 0 && i < len(answer) {
			t.Fatalf("%d bytes of %q are held, and Holding says none", behind, answer)
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	return string(out.b)
}

// tokenized begins a session in which two values have tokens.
func tokenized(t testing.TB) (s *redact.Session, phone, mail string) {
	t.Helper()
	s = &redact.Session{}
	s.Reset(vm(1), false)
	text, err := request(t, s, rules(spec.RedactToken), "138 1234 5678;zhang@example.com;13812345678")
	parts := strings.Split(text, ";")
	if err != nil || len(parts) != 3 || parts[0] != parts[2] {
		t.Fatalf("%q %v", text, err)
	}
	return s, parts[0], parts[1]
}

func TestRestore(t *testing.T) {
	s, phone, mail := tokenized(t)
	bare := mail[1 : len(mail)-1]
	escaped := strings.ReplaceAll(bare, "_", `\\_`)
	spaced := strings.ReplaceAll(bare, "_", " ")
	forged := "[EMAIL_2_bcdfghjk]"
	other := strings.Replace(mail, "_2_", "_1_", 1)
	for answer, want := range map[string]string{
		"Call " + phone + " or " + mail + ".": "Call 138 1234 5678 or zhang@example.com.",
		phone + mail + phone:                  "138 1234 5678zhang@example.com138 1234 5678",
		strings.ToLower(mail):                 "zhang@example.com",
		strings.ToUpper(mail):                 "zhang@example.com",
		bare:                                  "zhang@example.com",
		"<" + bare + ">":                      "zhang@example.com",
		"{" + bare + "}(" + bare + ")":        "zhang@example.comzhang@example.com",
		"【" + bare + "】（" + bare + "）":        "zhang@example.comzhang@example.com",
		`\u003c` + bare + `\u003e`:            "zhang@example.com",
		`\u3010` + bare + `\u3011`:            "zhang@example.com",
		"[" + mail + "]":                      "[zhang@example.com]",
		"[" + bare + " is it":                 "[zhang@example.com is it",
		bare + "]":                            "zhang@example.com]",
		"**" + escaped + "**":                 "**zhang@example.com**",
		spaced:                                "zhang@example.com",
		"E" + mail + "EMAIL_EMAIL_2" + bare:   "Ezhang@example.comEMAIL_EMAIL_2zhang@example.com",
		"[EMAIL_1_" + bare[8:] + "]" + forged: "[EMAIL_1_" + bare[8:] + "]" + forged,
		forged:                                forged,
		other:                                 other,
		mail[:len(mail)-2] + "]":              mail[:len(mail)-2] + "]",
		mail[:len(mail)-1]:                    mail[:1] + "zhang@example.com",
		"EMAIL":                               "EMAIL",
		"[":                                   "[",
		`\n[EMAIL\\u005b中文【`:                  `\n[EMAIL\\u005b中文【`,
		"PHONE_1":                             "PHONE_1",
		"":                                    "",
		strings.Repeat("[", 200) + mail:       strings.Repeat("[", 200) + "zhang@example.com",
		strings.Repeat("E", 200) + bare:       strings.Repeat("E", 200) + "zhang@example.com",
		"EMAIL" + strings.Repeat(`\\`, 60) + "_2" + bare: "EMAIL" + strings.Repeat(`\\`, 60) + "_2zhang@example.com",
	} {
		for _, sizes := range [][]int{{1 << 20}, {1}, {2}, {7, 3}, {33}, {64}, {65}} {
			if got := restore(t, s, answer, sizes...); got != want {
				t.Errorf("%q in chunks of %v: %q, want %q", answer, sizes, got, want)
			}
		}
	}
}

// Text without a token passes at once.
func TestRestoreHoldsLittle(t *testing.T) {
	s, _, _ := tokenized(t)
	var r redact.Restorer
	out := &sink{}
	r.Reset(s, out, 1)
	for _, c := range []byte("an answer without anything to restore, 中文, (a) [b] \\n: Emily, Emma and E") {
		if err := r.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(out.b); !strings.HasSuffix(got, "Emma and ") {
		t.Errorf("%q came out", got)
	}
	if err := r.End(); err != nil || r.Holding() {
		t.Errorf("%v, holding %v", err, r.Holding())
	}
}

// Sessions know nothing of one another, not even those that had the same vault.
func TestSessionsShareNothing(t *testing.T) {
	keys := vm(1)
	a, b := &redact.Session{}, &redact.Session{}
	a.Reset(keys, false)
	b.Reset(keys, false)
	first, _ := request(t, a, rules(spec.RedactToken), "zhang@example.com")
	second, _ := request(t, b, rules(spec.RedactToken), "li@example.com")
	if got := restore(t, a, second); got != second {
		t.Errorf("another's token became %q", got)
	}
	a.Reset(keys, false)
	third, _ := request(t, a, rules(spec.RedactToken), "wang@example.com")
	if got := restore(t, a, first+third); got != first+"wang@example.com" {
		t.Errorf("an old token: %q", got)
	}
	a.Release()
	if a.HasTokens() || restore(t, a, third) != third {
		t.Error("a released session restores")
	}
}

func TestVaultIsBounded(t *testing.T) {
	mail := func(i int) string { return fmt.Sprintf("user%d@example.com ", i) }
	closed := rules(spec.RedactToken)
	open := redact.Compile(&spec.Redaction{OnFailure: spec.FailOpen, Entities: []spec.Entity{{Kind: spec.EntityEmail, Mode: spec.RedactToken}}}, spec.DirectionRequest)
	for _, r := range []*redact.Rules{closed, open} {
		s := &redact.Session{}
		s.Reset(vm(1), false)
		var tokens []string
		for i := range 64 {
			token, err := request(t, s, r, mail(i))
			if err != nil || token == "<EMAIL> " {
				t.Fatalf("value %d: %q %v", i, token, err)
			}
			tokens = append(tokens, token)
		}
		got, err := request(t, s, r, mail(64))
		switch {
		case strings.Contains(got, "user"):
			t.Errorf("%q leaks", got)
		case r == closed && !errors.Is(err, redact.ErrVaultFull):
			t.Errorf("%q %v, want the error of a full vault", got, err)
		case r == open && (got != "<EMAIL> " || err != nil):
			t.Errorf("%q %v, want a tag", got, err)
		}
		if got, err := request(t, s, r, mail(7)); got != tokens[7] || err != nil {
			t.Errorf("a known value: %q %v", got, err)
		}
		for i, token := range tokens {
			if got := restore(t, s, token); got != mail(i) {
				t.Errorf("%s became %q", token, got)
			}
			for j := range i {
				if strings.HasPrefix(token, strings.TrimSpace(tokens[j])) {
					t.Errorf("%s begins with %s", token, tokens[j])
				}
			}
		}
	}
}

// What the answer says else stays as it is, in any chunks.
func FuzzRestore(f *testing.F) {
	s, phone, mail := tokenized(f)
	f.Add("text "+phone+mail+" text", uint8(3))
	f.Add("<"+mail[1:12]+`\u003c[\\_【`+phone[1:], uint8(1))
	f.Fuzz(func(t *testing.T, answer string, size uint8) {
		whole := restore(t, s, answer)
		if got := restore(t, s, answer, int(size)+1); got != whole {
			t.Errorf("%q in chunks of %d: %q, whole %q", answer, int(size)+1, got, whole)
		}
		if whole != answer && !strings.Contains(whole, "138 1234 5678") && !strings.Contains(whole, "zhang@example.com") {
			t.Errorf("%q became %q", answer, whole)
		}
		if validJSON(answer) && !validJSON(whole) {
			t.Errorf("%q became invalid: %q", answer, whole)
		}
	})
}

func TestRestoreRandomPieces(t *testing.T) {
	s, phone, mail := tokenized(t)
	random := rand.New(rand.NewPCG(31, 32))
	pieces := []string{phone, mail, phone[1:], mail[:9], "EMAIL", "_2_", "_1_", "PHONE", "[", "]", "<", `\u003c`, `\u003e`, "【", "】", "\xe3", "\xe3\x80", `\\_`, `\`, " ", "text", "P", "e"}
	for range 20_000 {
		var b strings.Builder
		for range 1 + random.IntN(12) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		whole := restore(t, s, b.String())
		if got := restore(t, s, b.String(), 1+random.IntN(9), 1+random.IntN(30)); got != whole {
			t.Fatalf("%q: %q, whole %q", b.String(), got, whole)
		}
	}
}
