package wasmhost

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// largestPolicy is a document of the largest number of models and names and with the
// largest table of words, just under the largest size; round makes each a new one.
func largestPolicy(tb testing.TB, round int) []byte {
	tb.Helper()
	var b strings.Builder
	b.WriteString(`{"limits":[{"key":["model"],"mode":"tokens","name":"all","onFailure":"closed","tokens":` +
		`{"capacity":1000000,"defaultOutput":16,"refillMilli":1000}}],"models":[`)
	for i := range spec.MaxModels {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"aliases":["alias-%05d-of-%d"],"name":"m-%05d","salt":"salt-%04d-%05d","versionHeader":"x-version","versions":["v1","v2"]}`,
			i, round, i, round, i)
	}
	table := make([]byte, spec.MaxAutomatonBytes)
	copy(table, automaton.Magic)
	table[len(table)-1] = byte(round)
	b.WriteString(`],"redactions":[{"automaton":"` + base64.StdEncoding.EncodeToString(table) + `","custom":[{"mode":"tag","name":"WORDS"}],` +
		`"entities":[{"kind":"phone","mode":"mask"}],"name":"phones","onFailure":"closed"}],` +
		`"settings":{"holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`)
	if b.Len() > spec.MaxDocumentBytes || b.Len() < spec.MaxDocumentBytes*15/16 {
		tb.Fatalf("the largest policy has %d bytes", b.Len())
	}
	return []byte(b.String())
}

// maxMemory bounds the filter's memory with policies of the largest size: the one
// that serves, the one before for its last streams, and the one that is compiled.
const maxMemory = 40 << 20

// TestLargestPoliciesStayFlat updates the largest policy again and again, always
// with a stream of the one before still open.
func TestLargestPoliciesStayFlat(t *testing.T) {
	vm := newVM(t, filterModule(t), Options{})
	var open *Stream
	update := func(round int) {
		if err := vm.configure(largestPolicy(t, round)); err != nil { // without the canary VM of Configure
			t.Fatal(err)
		}
		if o := do(t, vm, chat(chatBody(fmt.Sprintf("alias-16383-of-%d", round), 1000))); !o.Forwarded {
			t.Fatalf("update %d: %+v", round, o.Reply)
		}
		if open != nil {
			if err := open.Done(); err != nil {
				t.Fatal(err)
			}
		}
		open = begin(t, vm, chat(chatBody("m-00007", 1000)))
	}
	for round := range 6 {
		update(round)
	}
	before := vm.MemorySize()
	rounds := 40
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		update(6 + round)
	}
	_, heap, after := counters(t, vm)
	if after != before || after > maxMemory {
		t.Errorf("memory went from %d to %d bytes over %d updates, at most %d are allowed", before, after, rounds, maxMemory)
	}
	t.Logf("memory %d bytes, heap %d bytes", after, heap)
}

// begin opens a stream that has sent the half of its body.
func begin(t *testing.T, vm *VM, r Request) *Stream {
	t.Helper()
	s, err := vm.NewStream(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RequestHeaders(r.head(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RequestBody(r.Body[:len(r.Body)/2], false); err != nil {
		t.Fatal(err)
	}
	return s
}

// The time of one update of the largest policy: Envoy's worker waits for it.
func BenchmarkUpdate(b *testing.B) {
	vm := newVM(b, filterModule(b), Options{})
	documents := [][]byte{largestPolicy(b, 1), largestPolicy(b, 2)}
	b.SetBytes(int64(len(documents[0])))
	i := 0
	for b.Loop() {
		if err := vm.configure(documents[i%2]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
