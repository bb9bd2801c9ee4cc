package automata

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// graph is a nondeterministic automaton over bytes, without cycles. Node 0 is its root.
type graph struct {
	nodes []node
	// tries hold, for words in any case and for those in one, the nodes of characters.
	tries [2]map[branch]int32
}

// node is what may follow a text: edges, nodes that stand for it as well, and the entries
// that match here.
type node struct {
	edges   []edge
	same    []int32
	accepts uint16
}

// edge leads on by bytes lo to hi.
type edge struct {
	lo, hi byte
	to     int32
}

// branch is a character behind a node of a trie.
type branch struct {
	from int32
	char rune
}

var errNodes = errors.New("needs too many nodes")

func newGraph() *graph {
	g := &graph{}
	for i := range g.tries {
		g.tries[i] = make(map[branch]int32)
	}
	g.add() // the root
	return g
}

func (g *graph) add() int32 {
	g.nodes = append(g.nodes, node{})
	return int32(len(g.nodes) - 1)
}

func (g *graph) link(from int32, lo, hi byte, to int32) {
	g.nodes[from].edges = append(g.nodes[from].edges, edge{lo, hi, to})
}

// addWords adds the words of an entry.
func (g *graph) addWords(i int, e Entry) error {
	for k, word := range e.Words {
		field := fmt.Sprintf("words[%d]", k)
		chars, problem := foldWord(word)
		if problem != "" {
			return &Error{i, field, problem, "write what stands in texts"}
		}
		g.nodes[g.word(chars, e.CaseSensitive)].accepts |= 1 << i
		if len(g.nodes) > maxNodes {
			return &Error{i, field, errNodes.Error(), "leave words out"}
		}
	}
	return nil
}

// CheckWord says what is wrong with a word; nothing if it can be looked for.
func CheckWord(word string) (problem string) {
	_, problem = foldWord(word)
	return problem
}

// foldWord folds a word and says what is wrong with it.
func foldWord(word string) (chars []rune, problem string) {
	chars = fold(word)
	switch {
	case !utf8.ValidString(word):
		return nil, fmt.Sprintf("%q is no UTF-8", word)
	case len(chars) == 0 || chars[0] == ' ' || chars[len(chars)-1] == ' ':
		return nil, fmt.Sprintf("%q is empty, or begins or ends with a space", word)
	case len(chars) > MaxChars:
		return nil, fmt.Sprintf("%q has more than %d characters", word, MaxChars)
	}
	for _, c := range chars {
		if unicode.IsControl(c) {
			return nil, fmt.Sprintf("%q has a control character", word)
		}
	}
	return chars, ""
}

// word returns the node of a word in its trie.
func (g *graph) word(chars []rune, sensitive bool) int32 {
	trie := g.tries[0]
	if sensitive {
		trie = g.tries[1]
	}
	at := int32(0)
	for _, c := range chars {
		all := []rune{c}
		if !sensitive {
			all = spellings(c)
		}
		next, known := trie[branch{at, all[0]}]
		if !known {
			next = g.add()
			trie[branch{at, all[0]}] = next
			for _, spelled := range all {
				g.chars(at, next, spelled, spelled)
			}
		}
		at = next
	}
	return at
}

// chars links two nodes by the UTF-8 of the characters lo to hi.
func (g *graph) chars(from, to int32, lo, hi rune) {
	for _, top := range [...]rune{0x7F, 0x7FF, 0xD7FF, 0xFFFF, utf8.MaxRune} {
		if top == 0xFFFF && lo >= 0xD800 && lo <= 0xDFFF {
			lo = 0xE000 // surrogates are no characters
		}
		if lo > hi {
			return
		}
		if lo > top {
			continue
		}
		end := min(hi, top)
		g.sequences(from, to, utf8.AppendRune(nil, lo), utf8.AppendRune(nil, end))
		lo = end + 1
	}
}

// What may follow the first byte of a character.
var (
	least = []byte{0x80, 0x80, 0x80}
	most  = []byte{0xBF, 0xBF, 0xBF}
)

// sequences links two nodes by the sequences of UTF-8 from lo to hi, of one length.
func (g *graph) sequences(from, to int32, lo, hi []byte) {
	if len(lo) == 1 {
		g.link(from, lo[0], hi[0], to)
		return
	}
	if lo[0] == hi[0] {
		g.tail(from, to, lo[0], lo[0], lo[1:], hi[1:])
		return
	}
	n, first, last := len(lo)-1, lo[0], hi[0]
	if !bytes.Equal(lo[1:], least[:n]) {
		g.tail(from, to, first, first, lo[1:], most[:n])
		first++
	}
	if !bytes.Equal(hi[1:], most[:n]) {
		g.tail(from, to, last, last, least[:n], hi[1:])
		last--
	}
	if first <= last {
		g.tail(from, to, first, last, least[:n], most[:n])
	}
}

// tail links two nodes by bytes first to last and what follows those.
func (g *graph) tail(from, to int32, first, last byte, lo, hi []byte) {
	between := g.add()
	g.link(from, first, last, between)
	g.sequences(between, to, lo, hi)
}
