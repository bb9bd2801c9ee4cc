package redact

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// nowhere takes output and forgets it.
type nowhere struct{}

func (nowhere) Write([]byte) error { return nil }

// mostCalls is how many detectors are asked about a byte of text, at most, on average
// over any text.
const mostCalls = 0.7

// Detectors are asked about as often for each byte of a long text as of a short one,
// whatever stands in it, and not often. What one of them looks at is bounded, so time is
// linear; calls are counted because time on a busy machine is no measure.
func TestLinear(t *testing.T) {
	calls, whole := 0, detectors
	t.Cleanup(func() { detectors = whole })
	for i := range detectors {
		find := whole[i].find
		detectors[i].find = func(w *window, at int) (span, uint8, bool) {
			calls++
			return find(w, at)
		}
	}
	everything := &spec.Redaction{}
	for k := range spec.EntityKinds {
		everything.Entities = append(everything.Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	rules := Compile(everything, spec.DirectionRequest)
	var r Redactor
	var session Session
	count := func(text string) int {
		calls = 0
		r.Reset(rules, &session, nowhere{})
		if err := r.Bytes([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := r.StringEnd(); err != nil {
			t.Fatal(err)
		}
		return calls
	}
	for _, text := range policytest.Texts() {
		short := strings.Repeat(text.Unit, max(8<<10/len(text.Unit), 1))
		a, b := count(short), count(strings.Repeat(short, 4))
		if most := 4*a + a/4 + 64; b > most {
			t.Errorf("%s: %d calls in %d bytes, and %d in four times as many", text.Name, a, len(short), b)
		}
		if perByte := float64(b) / float64(4*len(short)); perByte > mostCalls {
			t.Errorf("%s: %.2f calls for each byte", text.Name, perByte)
		} else if testing.Verbose() {
			t.Logf("%s: %.2f calls for each byte", text.Name, perByte)
		}
	}
}

// Text that is everywhere all but the last letter of a word takes about a step for each
// byte, not one for each letter of the word.
func TestLinearWords(t *testing.T) {
	const letters = 63
	table := append([]byte(automaton.Magic), make([]byte, automaton.HeadBytes-len(automaton.Magic))...)
	table[8+'a'], table[8+'b'] = 1, 2
	for range letters {
		table = append(table, 1|automaton.Chain, 1)
	}
	table = append(table, 1|automaton.Chain, 2, automaton.Accepts, 1, 0)
	rules := Compile(&spec.Redaction{Automaton: table, Custom: []spec.Custom{{Name: "A", PartOfWord: true}}}, spec.DirectionRequest)
	var r Redactor
	r.Reset(rules, &Session{}, nowhere{})
	text := strings.Repeat("a", 1<<20) + strings.Repeat("a", letters) + "b"
	if err := r.Bytes([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := r.StringEnd(); err != nil {
		t.Fatal(err)
	}
	if got := r.counts[spec.EntityCustom]; got != 1 {
		t.Errorf("%d words found", got)
	}
	if most := len(text) / 16; r.custom.steps > most {
		t.Errorf("attempts one by one took %d steps, more than %d, in %d bytes", r.custom.steps, most, len(text))
	}
}
