package catalog

import (
	"cmp"
	"io/fs"
	"slices"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// Load reads the resources in the top folder of files and builds the catalog.
func Load(files fs.FS) (*Catalog, []Problem) {
	documents, err := file.Read(files)
	if err != nil {
		return nil, []Problem{{Message: err.Error()}}
	}
	return Build(source.Set{Documents: documents})
}

// Build checks a set from scratch and builds the catalog. It returns all problems
// that it can tell apart from their consequences, sorted, and then no catalog.
func Build(set source.Set) (*Catalog, []Problem) {
	c := &checker{origins: make(map[string]origin)}
	all := c.read(set.Documents)
	built := c.build(all)
	if len(c.problems) == 0 {
		c.policies(all, built)
	}
	if len(c.problems) > 0 {
		strictyaml.Sort(c.problems)
		return nil, c.problems
	}
	return built, nil
}

func (c *checker) build(all *resources) *Catalog {
	built := &Catalog{}
	built.TrustDomain = c.trustDomain(all)
	built.Models = c.models(all)
	built.Gateways = c.gateways(all)
	built.Limits = c.limits(all)
	built.Redactions = c.redactions(all)
	slices.SortFunc(built.Models, func(a, b *Model) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(built.Gateways, func(a, b *Gateway) int { return cmp.Compare(a.Name, b.Name) })
	return built
}
