package automata_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// listed is an entry of a naive search.
type listed struct {
	words                     [][]rune // as they are seen
	caseSensitive, partOfWord bool
}

// sign is a character of a text: how it is spelled, and what a reader sees.
type sign struct {
	raw   string
	char  rune
	shown bool
}

// naive replaces matches as docs/REDACTION.md says, character by character and word by
// word.
func naive(entries []listed, text []sign) string {
	var out strings.Builder
	var seen []int // the signs that show
	for i, s := range text {
		if s.shown {
			seen = append(seen, i)
		}
	}
	next := 0 // the first sign that is not written
	for i := 0; i < len(seen); {
		n, entry := longestAt(entries, text, seen, i)
		if n == 0 {
			i++
			continue
		}
		for ; next < seen[i]; next++ {
			out.WriteString(text[next].raw)
		}
		fmt.Fprintf(&out, "<%c>", 'A'+entry)
		i += n
		next = seen[i-1] + 1
	}
	for ; next < len(text); next++ {
		out.WriteString(text[next].raw)
	}
	return out.String()
}

// longestAt is how many signs the longest match at the i-th one has, and the first entry
// that it is of.
func longestAt(entries []listed, text []sign, seen []int, i int) (n, entry int) {
	at := func(k int) rune { return text[seen[k]].char }
	for e, l := range entries {
		for _, w := range l.words {
			if i+len(w) > len(seen) || len(w) <= n {
				continue
			}
			same := true
			for k, c := range w {
				same = same && (at(i+k) == c || !l.caseSensitive && alike(at(i+k), c))
			}
			begins := i == 0 || !inWord(at(i-1)) || !inWord(at(i))
			ends := i+len(w) == len(seen) || !inWord(at(i+len(w)-1)) || !inWord(at(i+len(w)))
			if same && (l.partOfWord || begins && ends) {
				n, entry = len(w), e
			}
		}
	}
	return n, entry
}

// alike says whether two characters differ in case alone.
func alike(a, b rune) bool {
	for c := unicode.SimpleFold(a); c != a; c = unicode.SimpleFold(c) {
		if c == b {
			return true
		}
	}
	return a == b
}

// inWord says whether a character makes a word with those beside it.
func inWord(c rune) bool {
	return c >= 0xC0 && c <= 0x7FF || c < 0x80 && (unicode.IsLetter(c) || unicode.IsDigit(c))
}

// spelled makes a sign of a character, in one of the ways to write it.
func spelled(rng *rand.Rand, c rune) sign {
	raw := string(c)
	switch pick := rng.IntN(8); {
	case pick == 0 && c < 0x10000:
		raw = fmt.Sprintf(`\u%04x`, c)
	case pick == 1 && c < 0x10000:
		raw = fmt.Sprintf(`\\u%04X`, c)
	case pick == 2 && c > ' ' && c < 0x7F:
		raw = string(c - ' ' + 0xFF00) // full width
	}
	folded, shown := redact.FoldChar(c)
	return sign{raw, folded, shown}
}

// TestLikeNaiveSearch compares what the redactor does, with tables made of random words,
// with a naive search for the same words: in random spellings and pieces, in any case, within
// words and not. The words have few letters, so that many begin alike and stand in others.
func TestLikeNaiveSearch(t *testing.T) {
	letters := []rune("aabbcAkKé\u212Aéßſs12- 海王ж\u05d0")
	hidden := []rune("\u200b\u00ad\ufeff")
	rng := rand.New(rand.NewPCG(31, 5))
	found := 0
	for range 400 {
		var entries []automata.Entry
		var want []listed
		policy := &spec.Redaction{}
		for i := range 1 + rng.IntN(4) {
			e := automata.Entry{CaseSensitive: rng.IntN(2) == 0}
			l := listed{caseSensitive: e.CaseSensitive, partOfWord: rng.IntN(2) == 0}
			for range 1 + rng.IntN(6) {
				word := randomText(rng, letters, 1+rng.IntN(5))
				if automata.CheckWord(word) != "" {
					continue
				}
				e.Words = append(e.Words, word)
				var seen []rune
				for _, c := range word {
					if folded, shown := redact.FoldChar(c); shown {
						seen = append(seen, folded)
					}
				}
				l.words = append(l.words, seen)
			}
			entries, want = append(entries, e), append(want, l)
			policy.Custom = append(policy.Custom, spec.Custom{Name: string(rune('A' + i)), Mode: spec.RedactTag, PartOfWord: l.partOfWord})
		}
		var err error
		if policy.Automaton, err = automata.Build(entries); err != nil {
			t.Fatal(err)
		}
		compiled := redact.Compile(policy, spec.DirectionRequest)
		for range 40 {
			var text []sign
			for range rng.IntN(30) {
				if rng.IntN(12) == 0 {
					text = append(text, sign{raw: string(hidden[rng.IntN(len(hidden))])})
				}
				text = append(text, spelled(rng, letters[rng.IntN(len(letters))]))
			}
			in := rawOf(text)
			expected := naive(want, text)
			if expected != in {
				found++
			}
			if got := apply(t, compiled, in, 1+rng.IntN(7), 1+rng.IntN(40)); got != expected {
				t.Fatalf("%+v on %q\n got %q\nwant %q", entries, in, got, expected)
			}
		}
	}
	if found < 6000 {
		t.Errorf("only %d texts have a match", found)
	}
}

func randomText(rng *rand.Rand, letters []rune, n int) string {
	var b strings.Builder
	for range n {
		b.WriteRune(letters[rng.IntN(len(letters))])
	}
	return b.String()
}

func rawOf(text []sign) string {
	var b strings.Builder
	for _, s := range text {
		b.WriteString(s.raw)
	}
	return b.String()
}

// TestOrderOfWords: the table does not depend on the order of words, nor on a word that
// stands twice.
func TestOrderOfWords(t *testing.T) {
	words := dictionary(2000)
	first, err := automata.Build([]automata.Entry{{Words: words}})
	if err != nil {
		t.Fatal(err)
	}
	reversed := append(slices.Clone(words), words[:100]...)
	slices.Reverse(reversed)
	second, err := automata.Build([]automata.Entry{{Words: reversed}})
	if err != nil || !slices.Equal(first, second) {
		t.Errorf("the table of %d bytes depends on the order of words: %v", len(first), err)
	}
}
