package spec

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// Bounds of decision trees.
const (
	MaxAttributes     = 32 // of all trees: what a stream remembers of a request
	MaxTrees          = 1024
	MaxTreeNodes      = 256 // of one tree: no request takes more steps
	MaxTreeLeaves     = 128
	MaxTreeTexts      = 256
	MaxAttributeBytes = 128       // names of attributes
	MaxModulus        = 1_000_000 // of hash(user) % N
	MaxTreeNumber     = 1 << 62   // of ranges; a negative one as far below 0
)

// Attribute is something of a request that trees look at.
type Attribute struct {
	Source AttributeSource
	Name   string // empty for tenant, user and peer
}

// AttributeSource is where an attribute stands.
type AttributeSource uint8

// Sources of attributes.
const (
	FromHeader   AttributeSource = iota // the request header Name, in lower case
	FromQuery                           // the query parameter Name
	FromBaggage                         // the member Name of the header baggage (W3C Baggage)
	FromColour                          // header x-Name, else query parameter Name, else member Name of baggage
	FromMetadata                        // the member Name of the body's top-level object metadata
	FromClaim                           // the claim at the path Name of the token that Envoy verified (see ClaimPath)
	FromTenant
	FromUser
	FromPeer // SPIFFE ID of the downstream peer
)

// Tree decides which version of a model a request gets. It is a graph of tests in
// which every step goes forward, so every walk ends.
type Tree struct {
	Model  string // canonical name
	Sticky int    // index of the header that stands in for a user, -1: none
	Texts  []string
	Leaves []TreeLeaf // at least one; without nodes the first is the decision
	Nodes  []TreeNode // the walk begins with the first
}

// TreeLeaf is a decision.
type TreeLeaf struct {
	Version int // index in the model's versions, -1: the route's split decides
	Name    int // index of the text that names it, for records
}

// TreeNode is a test and where to go on: to a node behind it, by index, or with
// -1-i to leaf i.
type TreeNode struct {
	Test      TreeTest
	Attribute uint8  // index in Document.Attributes
	Text      uint16 // of equal and prefix; of slot the salt
	Modulus   int32  // of slot and modulo; of minute and weekday minutes east of UTC
	Low, High int64  // of the tests of numbers: in between, both included
	Yes, No   int16
}

// TreeTest is the kind of a test.
type TreeTest uint8

// Tests. All but has say no to an attribute that is absent.
const (
	TestHas     TreeTest = iota // the attribute is there
	TestEqual                   // it is the text
	TestPrefix                  // it begins with the text
	TestInteger                 // it is a decimal whole number in the range
	TestModulo                  // it is one whose remainder is in the range
	TestSlot                    // murmur3_32(salt + value) * Modulus >> 32 is in the range
	TestSecond                  // Unix seconds
	TestMinute                  // minutes since midnight
	TestWeekday                 // 0 is Sunday
)

// treeNumbers is how many numbers a node has in a document, leafNumbers a leaf.
const (
	treeNumbers = 8
	leafNumbers = 2
)

var attributeNames = []string{"header", "query", "baggage", "colour", "metadata", "claim", "tenant", "user", "peer"}

// String returns header, query, baggage, colour, metadata, claim, tenant, user or peer.
func (s AttributeSource) String() string { return nameOf(attributeNames, s) }

