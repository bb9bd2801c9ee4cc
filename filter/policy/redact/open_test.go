package redact_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// heldOf gives a redactor a text in pieces, and returns what it holds back of it.
func heldOf(t testing.TB, r *redact.Redactor, rules *redact.Rules, pieces ...string) string {
	t.Helper()
	out := &meter{}
	r.Reset(rules, &redact.Session{}, out)
	r.StringStart()
	for _, p := range pieces {
		if err := r.Bytes([]byte(p)); err != nil {
			t.Fatal(err)
		}
		r.Release()
	}
	all := strings.Join(pieces, "")
	held := all[len(all)-r.Held():]
	if r.Holding() != (held != "") {
		t.Fatalf("%q: Holding is %v", all, r.Holding())
	}
	return held
}

// What cannot begin a value of the kinds that are looked for goes on at once.
func TestHeldBack(t *testing.T) {
	mail := rules(spec.RedactTag, spec.EntityEmail)
	phone := rules(spec.RedactTag, spec.EntityPhone)
	numbers := rules(spec.RedactTag, spec.EntityPhone, spec.EntityBankCard, spec.EntityResidentID, spec.EntitySSN, spec.EntityPhoneUS)
	secrets := rules(spec.RedactTag, spec.EntityOpenAIKey, spec.EntityGitHubToken, spec.EntityJWT, spec.EntityPrivateKey, spec.EntityURLPassword)
	bearer := rules(spec.RedactTag, spec.EntityBearer, spec.EntityURLPassword)
	places := rules(spec.RedactTag, spec.EntityPlate)
	var r redact.Redactor
	for _, c := range []struct {
		rules      *redact.Rules
		text, held string
	}{
		{mail, "Hello", "Hello"}, {mail, " Hello", "Hello"}, {mail, "Hello ", ""}, {mail, "Hello,", ""}, {mail, "(Hello)", ""}, {mail, "你好", ""},
		{mail, "the end.", "end."}, {mail, "'quoted'", "quoted'"}, {mail, "----", ""}, {mail, "a b@c.de", "b@c.de"}, {mail, "b@c.de/", "/"[1:]}, {mail, "@home", "home"},
		{mail, strings.Repeat("q", 500), strings.Repeat("q", 64)}, {mail, "13812345678", "13812345678"}, {mail, `\"x\"`, ""},
		{phone, "Hello world", ""}, {phone, "in 2024", ""}, {phone, "is 1", "1"}, {phone, "is 138 ", "138 "}, {phone, "is 99", ""}, {phone, "+", "+"},
		{phone, "+8", "+8"}, {phone, "1234567", ""}, {phone, "13812345678", "13812345678"}, {phone, "13812345678, so", ""}, {phone, "x.y@z", ""},
		{numbers, "The quick brown fox", ""}, {numbers, "a 42nd", ""}, {numbers, "It is 7", "7"}, {numbers, "(", "("}, {numbers, "v1.x", ""},
		{secrets, "Hello world", ""}, {secrets, "a s", "s"}, {secrets, "ask", ""}, {secrets, "an sk-", "sk-"}, {secrets, "https:", ":"}, {secrets, "https://example.com", "://example.com"},
		{secrets, "https://example.com/", ""}, {secrets, "note: ", ""}, {secrets, "|---", "---"}, {secrets, "|-------", ""}, {secrets, "e", "e"}, {secrets, "eye", ""},
		{bearer, "x://:Bearer (", "Bearer ("}, {bearer, "a basic ", "basic "}, {bearer, "a basic word, ", ""},
		{places, "北京", "京"}, {places, "北京人", ""}, {places, "京A", "京A"}, {places, "京A好", ""}, {places, "Hello", ""},
	} {
		whole := heldOf(t, &r, c.rules, c.text)
		letters := heldOf(t, &r, c.rules, strings.Split(c.text, "")...)
		if whole != c.held || letters != c.held {
			t.Errorf("of %q %q is held, letter by letter %q, want %q", c.text, whole, letters, c.held)
		}
	}
}

