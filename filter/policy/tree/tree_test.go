package tree_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/tree"
)

// request has the same value for everything.
type request struct {
	value []byte
	now   int64
}

func (r *request) Attribute(int, bool) []byte { return r.value }
func (r *request) Now() int64                 { return r.now }

// one is a tree of one test.
func one(n spec.TreeNode, texts ...string) *spec.Tree {
	n.Yes, n.No = -1, -2
	return &spec.Tree{Texts: texts, Leaves: make([]spec.TreeLeaf, 2), Nodes: []spec.TreeNode{n}}
}

func TestTests(t *testing.T) {
	integers := spec.TreeNode{Test: spec.TestInteger, Low: -5, High: 7}
	for _, tt := range []struct {
		node  spec.TreeNode
		value string
		now   int64 // seconds
		want  bool
	}{
		{spec.TreeNode{Test: spec.TestHas}, "x", 0, true},
		{spec.TreeNode{Test: spec.TestHas}, "", 0, false},
		{spec.TreeNode{Test: spec.TestEqual}, "gold", 0, true},
		{spec.TreeNode{Test: spec.TestEqual}, "golden", 0, false},
		{spec.TreeNode{Test: spec.TestEqual}, "gol", 0, false},
		{spec.TreeNode{Test: spec.TestPrefix}, "golden", 0, true},
		{spec.TreeNode{Test: spec.TestPrefix}, "olden", 0, false},
		{integers, "-5", 0, true}, {integers, "-6", 0, false}, {integers, "007", 0, true}, {integers, "8", 0, false},
		{integers, "", 0, false}, {integers, "-", 0, false}, {integers, "+1", 0, false}, {integers, "1.0", 0, false},
		{integers, "1111111111111111111", 0, false}, // 19 digits
		{spec.TreeNode{Test: spec.TestModulo, Modulus: 3, Low: 1, High: 1}, "-2", 0, true},
		{spec.TreeNode{Test: spec.TestModulo, Modulus: 3, Low: 0, High: 0}, "x", 0, false},
		{spec.TreeNode{Test: spec.TestSlot, Modulus: 1, Low: 0, High: 0}, "anybody", 0, true},
		{spec.TreeNode{Test: spec.TestSlot, Modulus: 1, Low: 0, High: 0}, "", 0, false},
		{spec.TreeNode{Test: spec.TestSecond, Low: -1, High: -1}, "", -1, true},
		{spec.TreeNode{Test: spec.TestMinute, Low: 1439, High: 1439}, "", -1, true},
		{spec.TreeNode{Test: spec.TestMinute, Modulus: 480, Low: 480, High: 480}, "", 59, true},
		{spec.TreeNode{Test: spec.TestWeekday, Low: 4, High: 4}, "", 86_399, true}, // 1 January 1970 was a Thursday
		{spec.TreeNode{Test: spec.TestWeekday, Low: 3, High: 3}, "", -1, true},
		{spec.TreeNode{Test: spec.TestWeekday, Modulus: -1, Low: 3, High: 3}, "", 59, true},
	} {
		var path tree.Path
		leaf := tree.Walk(one(tt.node, "gold"), &request{[]byte(tt.value), tt.now * 1e9}, &path)
		if (leaf == 0) != tt.want || path.Len() != 1 || path.Yes(0) != tt.want {
			t.Errorf("%+v of %q at %d: leaf %d, want %v", tt.node, tt.value, tt.now, leaf, tt.want)
		}
	}
}

// Every walk through a tree that the validator takes ends at one of its leaves.
func FuzzWalk(f *testing.F) {
	f.Add(uint64(1), []byte("gold"), int64(1_700_000_000_000_000_000))
	f.Add(uint64(7), []byte("-9"), int64(-1))
	f.Fuzz(func(t *testing.T, seed uint64, value []byte, now int64) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := document(random)
		if err := spec.Validate(d); err != nil {
			t.Skip(err)
		}
		parsed, err := spec.Parse(spec.Encode(d))
		if err != nil {
			t.Fatal(err)
		}
		var path tree.Path
		made := &parsed.Trees[0]
		if leaf := tree.Walk(made, &request{value, now}, &path); leaf < 0 || leaf >= len(made.Leaves) || path.Len() > len(made.Nodes) {
			t.Errorf("leaf %d after %d tests", leaf, path.Len())
		}
	})
}

// document has a tree of tests at random, some of them out of bounds.
func document(random *rand.Rand) *spec.Document {
	made := spec.Tree{Model: "m", Sticky: -1, Texts: []string{"gold", "salt"}, Leaves: make([]spec.TreeLeaf, 1+random.IntN(spec.MaxTreeLeaves))}
	n := random.IntN(spec.MaxTreeNodes + 1)
	to := func(i int) int16 {
		if i+1 < n && random.IntN(4) > 0 {
			return int16(i + 1 + random.IntN(min(4, n-i-1)))
		}
		return int16(-1 - random.IntN(len(made.Leaves)))
	}
	for i := range n {
		low := random.Int64N(2000) - 1000
		made.Nodes = append(made.Nodes, spec.TreeNode{
			Test: spec.TreeTest(random.IntN(9)), Text: uint16(random.IntN(2)), Modulus: 1 + random.Int32N(1439),
			Low: low, High: low + random.Int64N(1000), Yes: to(i), No: to(i),
		})
	}
	if random.IntN(8) == 0 && n > 0 {
		made.Nodes[random.IntN(n)].Yes = int16(random.IntN(n))
	}
	return &spec.Document{
		Version: spec.Version, Settings: spec.Settings{HoldLimit: 1, WorkerHoldLimit: 1, MaxDepth: 1},
		Models: []spec.Model{{Name: "m"}}, Attributes: []spec.Attribute{{Source: spec.FromUser}},
		Trees: []spec.Tree{made},
	}
}

func BenchmarkWalk(b *testing.B) {
	made := &spec.Tree{Texts: []string{"gold", "salt"}, Leaves: make([]spec.TreeLeaf, 1)}
	for i := range 16 {
		made.Nodes = append(made.Nodes, spec.TreeNode{Test: spec.TestEqual + spec.TreeTest(i%2)*4, Modulus: 100, High: -1, Low: -1, Yes: int16(i + 1), No: int16(i + 1)})
	}
	made.Nodes[15].Yes, made.Nodes[15].No = -1, -1
	r := &request{value: []byte("user-0123456789")}
	var path tree.Path
	for b.Loop() {
		tree.Walk(made, r, &path)
	}
}
