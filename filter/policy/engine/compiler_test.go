package engine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// listed is a program, and the automata that its document was given.
type listed struct {
	program *engine.Program
	tables  [][]byte
}

func (l *listed) check(t *testing.T, memory map[*byte]bool) {
	t.Helper()
	for i := range l.program.Document().Redactions {
		got := l.program.Document().Redactions[i].Automaton
		if !bytes.Equal(got, l.tables[i]) {
			t.Fatalf("the automaton of redaction %d is another", i)
		}
		if memory != nil && len(got) > 0 {
			memory[unsafe.SliceData(got)] = true
		}
	}
}

// randomTable returns an automaton of n bytes, of which seed says which.
func randomTable(seed uint64, n int) []byte {
	b := append([]byte(automaton.Magic), make([]byte, n-len(automaton.Magic))...)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := automaton.HeadBytes; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}

// Policies come and go in any order, with automata that are new, or another policy's:
// each has its own as long as it is in use, and there is no more memory than was in use
// at one time, and some.
func TestTablesAreUsedAgain(t *testing.T) {
	const programs, tables = 3, 3
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var c engine.Compiler
		var live []*listed
		memory := map[*byte]bool{}
		for range 60 {
			if len(live) == programs {
				i := r.IntN(len(live) - 1) // the last one serves
				c.Retire(live[i].program)
				live = slices.Delete(live, i, i+1)
			}
			var prev *engine.Program
			if len(live) > 0 {
				prev = live[len(live)-1].program
			}
			l := drawListed(t, r, &c, prev, tables)
			live = append(live, l)
			for _, l := range live {
				l.check(t, memory)
			}
		}
		// What is free besides is at most what the programs before had.
		if most := 2 * programs * tables; len(memory) > most {
			t.Errorf("seed %d: %d pieces of memory, at most %d are needed", seed, len(memory), most)
		}
	}
}

// drawListed compiles a policy of up to n redactions with automata.
func drawListed(t *testing.T, r *rand.Rand, c *engine.Compiler, prev *engine.Program, n int) *listed {
	t.Helper()
	d := spec.Document{Version: spec.Version, Settings: spec.Settings{MaxDepth: 64, HoldLimit: 1 << 20, WorkerHoldLimit: 1 << 24}}
	l := &listed{}
	for i := range 1 + r.IntN(n) {
		table := randomTable(r.Uint64N(6), 64<<10+8*r.IntN(3)<<10)
		l.tables = append(l.tables, table)
		d.Redactions = append(d.Redactions, spec.Redaction{Name: fmt.Sprint("r", i), Custom: []spec.Custom{{Name: "WORD", Mode: spec.RedactTag}}, Automaton: table})
	}
	p, err := c.Compile(spec.Encode(&d), prev)
	if err != nil {
		t.Fatal(err)
	}
	l.program = p
	return l
}
