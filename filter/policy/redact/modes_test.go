package redact_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// vm returns keys that are always the same.
func vm(seed byte) *redact.Keys {
	k := &redact.Keys{}
	k.Seed(&[32]byte{seed})
	return k
}

// request redacts one string of a request in a session.
func request(t testing.TB, s *redact.Session, r *redact.Rules, in string, sizes ...int) (string, error) {
	t.Helper()
	var redactor redact.Redactor
	out := &sink{}
	redactor.Reset(r, s, out)
	redactor.StringStart()
	for i, k := 0, 0; i < len(in); k++ {
		n := len(in)
		if len(sizes) > 0 {
			n = sizes[k%len(sizes)]
		}
		if err := redactor.Bytes([]byte(in[i:min(i+n, len(in))])); err != nil {
			return string(out.b), err
		}
		i += n
	}
	err := redactor.StringEnd()
	return string(out.b), err
}

// in redacts a string in a session of its own.
func in(t testing.TB, r *redact.Rules, text string) string {
	t.Helper()
	s := &redact.Session{}
	s.Reset(vm(1), false)
	got, err := request(t, s, r, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func shaped(shape spec.MaskShape, kind spec.EntityKind) *redact.Rules {
	return redact.Compile(&spec.Redaction{Entities: []spec.Entity{{Kind: kind, Shape: shape}}}, spec.DirectionRequest)
}

func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		kind                            spec.EntityKind
		in, usual, article, last4, full string
	}{
		{spec.EntityPhone, "13812345678", "138****5678", "138****78", "*******5678", "***********"},
		{spec.EntityPhone, "+86 138-1234-5678", "+86 138-****-5678", "138****78", "+** ***-****-5678", "+** ***-****-****"},
		{spec.EntityResidentID, "11010519491231002X", "110*************2X", "***1949***", "**************002X", "******************"},
		{spec.EntityBankCard, "4111 1111 1111 1111", "**** **** **** 1111", "**** **** **** 1111", "**** **** **** 1111", "**** **** **** ****"},
		{spec.EntityEmail, "zhang@example.com", "z****@example.com", "z****@example.com", "*****@******e.com", "*****@*******.***"},
		{spec.EntityEmail, "z@example.com", "*@example.com", "*@example.com", "*@******e.com", "*@*******.***"},
	} {
		for shape, want := range []string{tt.usual, tt.article, tt.last4, tt.full} {
			if got := in(t, shaped(spec.MaskShape(shape), tt.kind), "("+tt.in+")"); got != "("+want+")" {
				t.Errorf("%s %s: %s, want %s", spec.MaskShape(shape), tt.in, got, want)
			}
		}
	}
}

func TestModes(t *testing.T) {
	const text = "a 13812345678 b zhang@example.com c"
	for mode, want := range map[spec.RedactionMode]string{
		spec.RedactMask:   `a 138\*{4}5678 b z\*{4}@example\.com c`,
		spec.RedactTag:    `a <PHONE> b <EMAIL> c`,
		spec.RedactHMAC:   `a <PHONE:[b-t]{10}> b <EMAIL:[b-t]{10}> c`,
		spec.RedactFormat: `a 1[01]\d{9} b [a-z]{5}@[a-z]{7}\.\d[a-z]{2} c`,
		spec.RedactDrop:   `a  b  c`,
		spec.RedactToken:  `a \[PHONE_1_[b-t]{8}\] b \[EMAIL_2_[b-t]{8}\] c`,
		spec.RedactBlock:  `a <PHONE> b <EMAIL> c`,
		spec.RedactDetect: regexp.QuoteMeta(text),
	} {
		s := &redact.Session{}
		s.Reset(vm(1), false)
		got, err := request(t, s, rules(mode), text)
		if err != nil || !regexp.MustCompile("^"+want+"$").MatchString(got) {
			t.Errorf("%s: %q %v, want %s", mode, got, err, want)
		}
		if s.Count(spec.DirectionRequest, spec.EntityPhone) != 1 || s.Count(spec.DirectionResponse, spec.EntityPhone) != 0 ||
			s.Mode(spec.DirectionRequest, spec.EntityEmail) != mode {
			t.Errorf("%s: the session counts wrongly", mode)
		}
		if s.Blocked() != (mode == spec.RedactBlock) || s.HasTokens() != (mode == spec.RedactToken) {
			t.Errorf("%s: blocked %v, tokens %v", mode, s.Blocked(), s.HasTokens())
		}
	}
}

