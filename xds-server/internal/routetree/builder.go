// Package routetree compiles the rules and the policy of a ModelRoute to the
// decision tree that the filter walks, and finds what in them can never decide.
package routetree

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/condition"
)

// Target is where a walk goes on: to a node or to a leaf.
type Target struct {
	leaf bool
	at   int
}

// node is a test and where it leads. Nodes are made from the last to the first, so
// both lead to lower numbers.
type node struct {
	test    condition.Test
	yes, no Target
}

// leaf is a decision, and the field that says so.
type leaf struct {
	version string // empty: the split
	name    string
	field   string
}

// Report takes a problem of a field, and how to mend it.
type Report func(field, message, hint string)

// Builder makes one tree. Strategies add to it.
type Builder struct {
	report   Report
	versions []string
	salt     string

	nodes  []node
	leaves []leaf
	next   Target // where what is being built goes on

	field string // of the strategy that is being built
	name  string // of its step
	names map[string]bool
}

// problem reports a problem at a field below that of the strategy.
func (b *Builder) problem(field, message, hint string) { b.report(join(b.field, field), message, hint) }

func join(field, inside string) string {
	if field == "" || inside == "" {
		return field + inside
	}
	return field + "." + inside
}

// Leaf is a decision for a version, said at a field below that of the strategy.
func (b *Builder) Leaf(field, version string) Target {
	l := leaf{version, b.name, join(b.field, field)}
	i := slices.IndexFunc(b.leaves, func(o leaf) bool { return o.version == l.version && o.name == l.name && o.field == l.field })
	if i < 0 {
		i = len(b.leaves)
		b.leaves = append(b.leaves, l)
	}
	return Target{leaf: true, at: i}
}

// Next is where a request goes on that the strategy does not decide.
func (b *Builder) Next() Target { return b.next }

// If tests a condition.
func (b *Builder) If(x condition.Expr, yes, no Target) Target {
	switch x := x.(type) {
	case condition.Constant:
		if x {
			return yes
		}
		return no
	case *condition.Not:
		return b.If(x.X, no, yes)
	case *condition.And:
		return b.If(x.X, b.If(x.Y, yes, no), no)
	case *condition.Or:
		return b.If(x.X, yes, b.If(x.Y, yes, no))
	case *condition.Test:
		return b.test(node{*x, yes, no})
	}
	return no
}

func (b *Builder) test(n node) Target {
	if n.yes == n.no {
		return n.yes
	}
	i := slices.Index(b.nodes, n)
	if i < 0 {
		i = len(b.nodes)
		b.nodes = append(b.nodes, n)
	}
	return Target{at: i}
}

// condition reads the condition of a field of the route.
func (b *Builder) condition(field, source string) (condition.Expr, bool) {
	x, err := condition.Parse(source, b.salt)
	if err != nil {
		b.report(field, err.Error(), "")
		return condition.Constant(false), false
	}
	return x, true
}

// Tree is a compiled tree. Its attributes are numbered as in Attributes.
type Tree struct {
	Attributes []spec.Attribute // sorted
	Tree       spec.Tree        // without the model's name
	Total      bool             // it decides every request
}

// finish makes the tree that begins at entry.
func (b *Builder) finish(entry Target, sticky string) *Tree {
	t := &Tree{}
	order := b.reachable(entry)
	for _, i := range order {
		if n := b.nodes[i]; n.test.Kind <= spec.TestSlot {
			t.Attributes = append(t.Attributes, n.test.Attribute)
		}
	}
	if sticky != "" {
		t.Attributes = append(t.Attributes, spec.Attribute{Source: spec.FromHeader, Name: sticky})
	}
	slices.SortFunc(t.Attributes, spec.Attribute.Compare)
	t.Attributes = slices.Compact(t.Attributes)
	t.Tree.Sticky = -1
	if sticky != "" {
		t.Tree.Sticky = slices.Index(t.Attributes, spec.Attribute{Source: spec.FromHeader, Name: sticky})
	}
	b.emit(t, order, entry)
	return t
}

// reachable are the nodes that links lead to from the entry, from the first to the
// last.
func (b *Builder) reachable(entry Target) []int {
	wanted := make([]bool, len(b.nodes))
	var order []int
	for i := len(b.nodes) - 1; i >= 0; i-- {
		if entry != (Target{at: i}) && !wanted[i] {
			continue
		}
		order = append(order, i)
		for _, to := range []Target{b.nodes[i].yes, b.nodes[i].no} {
			if !to.leaf {
				wanted[to.at] = true
			}
		}
	}
	return order
}

// emit writes the nodes in their order and the leaves behind them, the entry's
// first.
func (b *Builder) emit(t *Tree, order []int, entry Target) {
	texts := textTable{}
	leaves := make(map[int]int)
	target := func(to Target) int16 {
		if !to.leaf {
			return int16(slices.Index(order, to.at))
		}
		at, known := leaves[to.at]
		if !known {
			l := b.leaves[to.at]
			at = len(t.Tree.Leaves)
			leaves[to.at] = at
			t.Tree.Leaves = append(t.Tree.Leaves, spec.TreeLeaf{Version: slices.Index(b.versions, l.version), Name: texts.add(l.name)})
		}
		return int16(-1 - at)
	}
	if entry.leaf {
		target(entry)
	}
	for _, i := range order {
		n := &b.nodes[i]
		made := spec.TreeNode{
			Test: n.test.Kind, Modulus: n.test.Modulus, Low: n.test.Low, High: n.test.High, Yes: target(n.yes), No: target(n.no),
		}
		if n.test.Kind <= spec.TestSlot {
			made.Attribute = uint8(slices.Index(t.Attributes, n.test.Attribute))
		}
		switch n.test.Kind {
		case spec.TestEqual, spec.TestPrefix, spec.TestSlot:
			made.Text = uint16(texts.add(n.test.Text))
		}
		t.Tree.Nodes = append(t.Tree.Nodes, made)
	}
	t.Tree.Texts = texts.all
}

// textTable holds each text once.
type textTable struct{ all []string }

func (t *textTable) add(text string) int {
	i := slices.Index(t.all, text)
	if i < 0 {
		i = len(t.all)
		t.all = append(t.all, text)
	}
	return i
}

// tooLarge reports a tree that the filter would refuse.
func (b *Builder) tooLarge(t *Tree, field string) bool {
	for _, bound := range []struct {
		n, high int
		what    string
	}{
		{len(t.Tree.Nodes), spec.MaxTreeNodes, "tests"},
		{len(t.Tree.Leaves), spec.MaxTreeLeaves, "decisions"},
		{len(t.Tree.Texts), spec.MaxTreeTexts, "texts"},
		{len(t.Attributes), spec.MaxAttributes, "headers, parameters and fields"},
	} {
		if bound.n > bound.high {
			b.report(field, fmt.Sprintf("the tree has %d %s, more than the filter's limit of %d", bound.n, bound.what, bound.high), "")
			return true
		}
	}
	return false
}

// Over is the tree of a model with its attributes numbered as in a list that holds
// all of them.
func (t *Tree) Over(model string, attributes []spec.Attribute) spec.Tree {
	at := func(i int) int { return slices.Index(attributes, t.Attributes[i]) }
	made := t.Tree
	made.Model, made.Nodes = model, slices.Clone(t.Tree.Nodes)
	for i := range made.Nodes {
		if made.Nodes[i].Test <= spec.TestSlot {
			made.Nodes[i].Attribute = uint8(at(int(made.Nodes[i].Attribute)))
		}
	}
	if made.Sticky >= 0 {
		made.Sticky = at(made.Sticky)
	}
	return made
}
