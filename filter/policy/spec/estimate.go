package spec

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// TextClass is a kind of text that tokenizers treat in a way of its own.
type TextClass uint8

// Text classes. What is counted of each is chosen so that a tokenizer makes about
// the same number of tokens of every one.
const (
	ClassWords    TextClass = iota // runs of ASCII letters
	ClassNumbers                   // ASCII digits, in groups of up to three
	ClassMarks                     // other visible ASCII, in pairs
	ClassSpaces                    // runs of white space, but for the single space before a word
	ClassPieces                    // pieces of four letters beyond the first six of a word
	ClassHan                       // Han characters
	ClassLetters                   // letters of alphabets other than ASCII's
	ClassWide                      // Kana, Hangul, punctuation and symbols above ASCII
	ClassEmoji                     // halves of characters that UTF-16 writes as two
	ClassMessages                  // messages, which a chat template puts marks around
	ClassRequests                  // the request itself: always one
	TextClasses
)

// Estimate says how many tokens of a model one of each class is, in thousandths.
type Estimate [TextClasses]int32

// DefaultEstimate counts for models that have none of their own. It lies above what
// current vocabularies make of most text, so that more is reserved than is needed.
var DefaultEstimate = Estimate{
	ClassWords: 1_000, ClassNumbers: 1_000, ClassMarks: 1_000, ClassSpaces: 1_000, ClassPieces: 1_000,
	ClassHan: 1_100, ClassLetters: 500, ClassWide: 1_000, ClassEmoji: 1_000, ClassMessages: 4_000,
}

// Names of the classes, as YAML resources and records write them.
var classNames = [TextClasses]string{
	"words", "numbers", "marks", "spaces", "pieces", "han", "letters", "wide", "emoji", "messages", "requests",
}

// String returns words, numbers, marks, spaces, pieces, han, letters, wide, emoji,
// messages or requests.
func (c TextClass) String() string { return nameOf(classNames[:], c) }

// estimate reads the thousandths of all classes, in their order.
func (r *reader) estimate() *Estimate {
	e := &Estimate{}
	all := list(r, e[:], len(e), func(r *reader, v *int32) { *v = int32(r.size()) })
	if r.err == nil && len(all) != len(e) {
		r.fail("must have " + decimal(int64(len(e))) + " numbers")
	}
	return e
}

// estimate checks the thousandths of a model.
func (v *validator) estimate(e *Estimate) {
	if e == nil {
		return
	}
	v.in("estimate")
	for i, milli := range e {
		if milli < 0 || milli > MaxClassMilli {
			v.item(i)
			v.fail("must be from 0 to " + decimal(MaxClassMilli))
			v.out()
		}
	}
	v.out()
}

// estimate writes the thousandths, unless they are the default.
func (w *writer) estimate(e *Estimate) {
	if e == nil {
		return
	}
	w.key("estimate")
	w.begin('[')
	for _, milli := range e {
		w.next()
		w.out = jsonscan.AppendInt(w.out, int64(milli))
	}
	w.end(']')
}
