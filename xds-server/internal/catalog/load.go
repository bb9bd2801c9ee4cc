package catalog

import (
	"context"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Load reads sources once, and builds the catalog as FromUpdate does.
func Load(ctx context.Context, sources ...source.Source) (*Catalog, []Problem) {
	read, err := source.Read(ctx, sources)
	if err != nil {
		return nil, []Problem{{Message: err.Error()}}
	}
	return FromUpdate(read)
}

// FromUpdate builds the catalog of all that sources hold, read once. If a part of
// them cannot be read, that alone is told: nobody knows what else is wrong.
func FromUpdate(read source.Update) (*Catalog, []Problem) {
	if len(read.Problems) == 0 {
		return Build(read.Set)
	}
	var problems []Problem
	for _, p := range read.Problems {
		problems = append(problems, Problem{Message: p.Source + ": " + p.Err.Error()})
	}
	return nil, problems
}

// Build checks a set from scratch and builds the catalog. It returns all problems
// that it can tell apart from their consequences, sorted, and then no catalog.
func Build(set source.Set) (*Catalog, []Problem) {
	result := NewBuilder().Build(set)
	return result.Catalog, result.Problems
}
