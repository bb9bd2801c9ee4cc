package automata_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/automata"
)

var update = flag.Bool("update", false, "write the policy of the golden requests anew")

// TestGoldenPolicy makes the policy with which all hosts of the engine run the golden
// requests about custom entries.
func TestGoldenPolicy(t *testing.T) {
	const path = "../../../filter/policy/policytest/testdata/policies/custom.json"
	table, err := automata.Build([]automata.Entry{
		{Words: []string{"Neptune", "海王星计划"}, Pattern: "PRJ-[0-9]{4}"},
		{Words: []string{"Top Secret"}},
		{Words: []string{"watched"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	document := &spec.Document{
		Version:  spec.Version,
		Settings: spec.Settings{HoldLimit: 1 << 20, WorkerHoldLimit: 1 << 24, MaxDepth: 64},
		Models:   []spec.Model{{Name: "gpt-4", Versions: []string{"v1"}}},
		Redactions: []spec.Redaction{{
			Name: "own", Entities: []spec.Entity{{Kind: spec.EntityPhone}}, Automaton: table,
			Custom: []spec.Custom{
				{Name: "PROJECT", Mode: spec.RedactTag}, {Name: "SECRET", Mode: spec.RedactBlock}, {Name: "WATCHED", Mode: spec.RedactDetect},
			},
		}},
	}
	if err := spec.Validate(document); err != nil {
		t.Fatal(err)
	}
	compare(t, path, append(spec.Encode(document), '\n'))
	// What package automaton begins with when it walks over any bytes.
	compare(t, "../../../filter/policy/automaton/testdata/custom.table", table)
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what is made of its entries (%v); run with -update", path, err)
	}
}
