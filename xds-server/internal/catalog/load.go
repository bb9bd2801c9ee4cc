package catalog

import (
	"io/fs"

	"github.com/weirmesh/weir/xds-server/internal/source"
	folder "github.com/weirmesh/weir/xds-server/internal/source/file"
)

// Load reads the resources in the top folder of files and builds the catalog.
func Load(files fs.FS) (*Catalog, []Problem) {
	documents, err := folder.Read(files)
	if err != nil {
		return nil, []Problem{{Message: err.Error()}}
	}
	return Build(source.Set{Documents: documents})
}

// Build checks a set from scratch and builds the catalog. It returns all problems
// that it can tell apart from their consequences, sorted, and then no catalog.
func Build(set source.Set) (*Catalog, []Problem) {
	result := NewBuilder().Build(set)
	return result.Catalog, result.Problems
}
