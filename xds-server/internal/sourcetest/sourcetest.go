// Package sourcetest reads a test's resources as a source would tell of them.
package sourcetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Documents are the resources of the YAML file at path, and the lists of words beside it whose
// names begin with the file's and a hyphen. A file that cannot be read ends the test.
func Documents(t *testing.T, path string) []source.Document {
	t.Helper()
	lists, err := filepath.Glob(strings.TrimSuffix(path, ".yaml") + "-*" + source.ListExtension)
	if err != nil {
		t.Fatal(err)
	}
	var documents []source.Document
	for _, p := range append([]string{path}, lists...) {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, source.Document{Name: filepath.Base(p), Data: data})
	}
	return documents
}
