package spec

import (
	"os"
	"regexp"
	"testing"
)

// Every field that a document can have is known: otherwise a
// second one would not be noticed.
func TestFieldsAreKnown(t *testing.T) {
	document, err := os.ReadFile("testdata/document.json")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllSubmatch(document, -1) {
		used[string(m[1])] = true
		if known(m[1]) < 0 {
			t.Errorf("%s is not known", m[1])
		}
	}
	if len(used) != len(fields) {
		t.Errorf("%d fields are known, the document has %d", len(fields), len(used))
	}
}
