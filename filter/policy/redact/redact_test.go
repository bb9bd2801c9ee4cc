package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// sink keeps what it is given and fails once it has room for no more.
type sink struct {
	b    []byte
	room int
}

var errFull = errors.New("full")

func (s *sink) Write(p []byte) error {
	if s.room > 0 && len(s.b)+len(p) > s.room {
		return errFull
	}
	s.b = append(s.b, p...)
	return nil
}

func rules(mode spec.RedactionMode, kinds ...spec.EntityKind) *redact.Rules {
	if len(kinds) == 0 {
		for k := range spec.EntityKinds {
			kinds = append(kinds, spec.EntityKind(k))
		}
	}
	var entities []spec.Entity
	for _, k := range kinds {
		entities = append(entities, spec.Entity{Kind: k, Mode: mode})
	}
	return redact.Compile(&spec.Redaction{Entities: entities}, spec.DirectionRequest)
}

var (
	maskAll = rules(spec.RedactMask)
	tagAll  = rules(spec.RedactTag)
)

type counts = [redact.Kinds]uint32

// apply redacts one string cut into chunks of the given sizes, over and over.
func apply(t testing.TB, r *redact.Rules, in string, sizes ...int) (string, counts) {
	t.Helper()
	var redactor redact.Redactor
	out := &sink{}
	redactor.Reset(r, &redact.Session{}, out)
	redactor.StringStart()
	for i, k := 0, 0; i < len(in); k++ {
		n := len(in)
		if len(sizes) > 0 {
			n = sizes[k%len(sizes)]
		}
		chunk := []byte(in[i:min(i+n, len(in))])
		if err := redactor.Bytes(chunk); err != nil {
			t.Fatal(err)
		}
		clear(chunk) // nothing may be read after the call
		if len(sizes) == 1 || len(sizes) > 1 && k%2 == 0 {
			redactor.Release() // as for answers, whose next piece may be long in coming
		}
		i += n
	}
	if err := redactor.StringEnd(); err != nil {
		t.Fatal(err)
	}
	if redactor.Edited() != (redactor.Counts() != counts{}) {
		t.Errorf("%q: Edited is %v with counts %v", in, redactor.Edited(), redactor.Counts())
	}
	return string(out.b), redactor.Counts()
}

func TestNoRules(t *testing.T) {
	if redact.Compile(&spec.Redaction{}, spec.DirectionRequest) != nil {
		t.Error("no entities compile to rules")
	}
	answers := &spec.Redaction{Entities: []spec.Entity{{Directions: spec.DirectionResponse}}}
	if redact.Compile(answers, spec.DirectionRequest) != nil || redact.Compile(answers, spec.DirectionResponse) == nil {
		t.Error("what is for answers is looked for in requests")
	}
	const in = "13812345678 zhang@example.com"
	if got, n := apply(t, nil, in, 3); got != in || n != (counts{}) {
		t.Errorf("without rules: %q %v", got, n)
	}
}

func TestEachEntityAlone(t *testing.T) {
	const in = "13812345678 zhang@example.com 11010519491231002X 4111111111111111"
	for kind, want := range map[spec.EntityKind]string{
		spec.EntityPhone:      "<PHONE> zhang@example.com 11010519491231002X 4111111111111111",
		spec.EntityEmail:      "13812345678 <EMAIL> 11010519491231002X 4111111111111111",
		spec.EntityResidentID: "13812345678 zhang@example.com <RESIDENT_ID> 4111111111111111",
		spec.EntityBankCard:   "13812345678 zhang@example.com 11010519491231002X <BANK_CARD>",
	} {
		for _, size := range []int{1, 7, 1000} {
			got, n := apply(t, rules(spec.RedactTag, kind), in, size)
			if got != want {
				t.Errorf("kind %d: %q, want %q", kind, got, want)
			}
			if n[kind] != 1 {
				t.Errorf("kind %d: counts %v", kind, n)
			}
		}
	}
}

// An 18-digit number may be both: the date, the province and the check
// character of a resident ID are worth more than a Luhn digit.
func TestResidentIDBeforeCard(t *testing.T) {
	in := residentAndCard(t)
	for _, c := range []struct {
		kinds []spec.EntityKind
		want  string
	}{
		{[]spec.EntityKind{spec.EntityBankCard, spec.EntityResidentID}, "<RESIDENT_ID>"},
		{[]spec.EntityKind{spec.EntityBankCard}, "<BANK_CARD>"},
	} {
		if got, _ := apply(t, rules(spec.RedactTag, c.kinds...), in); got != c.want {
			t.Errorf("%s: %q, want %q", in, got, c.want)
		}
	}
}

// residentAndCard searches for a number that is valid as both.
func residentAndCard(t *testing.T) string {
	t.Helper()
	for n := range 1000 {
		id := residentID("62290119900101" + string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)}))
		if id[17] != 'X' && luhnDigit(id[:17]) == id[17] {
			return id
		}
	}
	t.Fatal("there is none")
	return ""
}