// Without keys no mode leaks: what needs them tags.
func TestWithoutKeys(t *testing.T) {
	for _, mode := range []spec.RedactionMode{spec.RedactHMAC, spec.RedactToken, spec.RedactFormat} {
		if got, err := request(t, &redact.Session{}, rules(mode), "13812345678"); got != "<PHONE>" || err != nil {
			t.Errorf("%s: %q %v", mode, got, err)
		}
	}
}

// The same value is the same however it is spelled, under one key.
func TestSameValue(t *testing.T) {
	spellings := map[spec.EntityKind][]string{
		spec.EntityPhone:      {"13812345678", "138 1234 5678", "+86-138-1234-5678", "１３８１２３４５６７８", `\u0031\u0033812345678`, "138\u200b12345678"},
		spec.EntityEmail:      {"zhang@example.com", "Zhang@Example.COM", "zhang%40example.com", `zhang\u0040example.com`, "ｚhang＠example.com"},
		spec.EntityResidentID: {"11010519491231002X", "11010519491231002x", "110105 19491231 002X"},
		spec.EntityBankCard:   {"4111111111111111", "4111-1111-1111-1111"},
	}
	for kind, all := range spellings {
		for _, mode := range []spec.RedactionMode{spec.RedactHMAC, spec.RedactToken} {
			s := &redact.Session{}
			s.Reset(vm(1), true)
			var first string
			for _, text := range all {
				got, err := request(t, s, rules(mode, kind), text)
				if err != nil || first != "" && got != first || got == text {
					t.Errorf("%s of %s: %q, and %q before (%v)", mode, text, got, first, err)
				}
				first = got
			}
			if d := s.Digests(); len(d) != 1 || d[0].Kind != kind || d[0].Direction != spec.DirectionRequest || d[0].Sum == [8]byte{} {
				t.Errorf("%s: digests %v", kind, d)
			}
		}
	}
	a := in(t, rules(spec.RedactHMAC), "13812345678")
	other := &redact.Session{}
	other.Reset(vm(2), false)
	if b, _ := request(t, other, rules(spec.RedactHMAC), "13812345678"); a == b {
		t.Errorf("%s under two keys", a)
	}
}

