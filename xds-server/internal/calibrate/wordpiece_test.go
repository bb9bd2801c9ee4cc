package calibrate_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"
)

// sidecar is where the sidecar's tests keep the vocabulary of MiniLM and what its
// tokenizer answers. Data may be shared where code must not be.
const sidecar = "../../../inference-sidecar/internal/tokenize/testdata/"

// wordPiece counts the tokens of an uncased BERT vocabulary.
type wordPiece map[string]bool

func readWordPiece(t *testing.T) wordPiece {
	t.Helper()
	file, err := os.Open(sidecar + "vocab.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	entries := make(wordPiece)
	for lines := bufio.NewScanner(plain); lines.Scan(); {
		entries[lines.Text()] = true
	}
	return entries
}

// count returns how many tokens a text has, with [CLS] and [SEP].
func (w wordPiece) count(text string) int {
	n := 2
	var word []rune
	end := func() {
		n += w.pieces(word)
		word = word[:0]
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.IsSpace(r):
			end()
		case unicode.Is(unicode.Han, r) || isMark(r):
			end()
			word = append(word, r)
			end()
		case !unicode.IsControl(r):
			word = append(word, r)
		}
	}
	end()
	return n
}

func isMark(r rune) bool {
	if r < 0x80 {
		return r > ' ' && r < 0x7F && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return unicode.IsPunct(r)
}

// pieces returns of how many entries, the longest first, a word is made; 1 where
// there are none.
func (w wordPiece) pieces(word []rune) int {
	n := 0
	for from := 0; from < len(word); n++ {
		to, mark := len(word), ""
		if from > 0 {
			mark = "##"
		}
		for to > from && !w[mark+string(word[from:to])] {
			to--
		}
		if to == from || len(word) > 100 {
			return 1
		}
		from = to
	}
	return n
}

// The counter agrees with the tokenizers library wherever no accents have to be
// stripped and nothing is cut off.
func TestWordPieceIsReal(t *testing.T) {
	w := readWordPiece(t)
	text, err := os.ReadFile(sidecar + "minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Text      string
		MaxTokens int
		IDs       []int
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, c := range cases {
		plain := func(r rune) bool { return r >= 0x80 && !unicode.Is(unicode.Han, r) && !unicode.IsPunct(r) }
		if strings.ContainsFunc(c.Text, plain) || strings.Contains(c.Text, "[") || len(c.IDs) == c.MaxTokens {
			continue
		}
		tried++
		if got := w.count(c.Text); got != len(c.IDs) {
			t.Errorf("%q: %d tokens, want %d", c.Text, got, len(c.IDs))
		}
	}
	if tried < 10 {
		t.Errorf("only %d texts were tried", tried)
	}
}