func TestStringsAreApart(t *testing.T) {
	var r redact.Redactor
	out := &sink{}
	r.Reset(tagAll, &redact.Session{}, out)
	for _, s := range []string{"138", "12345678", "zhang", "@example.com", "13812345678", "9"} {
		r.StringStart()
		if err := r.Bytes([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := r.StringEnd(); err != nil {
			t.Fatal(err)
		}
		out.b = append(out.b, '|')
	}
	if want := "138|12345678|zhang|@example.com|<PHONE>|9|"; string(out.b) != want {
		t.Errorf("%q, want %q", out.b, want)
	}
}

// In text that is no JSON a backslash stands before anything, as in names of Windows, and
// takes nothing away from what follows it.
func TestBackslashes(t *testing.T) {
	for in, want := range map[string]string{
		`D:\data\13812345678\x`: `D:\data\<PHONE>\x`, `CORP\alice@example.com`: `CORP\<EMAIL>`, `\11010519491231002X`: `\<RESIDENT_ID>`,
		`\+8613812345678`: `\<PHONE>`, `\_a@example.com`: `\<EMAIL>`, `\ursula@example.com`: `\<EMAIL>`, `a\[13812345678]`: `a\[<PHONE>]`, `\sk-0123456789abcdef0123456789abcdef`: `\<OPENAI_KEY>`,
		`138\12345678`: `138\12345678`, `13812345678\`: `<PHONE>\`, `\u002b8613812345678`: `<PHONE>`, `\n13812345678`: `\n<PHONE>`, `"\"13812345678"`: `"\"<PHONE>"`,
		`\\13812345678`: `\\<PHONE>`, `\\\13812345678`: `\\\<PHONE>`, `\-----BEGIN PRIVATE KEY-----\1\2-----END PRIVATE KEY-----\3`: `\<PRIVATE_KEY>\3`,
	} {
		for _, size := range []int{1, 2, 1000} {
			if got, _ := apply(t, tagAll, in, size); got != want {
				t.Errorf("%s in pieces of %d: %s, want %s", in, size, got, want)
			}
		}
	}
}

func TestOutputErrorIsKept(t *testing.T) {
	var r redact.Redactor
	r.Reset(maskAll, &redact.Session{}, &sink{room: 5})
	r.StringStart()
	if err := r.Bytes([]byte("a longer text with 13812345678 in it")); !errors.Is(err, errFull) {
		t.Errorf("Bytes: %v, want the output's error", err)
	}
	if err := r.StringEnd(); !errors.Is(err, errFull) {
		t.Errorf("StringEnd: %v, want the output's error", err)
	}
	out := &sink{}
	r.Reset(maskAll, &redact.Session{}, out)
	if err := r.Bytes([]byte("x ")); err != nil || string(out.b) != "x " {
		t.Errorf("after Reset: %q %v", out.b, err)
	}
}

func TestNoAllocation(t *testing.T) {
	var r redact.Redactor
	var session redact.Session
	out := &sink{b: make([]byte, 0, 1<<16)}
	in := corpora()[0].Bytes(1024)
	if n := testing.AllocsPerRun(100, func() {
		out.b = out.b[:0]
		r.Reset(maskAll, &session, out)
		r.StringStart()
		for i := 0; i < len(in); i += 100 {
			_ = r.Bytes(in[i:min(i+100, len(in))])
		}
		_ = r.StringEnd()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !bytes.Contains(out.b, []byte("138****5678")) {
		t.Errorf("nothing was redacted: %s", out.b)
	}
}

// unescape reads raw JSON string content.
func unescape(t testing.TB, raw string) string {
	t.Helper()
	var s string
	if err := json.Unmarshal([]byte(`"`+raw+`"`), &s); err != nil {
		t.Fatalf("%q is no JSON string content: %v", raw, err)
	}
	return s
}

func validJSON(raw string) bool {
	return json.Valid([]byte(`"` + raw + `"`))
}

const residentWeights = "\x07\x09\x0a\x05\x08\x04\x02\x01\x06\x03\x07\x09\x0a\x05\x08\x04\x02"

// residentID appends the check character of GB 11643.
func residentID(first17 string) string {
	sum := 0
	for i := range first17 {
		sum += int(first17[i]-'0') * int(residentWeights[i])
	}
	return first17 + "10X98765432"[sum%11:][:1]
}

// luhnDigit is the check digit behind the given ones.
func luhnDigit(digits string) byte {
	sum := 0
	for i := range digits {
		v := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			v *= 2
			v = v/10 + v%10
		}
		sum += v
	}
	return byte('0' + (10-sum%10)%10)
}

// An IPv6 address in a numbered list is no fraction.
func TestAddressBehindNumber(t *testing.T) {
	for text, want := range map[string]string{
		"1.fe80::1ff:fe23:4567:890a ":   "1.<IP> ",
		"2.2001:db8:1:2:3:4:5:6, ":      "2.<IP>, ",
		"x 1.2001:db8::192.0.2.33 ":     "x 1.<IP> ",
		"1.203.0.113.77 is a version, ": "1.203.0.113.77 is a version, ",
	} {
		if got, _ := apply(t, everything, text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
