package routetree

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/xds-server/internal/condition"
)

// Step is a test on a request's way through a tree, and its answer.
type Step struct {
	Test string `json:"test"`
	Yes  bool   `json:"yes"`
}

// Steps are the tests on a way, which is what the filter's record has as its path: a
// 1 for each yes and a 0 for each no.
func (t *Tree) Steps(path string) []Step {
	var steps []Step
	t.follow(path, func(n *spec.TreeNode, yes bool) {
		test := t.test(n)
		steps = append(steps, Step{test.String(), yes})
	})
	return steps
}

func (t *Tree) follow(path string, visit func(n *spec.TreeNode, yes bool)) {
	at := 0
	for i := 0; i < len(path) && at >= 0 && at < len(t.Tree.Nodes); i++ {
		n := &t.Tree.Nodes[at]
		yes := path[i] == '1'
		visit(n, yes)
		if at = int(n.No); yes {
			at = int(n.Yes)
		}
	}
}

// test is a node as the test that it was made of.
func (t *Tree) test(n *spec.TreeNode) *condition.Test {
	test := &condition.Test{Kind: n.Test, Modulus: n.Modulus, Low: n.Low, High: n.High}
	if n.Test <= spec.TestSlot {
		test.Attribute = t.Attributes[n.Attribute]
	}
	switch n.Test {
	case spec.TestEqual, spec.TestPrefix, spec.TestSlot:
		test.Text = t.Tree.Texts[n.Text]
	}
	return test
}

// slotsShown is the number of slots in the view of a choice by hash.
const slotsShown = 100

// Slots is a choice by hash: what each of a hundred slots gets.
type Slots struct {
	Of   string // what is hashed, and the salt
	Runs []Run
}

// Run is a range of slots that get the same.
type Run struct {
	From, To int
	Version  string // versions with a stroke between, where the border lies inside a slot; or what comes next
}

// String lists the runs: 0-9 v2, 10-99 v1.
func (s *Slots) String() string {
	var runs []string
	for _, r := range s.Runs {
		at := fmt.Sprint(r.From)
		if r.To > r.From {
			at = fmt.Sprintf("%d-%d", r.From, r.To)
		}
		runs = append(runs, at+" "+r.Version)
	}
	return strings.Join(runs, ", ")
}

// SplitSlots is the view of a split alone.
func SplitSlots(salt string, pick func(bucket uint16) string) *Slots {
	return view("user", salt, func(hash uint32) string { return pick(uint16(split.Slot(hash, split.Buckets))) })
}

// Slots finds the last choice by hash on a way; nil if there was none. Versions are
// those of the model; salt is the split's, and pick says what the split gives to a
// bucket that the tree leaves to it.
func (t *Tree) Slots(path string, versions []string, salt string, pick func(bucket uint16) string) *Slots {
	start, last := -1, spec.TreeNode{}
	at, previous := 0, false
	t.follow(path, func(n *spec.TreeNode, yes bool) {
		isSlot := n.Test == spec.TestSlot
		if isSlot && (!previous || n.Text != last.Text || n.Attribute != last.Attribute) {
			start = at
		}
		if isSlot {
			last = *n
		}
		previous = isSlot
		if at = int(n.No); yes {
			at = int(n.Yes)
		}
	})
	if start < 0 {
		return nil
	}
	own := t.Tree.Texts[last.Text]
	return view(t.place(&last), own, func(hash uint32) string {
		to := start
		for to >= 0 {
			n := &t.Tree.Nodes[to]
			if n.Test != spec.TestSlot || n.Text != last.Text || n.Attribute != last.Attribute {
				return "(goes on)"
			}
			slot := int64(split.Slot(hash, uint32(n.Modulus)))
			if to = int(n.No); n.Low <= slot && slot <= n.High {
				to = int(n.Yes)
			}
		}
		switch version := t.Tree.Leaves[-1-to].Version; {
		case version >= 0:
			return versions[version]
		case own == salt:
			return pick(uint16(split.Slot(hash, split.Buckets)))
		}
		return "(the split)"
	})
}

func (t *Tree) place(n *spec.TreeNode) string {
	a := t.Attributes[n.Attribute]
	if a.Name == "" {
		return a.Source.String()
	}
	return fmt.Sprintf("%s(%q)", a.Source, a.Name)
}

// view asks at both ends of each slot.
func view(of, salt string, get func(hash uint32) string) *Slots {
	s := &Slots{Of: fmt.Sprintf("%s, salt %q", of, salt)}
	for i := range slotsShown {
		low, high := uint64(i)<<32/slotsShown, uint64(i+1)<<32/slotsShown
		version := get(uint32(low + 1))
		if end := get(uint32(high - 1)); end != version {
			version += "/" + end
		}
		if n := len(s.Runs); n > 0 && s.Runs[n-1].Version == version {
			s.Runs[n-1].To = i
			continue
		}
		s.Runs = append(s.Runs, Run{i, i, version})
	}
	return s
}
