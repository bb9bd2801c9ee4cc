package automaton_test

import (
	"os"
	"testing"

	"github.com/weirmesh/weir/filter/policy/automaton"
)

// table makes a table of a head with the given classes and nodes.
func table(class map[byte]uint8, nodes ...byte) []byte {
	b := make([]byte, automaton.HeadBytes+len(nodes))
	copy(b, automaton.Magic)
	for c, k := range class {
		b[8+int(c)] = k
	}
	copy(b[automaton.HeadBytes:], nodes)
	return b
}

func TestSteps(t *testing.T) {
	// The root leads on by a to node 12, which accepts entries 0 and 2, and by b to the
	// node at 9, from where a chain leads there by c.
	b := table(map[byte]uint8{'a': 1, 'b': 2, 'c': 3},
		2, 1, 2, 12, 0, 0, 9, 0, 0, // 0
		1|automaton.Chain, 3, 0xEE, // 9; the chain ends at 11, which is no good node
		automaton.Accepts, 5, 0) // 12
	table, ok := automaton.Load(b)
	if !ok {
		t.Fatal("no table")
	}
	next, accepts, ok := table.Step(table.Root(), 'a')
	if !ok || !accepts || next != 12 || table.Accepted(next) != 5 {
		t.Errorf("a: %d, %v, %v, accepts %b", next, accepts, ok, table.Accepted(next))
	}
	if next, accepts, ok := table.Step(table.Root(), 'b'); !ok || accepts || next != 9 || table.Accepted(next) != 0 {
		t.Errorf("b: %d, %v, %v", next, accepts, ok)
	}
	if next, _, ok := table.Step(9, 'c'); !ok || next != 11 {
		t.Errorf("bc: %d, %v", next, ok)
	}
	for _, c := range []byte("cA\x00\xff") {
		if _, _, ok := table.Step(table.Root(), c); ok {
			t.Errorf("%q is a step", c)
		}
	}
	if _, _, ok := table.Step(12, 'a'); ok {
		t.Error("there is a step behind the last node")
	}
	if table.Accepted(99) != 0 {
		t.Error("a state accepts that is none")
	}
}

func TestNoTable(t *testing.T) {
	good := table(nil, 0)
	wrong := append([]byte("X"), good[1:]...)
	far := append([]byte(nil), good...)
	far[7] = 1
	for name, b := range map[string][]byte{"empty": nil, "short": good[:200], "no node": good[:automaton.HeadBytes], "magic": wrong, "root": far} {
		if _, ok := automaton.Load(b); ok {
			t.Errorf("%s: is a table", name)
		}
	}
}

// FuzzTable walks over any bytes as if they were a table.
func FuzzTable(f *testing.F) {
	f.Add(table(map[byte]uint8{'a': 1}, 1, 1, 0, 0, 0), []byte("aaab"))
	f.Add(table(map[byte]uint8{'a': 1, 'b': 9}, 63, 3, 1, 5, 9, 1, 0, 0, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0xC1, 1, 0, 1, 0xBF), []byte("abba"))
	made, err := os.ReadFile("testdata/custom.table") // by internal/automata of the control plane
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made, []byte("neptune 海王星计划 prj-1234 top secret watched"))
	f.Fuzz(func(t *testing.T, b, text []byte) {
		table, ok := automaton.Load(b)
		if !ok {
			return
		}
		for s, i := table.Root(), 0; i < len(text); i++ {
			next, accepts, ok := table.Step(s, text[i])
			if accepts {
				_ = table.Accepted(next)
			}
			if ok && next >= automaton.MaxBytes {
				t.Fatalf("state %d", next)
			}
			s = next
		}
	})
}