// Compare orders attributes as they stand in a document: by source, then by name.
func (a Attribute) Compare(b Attribute) int {
	switch {
	case a.Source != b.Source:
		return int(a.Source) - int(b.Source)
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

func (w *writer) attribute(a *Attribute) {
	text := a.Source.String()
	if a.Name != "" {
		text += " " + a.Name
	}
	w.out = jsonscan.AppendString(w.out, text)
}

func (w *writer) number(n int64) {
	w.next()
	w.out = jsonscan.AppendInt(w.out, n)
}

// tree writes a list: model, sticky, texts, leaves and nodes, the last two as one
// list of numbers each.
func (w *writer) tree(t *Tree) {
	w.begin('[')
	w.next()
	w.out = jsonscan.AppendString(w.out, t.Model)
	w.number(int64(t.Sticky))
	w.next()
	w.begin('[')
	for _, text := range t.Texts {
		w.next()
		w.out = jsonscan.AppendString(w.out, text)
	}
	w.end(']')
	w.next()
	w.begin('[')
	for _, l := range t.Leaves {
		w.number(int64(l.Version))
		w.number(int64(l.Name))
	}
	w.end(']')
	w.next()
	w.begin('[')
	for i := range t.Nodes {
		for _, n := range t.Nodes[i].Numbers() {
			w.number(n)
		}
	}
	w.end(']')
	w.end(']')
}

// Numbers returns all of the node as a document has it.
func (n *TreeNode) Numbers() [treeNumbers]int64 {
	return [treeNumbers]int64{
		int64(n.Test), int64(n.Attribute), int64(n.Text), int64(n.Modulus), n.Low, n.High, int64(n.Yes), int64(n.No),
	}
}

func (r *reader) attribute(a *Attribute) {
	text := r.string()
	if r.err != nil {
		return
	}
	source, name := text, ""
	for i := range len(text) {
		if text[i] == ' ' {
			source, name = text[:i], text[i+1:]
			break
		}
	}
	s, err := valueOf[AttributeSource](attributeNames, source)
	if e, ok := err.(*Error); ok {
		r.fail(e.Problem)
	}
	*a = Attribute{s, name}
}

func (r *reader) tree(t *Tree) {
	const parts = 5
	if n := r.list(parts); n != parts {
		r.fail("must be a list of a model, a sticky header, texts, leaves and nodes")
		return
	}
	t.Model = r.string()
	r.comma()
	t.Sticky = r.size()
	r.comma()
	t.Texts = r.strings(MaxTreeTexts)
	r.comma()
	t.Leaves = make([]TreeLeaf, r.rows(MaxTreeLeaves, leafNumbers))
	for i := range t.Leaves {
		t.Leaves[i] = TreeLeaf{int(r.ranged(-1, MaxVersions)), int(r.ranged(0, MaxTreeTexts))}
	}
	r.close()
	r.comma()
	if n := r.rows(MaxTreeNodes, treeNumbers); n > 0 {
		t.Nodes = make([]TreeNode, n)
	}
	for i := range t.Nodes {
		r.node(&t.Nodes[i])
	}
	r.close()
	r.close()
}

func (r *reader) node(n *TreeNode) {
	n.Test = TreeTest(r.ranged(0, int64(TestWeekday)))
	n.Attribute = uint8(r.ranged(0, MaxAttributes))
	n.Text = uint16(r.ranged(0, MaxTreeTexts))
	n.Modulus = int32(r.ranged(-MaxModulus, MaxModulus))
	n.Low, n.High = r.ranged(-MaxTreeNumber, MaxTreeNumber), r.ranged(-MaxTreeNumber, MaxTreeNumber)
	n.Yes, n.No = int16(r.ranged(-MaxTreeLeaves, MaxTreeNodes)), int16(r.ranged(-MaxTreeLeaves, MaxTreeNodes))
}

// rows begins a list of numbers that come in rows of width.
//
//go:noinline
func (r *reader) rows(high, width int) int {
	n := r.list(high * width)
	if n%width != 0 {
		r.fail("does not have " + decimal(int64(width)) + " numbers for each item")
	}
	if r.err != nil {
		return 0
	}
	return n / width
}

// ranged reads a number of such a list.
//
//go:noinline
func (r *reader) ranged(low, high int64) int64 {
	if r.err != nil {
		return 0
	}
	r.comma()
	n := r.integer()
	if n < low || n > high {
		r.fail("must hold numbers from " + decimal(low) + " to " + decimal(high))
	}
	return n
}

// comma goes past a comma if one comes next, close past the end of a list.
//
//go:noinline
func (r *reader) comma() {
	if r.err == nil && r.peek() == ',' {
		r.at++
	}
}

//go:noinline
func (r *reader) close() {
	if r.err == nil {
		r.peek()
		r.at++
	}
}
