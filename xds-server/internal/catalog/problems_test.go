package catalog_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/sourcetest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestProblems reads what is wrong in many ways and compares all that is said
// about it, word for word.
func TestProblems(t *testing.T) {
	inputs, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	goldens := make(map[string]bool)
	for _, input := range inputs {
		golden := strings.TrimSuffix(input, ".yaml") + ".txt"
		goldens[golden] = true
		t.Run(filepath.Base(input), func(t *testing.T) { compareProblems(t, input, golden) })
	}
	written, err := filepath.Glob("testdata/problems/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range written {
		if !goldens[file] {
			t.Errorf("%s belongs to no input", file)
		}
	}
}

func compareProblems(t *testing.T, input, golden string) {
	built, problems := catalog.Build(source.Set{Documents: sourcetest.Documents(t, input)})
	if (built == nil) != (len(problems) > 0) {
		t.Errorf("catalog %v with %d problems", built, len(problems))
	}
	var got strings.Builder
	for _, p := range problems {
		got.WriteString(p.String() + "\n")
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if got.String() != string(want) {
		t.Errorf("problems are\n%swant\n%s", got.String(), want)
	}
}