// Of any text no more is held back for addresses than one may begin with: there is an end
// with which it does.
func TestHeldBackIsNeeded(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	mail := rules(spec.RedactTag, spec.EntityEmail)
	var r redact.Redactor
	held := 0
	for range 8000 {
		text := cutText(random)
		h := heldOf(t, &r, mail, text)
		if h == "" {
			continue
		}
		held++
		if !becomes(t, mail, text, h, "x@example.com", "@example.com", "example.com", ".com", "x.com", "om") {
			t.Errorf("%q is held of %q, and becomes nothing", h, text)
		}
	}
	if held < 1000 {
		t.Errorf("only %d texts have an end that is held back", held)
	}
}

// cutText returns the begin of a random text, but none that ends within an escape.
func cutText(random *rand.Rand) string {
	for {
		text := policytest.RandomText(random)
		text = strings.ToValidUTF8(text[:random.IntN(len(text)+1)], "")
		if word := strings.TrimRight(text, "0123456789abcdefABCDEFu"); !strings.HasSuffix(word, `\`) && !strings.HasSuffix(word, "%") {
			return text
		}
	}
}

// becomes says whether a value that begins where the text is held comes of some end.
func becomes(t *testing.T, rules *redact.Rules, text, held string, ends ...string) bool {
	t.Helper()
	gone, _ := apply(t, rules, text[:len(text)-len(held)]+" ")
	for _, end := range ends {
		got, _ := apply(t, rules, text+end+" ")
		if !strings.HasPrefix(got, gone[:len(gone)-1]+held) {
			return true // what was held is not there any more
		}
	}
	return false
}

// Where only numbers are looked for no word is held back, and of numbers no more than a
// value has.
func TestWordsAreNotHeldForNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	for _, kind := range []spec.EntityKind{spec.EntityPhone, spec.EntityResidentID, spec.EntityBankCard, spec.EntityLandline, spec.EntityPhoneUS, spec.EntityPhoneIntl, spec.EntitySSN, spec.EntityIMEI} {
		rules := rules(spec.RedactTag, kind)
		var r redact.Redactor
		for range 2000 {
			text := cutText(random)
			h := heldOf(t, &r, rules, text)
			shown := strings.TrimLeft(h, "+(/")
			if shown != "" && shown[0] < 0x80 && shown[0] != '\\' && (shown[0] < '0' || shown[0] > '9') || utf8.RuneCountInString(h) > 150 {
				t.Errorf("%v: %q is held of %q", kind, h, text)
			}
		}
	}
}

// What has to be decided too early is told, and what is a value already is replaced.
func TestShortenSaysWhatItDecides(t *testing.T) {
	all := rules(spec.RedactTag)
	for _, c := range []struct {
		text    string
		certain bool
		out     string
	}{
		{strings.Repeat("word ", 100), true, strings.Repeat("word ", 100)},
		{strings.Repeat("q", 500), true, strings.Repeat("q", 500)},
		{strings.Repeat("7 ", 200), true, ""},
		{strings.Repeat("a-_.", 200), true, ""},
		{"somebody@" + strings.Repeat("long.", 20), true, "<EMAIL>."},
		{"somebody@" + strings.Repeat("long.", 24), false, ""},
		{strings.Repeat("ｑ", 60) + "@example.com", false, ""},
		{"https://" + strings.Repeat("x", 130), false, ""},
		{"sk-" + strings.Repeat("aB3dE6gH", 40), true, "<OPENAI_KEY>"},
		{"-----BEGIN PRIVATE KEY-----" + strings.Repeat("MIIE", 100) + "-----END PRIVATE KEY-----", true, "<PRIVATE_KEY>"},
		{"13812345678", true, "<PHONE>"},
	} {
		var r redact.Redactor
		out := &sink{}
		r.Reset(all, &redact.Session{}, out)
		r.StringStart()
		certain := true
		for i := range len(c.text) {
			if err := r.Bytes([]byte{c.text[i]}); err != nil {
				t.Fatal(err)
			}
			r.Release()
			certain = r.Shorten(128) && certain
			if r.Held() > 128 {
				t.Fatalf("%d bytes of %q are held", r.Held(), c.text[:i+1])
			}
		}
		if err := r.StringEnd(); err != nil {
			t.Fatal(err)
		}
		if certain != c.certain || c.out != "" && string(out.b) != c.out {
			t.Errorf("%.40q: certain is %v: %q", c.text, certain, out.b)
		}
	}
}
