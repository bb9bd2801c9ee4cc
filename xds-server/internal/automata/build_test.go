package automata_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// sink keeps what it is given.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) error {
	s.b = append(s.b, p...)
	return nil
}

// rules compiles custom entries, named A, B, ..., all in mode tag.
func rules(t testing.TB, partOfWord bool, entries ...automata.Entry) *redact.Rules {
	t.Helper()
	table, err := automata.Build(entries)
	if err != nil {
		t.Fatal(err)
	}
	r := &spec.Redaction{Automaton: table}
	for i := range entries {
		r.Custom = append(r.Custom, spec.Custom{Name: string(rune('A' + i)), Mode: spec.RedactTag, PartOfWord: partOfWord})
	}
	return redact.Compile(r, spec.DirectionRequest)
}

// apply redacts one string in chunks of the sizes, over and over; without sizes whole.
func apply(t testing.TB, rules *redact.Rules, in string, sizes ...int) string {
	t.Helper()
	var r redact.Redactor
	out := &sink{}
	r.Reset(rules, &redact.Session{}, out)
	r.StringStart()
	for i, k := 0, 0; i < len(in); k++ {
		n := len(in)
		if len(sizes) > 0 {
			n = sizes[k%len(sizes)]
		}
		chunk := []byte(in[i:min(i+n, len(in))])
		if err := r.Bytes(chunk); err != nil {
			t.Fatal(err)
		}
		clear(chunk)
		i += n
	}
	if err := r.StringEnd(); err != nil {
		t.Fatal(err)
	}
	return string(out.b)
}