func TestDigestsAreBounded(t *testing.T) {
	s := &redact.Session{}
	s.Reset(vm(1), true)
	for i := range 50 {
		if _, err := request(t, s, tagAll, fmt.Sprintf("138123456%02d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Digests()) != 16 || s.Count(spec.DirectionRequest, spec.EntityPhone) != 50 {
		t.Errorf("%d digests, %d values", len(s.Digests()), s.Count(spec.DirectionRequest, spec.EntityPhone))
	}
	s.Reset(vm(1), false)
	if len(s.Digests()) != 0 || s.Count(spec.DirectionRequest, spec.EntityPhone) != 0 {
		t.Error("Reset leaves something")
	}
}

// What modes write is not found again by the same rules, alone or in its text.
func TestNothingNewIsFound(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	for _, mode := range []spec.RedactionMode{spec.RedactMask, spec.RedactTag, spec.RedactHMAC, spec.RedactFormat, spec.RedactToken} {
		r := rules(mode)
		for range 2000 {
			nothingNew(t, mode, r, rules(spec.RedactTag), sentence(random))
		}
	}
}

// beside holds texts with a value that only its neighbour keeps from being one: of two
// that overlap one is replaced, and what is left of the other may make one by itself.
var beside = []string{"138 1234 5678@qq.com", "a.b@c.com@d.com", "连接redis://:p4ss@10.99.0.1"}

// The same of every kind, with all kinds on, in all texts of the golden files.
func TestNothingNewIsFoundOfAnyKind(t *testing.T) {
	for _, mode := range []spec.RedactionMode{spec.RedactMask, spec.RedactTag, spec.RedactHMAC, spec.RedactFormat, spec.RedactToken} {
		r, tags := allKinds(mode), allKinds(spec.RedactTag)
		for _, file := range goldenFiles(t) {
			cases, _ := readGolden(t, file)
			for _, c := range cases {
				if c.found && !slices.Contains(beside, c.in) {
					nothingNew(t, mode, r, tags, c.in)
				}
			}
		}
	}
}

// allKinds has all kinds in a mode, or tagged where they cannot have it.
func allKinds(mode spec.RedactionMode) *redact.Rules {
	r := &spec.Redaction{}
	for kind := range spec.EntityKind(spec.EntityKinds) {
		e := spec.Entity{Kind: kind, Mode: mode}
		if e.Problem().Field != "" {
			e.Mode = spec.RedactTag
		}
		r.Entities = append(r.Entities, e)
	}
	return redact.Compile(r, spec.DirectionRequest)
}

// nothingNew redacts a text, and what comes out once more.
func nothingNew(t *testing.T, mode spec.RedactionMode, r, again *redact.Rules, text string) {
	t.Helper()
	out := in(t, r, text)
	if got := in(t, again, out); got != out {
		t.Errorf("%s: %q became %q, in which %q was found", mode, text, out, got)
	}
}

// sentence is text with values in it.
func sentence(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(4) {
		b.WriteString([]string{"电话", "mail to ", "卡号：", "(", "id=", "x "}[random.IntN(6)])
		switch random.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "1%d%09d", []int{38, 50, 99, 77}[random.IntN(4)], random.IntN(1e9))
		case 1:
			card := fmt.Sprintf("62%013d", random.Int64N(1e13))
			card += string(luhnDigit(card))
			b.WriteString(card[:4] + " " + card[4:8] + " " + card[8:12] + " " + card[12:])
		case 2:
			b.WriteString(residentID(fmt.Sprintf("110105%04d%02d%02d%03d", 1950+random.IntN(60), 1+random.IntN(12), 1+random.IntN(28), random.IntN(1000))))
		case 3:
			fmt.Fprintf(&b, "user%d@mail%d.example.com", random.IntN(1000), random.IntN(10))
		}
		b.WriteString([]string{"。", ", ", ")", "\\n", " "}[random.IntN(5)])
	}
	return b.String()
}

// Every kind that a policy may name is found: each has a golden file of its own.
func TestEveryKindIsFound(t *testing.T) {
	tags := allKinds(spec.RedactTag)
	all := map[spec.EntityKind]bool{}
	for _, file := range goldenFiles(t) {
		cases, _ := readGolden(t, file)
		for _, c := range cases {
			_, n := apply(t, tags, c.in)
			for kind := range n {
				all[spec.EntityKind(kind)] = all[spec.EntityKind(kind)] || n[kind] > 0
			}
		}
	}
	for kind := range spec.EntityKind(spec.EntityKinds) {
		if !all[kind] {
			t.Errorf("%s is never found", kind)
		}
	}
}

// Long values go the same way as short ones, in any chunks.
func TestLongValues(t *testing.T) {
	token := "eyJhbGciOiJIUzI1NiJ9." + strings.Repeat("eyJzdWIiOiIxMjM0NTY3ODkwIn0", 40) + ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
	for mode, want := range map[spec.RedactionMode]string{
		spec.RedactMask:   `a \*{4} b`,
		spec.RedactTag:    `a <JWT> b`,
		spec.RedactHMAC:   `a <JWT:[b-t]{10}> b`,
		spec.RedactDrop:   `a  b`,
		spec.RedactToken:  `a \[JWT_1_[b-t]{8}\] b`,
		spec.RedactBlock:  `a <JWT> b`,
		spec.RedactDetect: regexp.QuoteMeta("a " + token + " b"),
	} {
		for _, sizes := range [][]int{{1 << 20}, {1}, {100, 7}} {
			s := &redact.Session{}
			s.Reset(vm(1), true)
			got, err := request(t, s, rules(mode, spec.EntityJWT), "a "+token+" b", sizes...)
			if err != nil || !regexp.MustCompile("^"+want+"$").MatchString(got) {
				t.Errorf("%s in chunks of %v: %q %v, want %s", mode, sizes, got, err, want)
			}
			if s.Count(spec.DirectionRequest, spec.EntityJWT) != 1 || len(s.Digests()) != 1 {
				t.Errorf("%s: %d values, %d digests", mode, s.Count(spec.DirectionRequest, spec.EntityJWT), len(s.Digests()))
			}
			if back := restore(t, s, got); mode == spec.RedactToken && back != "a "+token+" b" {
				t.Errorf("%s became %s", got, back)
			}
		}
	}
	s := &redact.Session{}
	s.Reset(vm(1), false)
	if got, err := request(t, s, rules(spec.RedactToken, spec.EntityJWT), token+strings.Repeat("x", 9000)); !errors.Is(err, redact.ErrVaultFull) || strings.Contains(got, "xxx") {
		t.Errorf("a value of 10 KB: %q %v", got, err)
	}
}

