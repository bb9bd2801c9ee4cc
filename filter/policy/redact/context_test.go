package redact_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// keyed redacts the value of a key, in chunks of a size.
func keyed(t *testing.T, r *redact.Rules, key, value string, size int) string {
	t.Helper()
	var redactor redact.Redactor
	out := &sink{}
	redactor.Reset(r, &redact.Session{}, out)
	redactor.Key([]byte(key))
	redactor.StringStart()
	for i := 0; i < len(value); i += size {
		if err := redactor.Bytes([]byte(value[i:min(i+size, len(value))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := redactor.StringEnd(); err != nil {
		t.Fatal(err)
	}
	return string(out.b)
}

// A passport number is known by a word in the 30 characters before it, or by the name
// of its key, however they are spelled and cut.
func TestContextWords(t *testing.T) {
	far := strings.Repeat("x ", 10)
	for _, c := range []struct {
		key, before string
		found       bool
	}{
		{"", "", false},
		{"", "passport ", true},
		{"", "Passport: ", true},
		{"", "passports ", true},
		{"", "passportless ", false},
		{"", "护照", true},
		{"", "护照号码：", true},
		{"", "护 照", false},
		{"", `\u62a4\u7167：`, true},
		{"", `\n\u0070assport `, true},
		{"", `\npassport `, true},
		{"", "ｐａｓｓｐｏｒｔ ", true},
		{"", "pass\u200bport ", true},
		{"", "passport " + far, true},
		{"", "passport " + far + "x x x x ", false},
		{"", "护照" + strings.Repeat("的", 28), true},
		{"", "护照" + strings.Repeat("的", 29), false},
		{"passport", "", true},
		{"passport_no", "", true},
		{"passportNumber", "", true},
		{"userPassport", "", true},
		{"PASSPORT", "", true},
		{"护照号", "", true},
		{`\u62a4\u7167`, "", true},
		{"number", "", false},
	} {
		value, want := c.before+"E12345678", c.before+"E12345678"
		if c.found {
			want = c.before + "<PASSPORT>"
		}
		for _, size := range []int{1, 2, 7, 100, 1000} {
			if got := keyed(t, everything, c.key, value, size); got != want {
				t.Errorf("key %q in chunks of %d: %q became %q, want %q", c.key, size, value, got, want)
			}
		}
	}
}

// The name of a key is context for its own value alone.
func TestKeyIsForgotten(t *testing.T) {
	var redactor redact.Redactor
	out := &sink{}
	redactor.Reset(everything, &redact.Session{}, out)
	redactor.Key([]byte("passport"))
	for range 2 {
		redactor.StringStart()
		_ = redactor.Bytes([]byte("E12345678")) // a sink without bound takes everything
		_ = redactor.StringEnd()
	}
	if string(out.b) != "<PASSPORT>E12345678" {
		t.Errorf("%q", out.b)
	}
}

// With a high threshold only what is certain is found, with a low one forms alone.
func TestThreshold(t *testing.T) {
	const in = "E12345678 4111111111111111 zhang@example.com"
	for threshold, want := range map[uint8]string{
		1: "<PASSPORT> <BANK_CARD> <EMAIL>", 50: "E12345678 <BANK_CARD> <EMAIL>", 100: "E12345678 <BANK_CARD> <EMAIL>",
	} {
		r := &spec.Redaction{Threshold: threshold}
		for _, k := range []spec.EntityKind{spec.EntityPassport, spec.EntityBankCard, spec.EntityEmail} {
			r.Entities = append(r.Entities, spec.Entity{Kind: k, Mode: spec.RedactTag})
		}
		if got, _ := apply(t, redact.Compile(r, spec.DirectionRequest), in); got != want {
			t.Errorf("threshold %d: %q, want %q", threshold, got, want)
		}
	}
}

// A passport number of digits may have letters behind it that are no part of it.
func TestPassportOfDigitsBeforeLetters(t *testing.T) {
	for _, text := range []string{"155250913", "155250913H90228X", "155250913tel"} {
		if got, want := keyed(t, everything, "passport", text, 1000), "<PASSPORT>"+text[9:]; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
