package automata_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// worst are entries with text in which much begins like a match of them.
var worst = []struct {
	name, text string
	entry      automata.Entry
}{
	{"all but the last letter", "a", automata.Entry{Words: []string{strings.Repeat("a", 63) + "b"}}},
	{"the same in Chinese", "海", automata.Entry{Words: []string{strings.Repeat("海", 63) + "王"}}},
	{"common prefixes", strings.Repeat("ab", 31) + "c", automata.Entry{Words: prefixes()}},
	{"repeated choice", "a", automata.Entry{Pattern: "(?:a|a){1,63}b"}},
	{"classes", "quickbrownfox", automata.Entry{Pattern: "[a-z]{1,63}[0-9]"}},
	{"escapes", `\u0061`, automata.Entry{Pattern: "[a-z]{1,63}[0-9]"}},
	{"matches", strings.Repeat("a", 63) + "b", automata.Entry{Words: []string{strings.Repeat("a", 63) + "b"}}},
	{"short ones within", strings.Repeat("a", 63) + "d", automata.Entry{Words: []string{strings.Repeat("a", 63) + "c", "ad"}}},
}

// prefixes are words that begin alike for as long as they can.
func prefixes() (words []string) {
	for i := range 32 {
		words = append(words, strings.Repeat("ab", i)+"d")
	}
	return words
}

// expression is what finds in text what the entry does.
func expression(e automata.Entry) *regexp.Regexp {
	var all []string
	for _, w := range e.Words {
		if w != "" {
			all = append(all, regexp.QuoteMeta(w))
		}
	}
	if e.Pattern != "" {
		all = append(all, e.Pattern)
	}
	find := regexp.MustCompile("(?i:" + strings.Join(all, "|") + ")")
	find.Longest()
	return find
}

// TestWorstLikeRegexp compares matches with those of package regexp where most attempts
// come far, and to nothing.
func TestWorstLikeRegexp(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range worst {
		find, r := expression(c.entry), rules(t, true, c.entry)
		parts := []string{"a", "ab", "b", "海", "王", "d", "7", "x", "abc", " ", "é"}
		matched := 0
		for range 300 {
			var b strings.Builder
			for range rng.IntN(12) {
				part := parts[rng.IntN(len(parts))]
				if rng.IntN(3) == 0 {
					part = strings.Repeat(part, 1+rng.IntN(150))
				}
				b.WriteString(part)
				if len(c.entry.Words) > 0 && rng.IntN(4) == 0 {
					b.WriteString(c.entry.Words[rng.IntN(len(c.entry.Words))])
				}
			}
			text := b.String()
			expected := find.ReplaceAllString(text, "<A>")
			if expected != text {
				matched++
			}
			for _, sizes := range [][]int{nil, {1 + rng.IntN(5), 1 + rng.IntN(300)}} {
				if got := apply(t, r, text, sizes...); got != expected {
					t.Fatalf("%s: %q in chunks of %v\n got %q\nwant %q", c.name, text, sizes, got, expected)
				}
			}
		}
		if matched < 20 {
			t.Errorf("%s: only %d texts match", c.name, matched)
		}
	}
}

func BenchmarkWorst(b *testing.B) {
	for _, c := range worst {
		text := []byte(strings.Repeat(c.text, 64<<10/len(c.text)))
		rules := rules(b, true, c.entry)
		b.Run(c.name, func(b *testing.B) {
			var r redact.Redactor
			var session redact.Session
			out := &sink{b: make([]byte, 0, 1<<20)}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				out.b = out.b[:0]
				r.Reset(rules, &session, out)
				_ = r.Bytes(text)
				_ = r.StringEnd()
			}
		})
	}
}
