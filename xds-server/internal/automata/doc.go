// Package automata makes one table of package automaton of a user's words and patterns.
// Words become a trie and patterns a graph, both over UTF-8 bytes; the sets of their
// nodes that texts lead to become states, of which equal ones are one. No text that
// matches is longer than MaxChars characters, so the graph has no cycle and everything
// is done from its leaves back, once for each state.
package automata

import (
	"fmt"
	"unicode"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// Bounds of what is made.
const (
	MaxChars  = 64        // of a match
	MaxWords  = 100_000   // of all entries
	maxNodes  = 4_000_000 // of the graph
	maxStates = 1_000_000 // of several nodes, before equal ones are one
	// maxPatternStates bounds those of one pattern by itself.
	maxPatternStates = 50_000
)

// Entry is a list of words, a pattern, or both. Matches of it are alike.
type Entry struct {
	Words         []string
	Pattern       string // in the syntax of package regexp; empty: none
	CaseSensitive bool
}

// Error is what is wrong with an entry.
type Error struct {
	Entry   int    // its index
	Field   string // within it, as words[3]
	Problem string // a clause about the field
	Fix     string
}

// Error returns what and where.
func (e *Error) Error() string { return fmt.Sprintf("entry %d: %s: %s", e.Entry, e.Field, e.Problem) }

// Build makes the table of entries. Its error is an *Error, but where all of them
// together are too large.
func Build(entries []Entry) ([]byte, error) {
	if len(entries) > automaton.MaxEntries {
		return nil, fmt.Errorf("there are %d entries, more than %d", len(entries), automaton.MaxEntries)
	}
	g := newGraph()
	words := 0
	for i, e := range entries {
		words += len(e.Words)
		if words > MaxWords {
			return nil, &Error{i, "words", fmt.Sprintf("with these there are more than %d words", MaxWords), "leave some out"}
		}
		if err := g.addWords(i, e); err != nil {
			return nil, err
		}
		if e.Pattern == "" {
			continue
		}
		if err := checkPattern(i, e); err != nil {
			return nil, err
		}
		if err := g.addPattern(i, e); err != nil {
			return nil, err
		}
	}
	d := newDeterminizer(g, maxStates)
	root, err := d.state([]int32{0})
	if err != nil {
		return nil, fmt.Errorf("all words and patterns together %w", err)
	}
	return pack(d.states, root)
}

// checkPattern refuses a pattern that is too large by itself, or matches nothing.
func checkPattern(i int, e Entry) error {
	alone := newGraph()
	if err := alone.addPattern(i, e); err != nil {
		return err
	}
	d := newDeterminizer(alone, maxPatternStates)
	if _, err := d.state([]int32{0}); err != nil {
		return &Error{i, "pattern", err.Error(), "make ranges of repetitions narrower, or split it"}
	}
	return nil
}

// fold returns a text as the filter sees it: characters in the place of others, and
// none that do not show.
func fold(text string) []rune {
	var folded []rune
	for _, char := range text {
		if char, shown := redact.FoldChar(char); shown {
			folded = append(folded, char)
		}
	}
	return folded
}

// spellings returns a character in all its cases, the least first.
func spellings(char rune) []rune {
	all := []rune{char}
	for c := unicode.SimpleFold(char); c != char; c = unicode.SimpleFold(c) {
		all = append(all, c)
		if c < all[0] {
			all[0], all[len(all)-1] = c, all[0]
		}
	}
	return all
}
