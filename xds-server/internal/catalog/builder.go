package catalog

import (
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Result is what a Builder made of a set of documents.
type Result struct {
	// Catalog is what is to be in force. Nil: the set has problems, and there is
	// no earlier catalog to fall back to.
	Catalog *Catalog
	// Problems are everything that is wrong with the set, sorted; the catalog has
	// none of it.
	Problems []Problem
	// Held are the resources that are not in force as they are written, sorted by
	// Resource.
	Held []HeldResource
	// Documents are what the catalog was made of: built anew, they give the same
	// catalog without problems. They are the set's own if nothing is held.
	Documents []source.Document
}

// HeldResource is a resource whose newest version is not in force.
type HeldResource struct {
	// Resource is "Kind/name".
	Resource string
	// Origin is where the version in force was written, "document:line". Empty:
	// there never was a good one, so the resource is not there.
	Origin string
	// Because is what is wrong with the newest version, or with what it needs.
	Because []Problem
}

// Builder makes one catalog after the other, at the price of what changed: what
// did not is the same pointer in the next catalog. It is not safe for
// concurrent use.
type Builder struct {
	good      *Catalog
	documents []source.Document
}

// NewBuilder returns a builder that has no catalog to fall back to.
func NewBuilder() *Builder { return &Builder{} }

// Build makes a catalog of a set. A resource that has a problem, or that others
// in force need, stays at the version that was in force before; a new one is
// left out until it is right. The first set must be without problems.
func (b *Builder) Build(set source.Set) Result {
	built, problems := Build(set)
	if len(problems) == 0 {
		b.good, b.documents = built, set.Documents
	}
	return Result{Catalog: b.good, Problems: problems, Documents: b.documents}
}