func TestMatches(t *testing.T) {
	r := rules(t, false,
		automata.Entry{Words: []string{"Project Neptune", "neptune", "Müller", "海王星", "海王星计划", "Ёлка"}},
		automata.Entry{Pattern: `PRJ-[0-9]{4}(?:-[a-z]{1,3})?`},
		automata.Entry{Words: []string{"Apple"}, CaseSensitive: true},
	)
	for in, want := range map[string]string{
		"PROJECT neptune and Neptune's moon":       "<A> and <A>'s moon",
		"neptunes preneptune x_neptune":            "neptunes preneptune x_<A>",
		"我们的海王星计划和海王星":                             "我们的<A>和<A>",
		"Herr MÜLLER, Müllerin":                    "Herr <A>, Müllerin",
		"ёЛКА ёлкам":                               "<A> ёлкам",
		"prj-1234 PRJ-12345 PRJ-1234-ab XPRJ-1234": "<B> PRJ-12345 <B> XPRJ-1234",
		"PRJ-1234-abcd":                            "<B>-abcd",
		"ＰＲＪ－１２３４ prj—١٢٣٤":                        "<B> <B>",
		"n\u200be\u200bptune\u200b":                "<A>\u200b",
		`\u006eeptune \u6d77\u738B\u661f`:          "<A> <A>",
		`CORP\PRJ-1234 \海王星 a\Apple \\Apple`:       `CORP\<B> \<A> a\<C> \\<C>`,
		`\\u006eeptune ne\\u0070tune`:              "<A> <A>",
		`x\nneptune\n`:                             `x\n<A>\n`,
		"Apple apple APPLE":                        "<C> apple APPLE",
		"Project\u3000Neptune":                     "<A>",
		"nep":                                      "nep",
		`neptun\`:                                  `neptun\`,
		"\xe6\xb5 \xff neptune \xe6\xb5":           "\xe6\xb5 \xff <A> \xe6\xb5",
	} {
		if got := apply(t, r, in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		for size := 1; size < 9; size++ {
			if got := apply(t, r, in, size); got != want {
				t.Errorf("%s in chunks of %d\n got %s\nwant %s", in, size, got, want)
			}
		}
	}
}

// TestProblems says what may not be built and why.
func TestProblems(t *testing.T) {
	for pattern, want := range map[string]string{
		"a+":                   `pattern: "(?i:A+)" has no longest match`,
		"(?-i:a*)b":            `pattern: "a*" has no longest match`,
		"a{2,}":                `pattern: "(?i:A{2,})" has no longest match`,
		"^ab":                  `pattern: "\\A" looks at what stands beside a match`,
		`\bab`:                 `pattern: "\\b" looks at what stands beside a match`,
		"(":                    "pattern: error parsing regexp: missing closing ): `(`",
		"a?":                   "pattern: matches the empty text",
		"[^\\x00-\\x{10FFFF}]": "pattern: matches nothing",
		"a{65}":                "pattern: matches texts of up to 65 characters, more than 64",
		"[ab]{0,30}a[ab]{30}":  "pattern: need more than 50000 states",
		"((a{8}){8}|b{900})":   "pattern: matches texts of up to 900 characters, more than 64",
	} {
		_, err := automata.Build([]automata.Entry{{Words: []string{"x"}}, {Pattern: pattern}})
		var e *automata.Error
		if !errors.As(err, &e) || e.Entry != 1 || e.Fix == "" || e.Field+": "+e.Problem != want {
			t.Errorf("%s: %v; want %s", pattern, err, want)
		}
	}
	for word, want := range map[string]string{
		"":                       `words[1]: "" is empty, or begins or ends with a space`,
		" a":                     `words[1]: " a" is empty, or begins or ends with a space`,
		"\u200b":                 `words[1]: "\u200b" is empty, or begins or ends with a space`,
		"\xff":                   `words[1]: "\xff" is no UTF-8`,
		"a\tb":                   `words[1]: "a\tb" has a control character`,
		strings.Repeat("ab", 33): fmt.Sprintf("words[1]: %q has more than 64 characters", strings.Repeat("ab", 33)),
	} {
		_, err := automata.Build([]automata.Entry{{Words: []string{"x", word}}})
		var e *automata.Error
		if !errors.As(err, &e) || e.Fix == "" || e.Field+": "+e.Problem != want {
			t.Errorf("%q: %v; want %s", word, err, want)
		}
	}
}

// randomPattern makes a pattern without unbounded repetition that does not match the
// empty text.
func randomPattern(rng *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "c", "[ab]", "[^a]", ".", "é", "[é-海]", "海", "ab"}
	if depth == 0 {
		return atoms[rng.IntN(len(atoms))]
	}
	switch rng.IntN(5) {
	case 0:
		return "(?:" + randomPattern(rng, depth-1) + "|" + randomPattern(rng, depth-1) + ")"
	case 1:
		return randomPattern(rng, depth-1) + "(?:" + randomPattern(rng, depth-1) + ")?"
	case 2:
		return fmt.Sprintf("(?:%s){1,%d}", randomPattern(rng, depth-1), 1+rng.IntN(2))
	default:
		return randomPattern(rng, depth-1) + randomPattern(rng, depth-1)
	}
}

// TestLikeRegexp compares matches with those of package regexp, on random patterns and
// texts in random chunks.
func TestLikeRegexp(t *testing.T) {
	const letters = "aaabbcAé海 "
	rng := rand.New(rand.NewPCG(7, 11))
	matched := 0
	for range 400 {
		pattern := randomPattern(rng, 3)
		want := regexp.MustCompile("(?i:" + pattern + ")")
		want.Longest()
		r := rules(t, true, automata.Entry{Pattern: pattern})
		for range 20 {
			var b strings.Builder
			for range rng.IntN(40) {
				b.WriteRune([]rune(letters)[rng.IntN(10)])
			}
			text := b.String()
			expected := want.ReplaceAllString(text, "<A>")
			if expected != text {
				matched++
			}
			if got := apply(t, r, text, 1+rng.IntN(5), 1+rng.IntN(40)); got != expected {
				t.Fatalf("%s on %q\n got %q\nwant %q", pattern, text, got, expected)
			}
		}
	}
	if matched < 4000 {
		t.Errorf("only %d texts match", matched)
	}
}

// dictionary makes n different words: names in Chinese, Cyrillic and Latin letters, of
// parts as names are.
func dictionary(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]bool, n)
	latin := strings.Fields("an ba cor de el fi gra hu in jo ka lo mi no or pa qui ra sta tu un ve wi xa yo zen")
	russian := strings.Fields("ва ле ни ко ро ми ха тов ев ин ский ал бор гри дми же за кон лю мар на ов пе")
	var words []string
	for len(words) < n {
		var b strings.Builder
		switch rng.IntN(4) {
		case 0, 1:
			b.WriteRune(0x4E00 + 7*rng.Int32N(200))
			for range 2 {
				b.WriteRune(0x5000 + 3*rng.Int32N(600))
			}
		case 2:
			for range 3 + rng.IntN(2) {
				b.WriteString(russian[rng.IntN(len(russian))])
			}
		default:
			for range 3 + rng.IntN(2) {
				b.WriteString(latin[rng.IntN(len(latin))])
			}
		}
		if w := b.String(); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

func TestLargeDictionary(t *testing.T) {
	words := dictionary(automata.MaxWords)
	begun := time.Now()
	table, err := automata.Build([]automata.Entry{{Words: words}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d words: a table of %d bytes in %v", len(words), len(table), time.Since(begun))
	r := redact.Compile(&spec.Redaction{Automaton: table, Custom: []spec.Custom{{Name: "A", Mode: spec.RedactTag}}}, spec.DirectionRequest)
	for i := 0; i < len(words); i += 17 {
		in := "(" + strings.ToUpper(words[i]) + ")"
		if got := apply(t, r, in); got != "(<A>)" {
			t.Fatalf("%s: %s", in, got)
		}
	}
	if _, err := automata.Build([]automata.Entry{{Words: append(words, "one more")}}); err == nil {
		t.Error("one word more than the most is taken")
	}
}

func BenchmarkDictionary(b *testing.B) {
	words := dictionary(automata.MaxWords)
	r := rules(b, false, automata.Entry{Words: words})
	long := rules(b, true, automata.Entry{Words: []string{strings.Repeat("a", 63) + "b"}})
	english := strings.Repeat("The committee will meet on Thursday to discuss the budget of the next year and what to do about it. ", 640)
	chinese := strings.Repeat("委员会将于星期四开会讨论明年的预算以及应当采取的措施，请各位准时参加会议。", 640)
	for name, in := range map[string]struct {
		rules *redact.Rules
		text  string
	}{"english": {r, english}, "chinese": {r, chinese}, "worst": {long, strings.Repeat("a ", 5) + strings.Repeat("a", 65000)}} {
		b.Run(name, func(b *testing.B) {
			var redactor redact.Redactor
			out, session, text := &sink{}, &redact.Session{}, []byte(in.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				out.b = out.b[:0]
				redactor.Reset(in.rules, session, out)
				redactor.StringStart()
				if redactor.Bytes(text) != nil || redactor.StringEnd() != nil {
					b.Fatal("fails")
				}
			}
		})
	}
}

// oddEscapes are those by which a pattern can name characters that are folded.
var oddEscapes = regexp.MustCompile(`\\[xX0-9pP]`)

// FuzzPattern builds any pattern: it is refused with a reason, or finds in ASCII what
// package regexp finds.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{`PRJ-[0-9]{4}(?:-[a-z]{1,3})?`, "prj-1234-ab PRJ-12345"}, {"(?:a|ab)(?:c|bcd)", "abcd"}, {"[^a]{1,3}?b", "xxb"}, {"a{2}|(?-i:B)\\d", "aab1B2"}, {"a+", "a"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		table, err := automata.Build([]automata.Entry{{Pattern: pattern}})
		if err != nil {
			if e := (*automata.Error)(nil); !errors.As(err, &e) || e.Field != "pattern" || e.Problem == "" || e.Fix == "" {
				t.Fatalf("%q: %v", pattern, err)
			}
			return
		}
		odd := func(c rune) bool { return c < ' ' || c > '~' || c == '\\' }
		if pattern == "" || oddEscapes.MatchString(pattern) || strings.ContainsFunc(pattern, func(c rune) bool { return c > '~' }) || strings.ContainsFunc(text, odd) {
			return
		}
		want := regexp.MustCompile("(?i:" + pattern + ")")
		want.Longest()
		compiled := redact.Compile(&spec.Redaction{Automaton: table, Custom: []spec.Custom{{Name: "A", Mode: spec.RedactTag, PartOfWord: true}}}, spec.DirectionRequest)
		if got, expected := apply(t, compiled, text), want.ReplaceAllString(text, "<A>"); got != expected {
			t.Fatalf("%q on %q\n got %q\nwant %q", pattern, text, got, expected)
		}
	})
}