// A value of another form is no valid one, whatever the value was.
func TestFormatIsNeverValid(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	r := rules(spec.RedactFormat)
	for range 3000 {
		card := fmt.Sprintf("4%014d", random.Int64N(1e14))
		card += string(luhnDigit(card))
		out := in(t, r, card)
		if len(out) != len(card) || out[0] != '0' {
			t.Fatalf("%s became %s", card, out)
		}
	}
}

// Any chunks give the same.
func TestModesInChunks(t *testing.T) {
	const text = `电话 138 1234 5678, zhang\u0040example.com；13812345678 卡 4111 1111 1111 1111\n`
	for mode := range spec.RedactionMode(spec.RedactionModes) {
		var want string
		for _, size := range []int{1000, 1, 2, 3, 7, 20} {
			s := &redact.Session{}
			s.Reset(vm(1), true)
			got, err := request(t, s, rules(mode), text, size)
			if err != nil || want != "" && got != want || !validJSON(got) {
				t.Errorf("%s in chunks of %d: %q %v, want %q", mode, size, got, err, want)
			}
			want = got
		}
	}
}

func TestModesAllocateNothing(t *testing.T) {
	keys, out := vm(1), &sink{b: make([]byte, 0, 1<<16)}
	var r redact.Redactor
	s := &redact.Session{}
	text := []byte("138 1234 5678, zhang@example.com, 4111 1111 1111 1111")
	for mode := range spec.RedactionMode(spec.RedactionModes) {
		rules := rules(mode)
		if n := testing.AllocsPerRun(100, func() {
			out.b = out.b[:0]
			s.Reset(keys, true)
			r.Reset(rules, s, out)
			r.StringStart()
			_ = r.Bytes(text)
			_ = r.StringEnd()
			s.Release()
		}); n != 0 {
			t.Errorf("%s: %v allocations", mode, n)
		}
	}
}

// FuzzModes takes any text through every mode, with all kinds on: any chunks give the
// same, what was valid stays so, and a token gives its value back.
func FuzzModes(f *testing.F) {
	for _, file := range goldenFiles(f) {
		cases, _ := readGolden(f, file)
		for i, c := range cases {
			if i%5 == 0 {
				f.Add(c.in, uint8(i), uint8(2))
			}
		}
	}
	all := make([]*redact.Rules, spec.RedactionModes)
	for mode := range all {
		all[mode] = allKinds(spec.RedactionMode(mode))
	}
	keys := vm(1)
	f.Fuzz(func(t *testing.T, text string, a, b uint8) {
		for mode, r := range all {
			whole, pieces := &redact.Session{}, &redact.Session{}
			keys.Seed(&[32]byte{1})
			whole.Reset(keys, true)
			want, err := request(t, whole, r, text)
			pieces.Reset(keys, true)
			got, otherErr := request(t, pieces, r, text, int(a)+1, int(b)+1)
			if spec.RedactionMode(mode) != spec.RedactToken && got != want || err != otherErr || len(got) != len(want) {
				t.Errorf("%s in chunks of %d and %d:\n in   %q\n got  %q %v\n want %q %v", spec.RedactionMode(mode), a, b, text, got, otherErr, want, err)
			}
			if validJSON(text) && !validJSON(want) {
				t.Errorf("%s: %q became invalid: %q", spec.RedactionMode(mode), text, want)
			}
			if restored := restore(t, whole, want); err == nil && validJSON(text) && !validJSON(restored) {
				t.Errorf("%q is restored to what is invalid: %q", want, restored)
			}
			if spec.RedactionMode(mode) == spec.RedactDetect && want != text {
				t.Errorf("detect made %q of %q", want, text)
			}
			whole.Release()
			pieces.Release()
		}
	})
}
