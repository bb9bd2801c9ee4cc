// Package wordlist reads the files in which people keep long lists of words: one a line,
// in UTF-8. Lines may end in CRLF, and the file may begin with a byte order mark. White
// space around a word does not count, nor do empty lines and those that begin with #.
package wordlist

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// Mistake is what is wrong with a line.
type Mistake struct {
	Line    int    // counted from 1
	Problem string // a clause about the line
	Fix     string
}

// maxMistakes bounds how many mistakes of a file are told.
const maxMistakes = 10

// byteOrderMark is U+FEFF, with which some editors begin a file in UTF-8.
const byteOrderMark = "\ufeff"

// Parse returns the words of a list, each as it is written, in order; they share the
// memory of text. The mistakes are the first ones; with any, the words are of no use.
func Parse(text string) (words []string, mistakes []Mistake) {
	text = strings.TrimPrefix(text, byteOrderMark)
	number := 0
	for line := range strings.Lines(text) {
		number++
		word := strings.Trim(line, " \t\r\n")
		if word == "" || word[0] == '#' {
			continue
		}
		if problem, fix := check(word); problem != "" {
			if mistakes = append(mistakes, Mistake{number, problem, fix}); len(mistakes) == maxMistakes {
				return nil, mistakes
			}
			continue
		}
		words = append(words, word)
		if len(words) > automata.MaxWords {
			return nil, []Mistake{{number, fmt.Sprintf("this is one word more than the most, %d", automata.MaxWords), "leave some out, or keep them in a policy of its own"}}
		}
	}
	if len(words)+len(mistakes) == 0 {
		mistakes = []Mistake{{1, "there is no word in the file", "write one word a line, or do not name the file"}}
	}
	return words, mistakes
}

// check says what is wrong with a word.
func check(word string) (problem, fix string) {
	if !utf8.ValidString(word) {
		return "the line is no UTF-8", "save the file in that encoding"
	}
	if problem = automata.CheckWord(word); problem != "" {
		return problem, "write one word, or words that stand together, of at most " + fmt.Sprint(automata.MaxChars) + " characters"
	}
	return "", ""
}
