package wordlist_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/xds-server/internal/automata"
	"github.com/weirmesh/weir/xds-server/internal/wordlist"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]string{
		"one\ntwo":                            {"one", "two"},
		"\ufeffone\r\ntwo three\r\n\r\n":      {"one", "two three"},
		"# a comment\n  # another\n\tone ":    {"one"},
		"C# is a word\n海王星计划\n":               {"C# is a word", "海王星计划"},
		"one\none\n":                          {"one", "one"},
		"one\n\u3000two":                      nil, // white space of other kinds is part of a word, and may not end one
		"a\rb":                                nil,
		"a\x00":                               nil,
		"\ufeff\ufeff":                        nil,
		"":                                    nil,
		strings.Repeat("é", 65):               nil,
		strings.Repeat("é", 64) + "\r\n":      {strings.Repeat("é", 64)},
		"ok\n" + strings.Repeat("\xff\n", 20): nil,
	} {
		words, mistakes := wordlist.Parse(text)
		if want == nil {
			if len(mistakes) == 0 || len(mistakes) > 10 || mistakes[0].Line < 1 || mistakes[0].Problem == "" || mistakes[0].Fix == "" {
				t.Errorf("%q: mistakes %+v", text, mistakes)
			}
		} else if len(mistakes) > 0 || !slices.Equal(words, want) {
			t.Errorf("%q: %q, mistakes %+v; want %q", text, words, mistakes, want)
		}
	}
}

// TestLines: mistakes say on which line they are, whatever ends the lines.
func TestLines(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		_, mistakes := wordlist.Parse(strings.Join([]string{"# names", "", "fine", "a\tb", "fine", "\xff", ""}, end))
		if len(mistakes) != 2 || mistakes[0].Line != 4 || mistakes[1].Line != 6 {
			t.Errorf("with %q: %+v", end, mistakes)
		}
	}
	var b strings.Builder
	for i := range automata.MaxWords + 1 {
		fmt.Fprintf(&b, "w%d\n", i)
	}
	if _, mistakes := wordlist.Parse(b.String()); len(mistakes) != 1 || mistakes[0].Line != automata.MaxWords+1 {
		t.Errorf("too many words: %+v", mistakes)
	}
}

// FuzzParse: words are lines of the text, each of them can be looked for, and mistakes
// are on lines that there are. What is read once is read the same when it is written again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"one\ntwo", "\ufeff# x\r\n海王星\r\n\r\n", "a\tb\n\xff\n#\n \n", "\u200b\n" + strings.Repeat("x", 70)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, mistakes := wordlist.Parse(text)
		lines := strings.Count(text, "\n") + 1
		for _, m := range mistakes {
			if m.Line < 1 || m.Line > lines || m.Problem == "" || !utf8.ValidString(m.Problem) || strings.ContainsAny(m.Problem, "\r\n") {
				t.Fatalf("of %d lines: %+v", lines, m)
			}
		}
		if len(mistakes) > 0 {
			return
		}
		for _, w := range words {
			if automata.CheckWord(w) != "" || !strings.Contains(text, w) || w[0] == '#' {
				t.Fatalf("%q is a word", w)
			}
		}
		if again, wrong := wordlist.Parse("#\n" + strings.Join(words, "\n")); len(wrong) > 0 || !slices.Equal(again, words) {
			t.Fatalf("%q are read again as %q, %+v", words, again, wrong)
		}
		if len(words) > 200 {
			return
		}
		if _, err := automata.Build([]automata.Entry{{Words: words}}); err != nil {
			t.Fatalf("words that are read cannot be looked for: %v", err)
		}
	})
}
