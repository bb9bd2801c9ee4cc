// Package tokenize turns text into the token ids of BERT's WordPiece vocabularies, id for id as BertTokenizer (fast) of
// the transformers library does.
package tokenize

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxWord is the longest word, in characters, that is cut into pieces; a longer one is unknown as a whole.
const maxWord = 100

// MinTokens is the least bound on a sequence: [CLS], one token, [SEP].
const MinTokens = 3

// Options says how a WordPiece tokenises.
type Options struct {
	// Lowercase lowers letters and strips accents, for uncased vocabularies.
	Lowercase bool
	// MaxTokens bounds a sequence, [CLS] and [SEP] included. What is beyond is cut off. At least MinTokens.
	MaxTokens int
}

// WordPiece is a tokenizer. It is immutable and may be used from many goroutines.
type WordPiece struct {
	opt           Options
	ids           map[string]int32
	pieces        map[string]int32 // the continuations, without their "##"
	size          int
	longest       int // bytes of the longest entry
	cls, sep, unk int32
	special       []string
}

// NewWordPiece reads a vocabulary (vocab.txt: one entry a line, its id is the line number from 0).
func NewWordPiece(vocabulary io.Reader, opt Options) (*WordPiece, error) {
	if opt.MaxTokens < MinTokens {
		return nil, fmt.Errorf("a sequence of at most %d tokens has no room for [CLS], a token and [SEP]", opt.MaxTokens)
	}
	w := &WordPiece{opt: opt, ids: make(map[string]int32, 1<<15), pieces: make(map[string]int32, 1<<13)}
	lines := bufio.NewScanner(vocabulary)
	for lines.Scan() {
		w.add(strings.TrimRight(lines.Text(), "\r"))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("vocabulary, line %d: %w", w.size+1, err)
	}
	return w, w.findSpecial()
}

func (w *WordPiece) add(entry string) {
	id := int32(w.size)
	w.size++
	w.longest = max(w.longest, len(entry))
	if rest, ok := strings.CutPrefix(entry, "##"); ok {
		w.pieces[rest] = id
	}
	w.ids[entry] = id
}

func (w *WordPiece) findSpecial() error {
	var missing []error
	for name, at := range map[string]*int32{"[CLS]": &w.cls, "[SEP]": &w.sep, "[UNK]": &w.unk} {
		id, ok := w.ids[name]
		if !ok {
			missing = append(missing, fmt.Errorf("the vocabulary has no %s", name))
		}
		*at = id
	}
	for _, name := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if _, ok := w.ids[name]; ok {
			w.special = append(w.special, name)
		}
	}
	return errors.Join(missing...)
}

// Size returns the number of entries of the vocabulary; ids are below it.
func (w *WordPiece) Size() int { return w.size }

// Encode returns the ids of text between [CLS] and [SEP], at most MaxTokens. The names of special tokens in the text
// stand for those tokens, as in the transformers library.
func (w *WordPiece) Encode(text string) []int32 {
	ids := make([]int32, 1, min(w.opt.MaxTokens, len(text)/3+8))
	ids[0] = w.cls
	room := w.opt.MaxTokens - 1
	for len(text) > 0 && len(ids) < room {
		at, name := w.nextSpecial(text)
		for field := range strings.FieldsFuncSeq(text[:at], asciiSpace) {
			if ids = w.ordinary(ids, field, room); len(ids) == room {
				break
			}
		}
		if name != "" && len(ids) < room {
			ids = append(ids, w.ids[name])
		}
		text = text[at+len(name):]
	}
	return append(ids, w.sep)
}

// Wrap returns ids between [CLS] and [SEP], unless they are so already, at most MaxTokens. An id outside the vocabulary
// is an error.
func (w *WordPiece) Wrap(ids []int64) ([]int32, error) {
	out := make([]int32, 0, min(len(ids)+2, w.opt.MaxTokens))
	n := len(ids)
	if n >= 2 && ids[0] == int64(w.cls) && ids[n-1] == int64(w.sep) {
		ids = ids[1 : n-1]
	}
	out = append(out, w.cls)
	for i, id := range ids {
		if id < 0 || id >= int64(w.size) {
			return nil, fmt.Errorf("token %d is %d, the vocabulary has 0 to %d", i, id, w.size-1)
		}
		if len(out) < w.opt.MaxTokens-1 {
			out = append(out, int32(id))
		}
	}
	return append(out, w.sep), nil
}

// asciiSpace marks where a text may be cut before it is normalised: nothing combines across these. So a long text is
// read no further than its first MaxTokens.
func asciiSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' }

// nextSpecial finds the first name of a special token in text; without one it returns len(text) and "".
func (w *WordPiece) nextSpecial(text string) (at int, name string) {
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '[')
		if i < 0 {
			return len(text), ""
		}
		at = from + i
		for _, name := range w.special {
			if strings.HasPrefix(text[at:], name) {
				return at, name
			}
		}
		from = at + 1
	}
}

// ordinary appends the ids of a text without special tokens until ids has room entries.
func (w *WordPiece) ordinary(ids []int32, text string, room int) []int32 {
	text = normalize(text, w.opt.Lowercase)
	for i := 0; i < len(text) && len(ids) < room; {
		if text[i] == ' ' {
			i++
			continue
		}
		n := wordLength(text[i:])
		ids = w.word(ids, text[i:i+n])
		i += n
	}
	return ids[:min(len(ids), room)]
}

// wordLength returns the bytes of the word that text starts with: one punctuation mark, or all up to the next space or
// mark.
func wordLength(text string) int {
	for i, r := range text {
		switch {
		case isPunct(r) && i == 0:
			return utf8.RuneLen(r)
		case isPunct(r) || r == ' ':
			return i
		}
	}
	return len(text)
}

// word appends the ids of the longest entries, from the left, that make up word; [UNK] alone where there are none.
func (w *WordPiece) word(ids []int32, word string) []int32 {
	if len(word) > maxWord && utf8.RuneCountInString(word) > maxWord {
		return append(ids, w.unk)
	}
	from := len(ids)
	entries := w.ids
	for rest := word; len(rest) > 0; entries = w.pieces {
		n, id := w.longestPrefix(entries, rest)
		if n == 0 {
			return append(ids[:from], w.unk)
		}
		ids = append(ids, id)
		rest = rest[n:]
	}
	return ids
}

func (w *WordPiece) longestPrefix(entries map[string]int32, s string) (n int, id int32) {
	for n = min(len(s), w.longest); n > 0; n-- {
		if n < len(s) && !utf8.RuneStart(s[n]) {
			continue
		}
		if id, ok := entries[s[:n]]; ok {
			return n, id
		}
	}
	return 0, 0
}
