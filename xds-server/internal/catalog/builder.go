package catalog

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// Result is what a Builder made of a set of documents.
type Result struct {
	// Catalog is what is to be in force; the same as before if nothing changed.
	// Nil: the set has problems, and there is no earlier catalog to fall back to.
	Catalog *Catalog
	// Problems are everything that is wrong with the set, sorted; the catalog has
	// none of it.
	Problems []Problem
	// Held are the resources that are not in force as they are written, sorted by
	// Resource.
	Held []HeldResource
	// Documents are what the catalog was made of: built anew, with the same
	// certificates, they give the same catalog without problems. They are the
	// set's own if nothing is held.
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
	written *written
	world   *world // what is in force
	current *Catalog
	// documents are those of the last result.
	documents []source.Document
	// diverged are the resources that are not in force as they are written.
	diverged map[key]bool

	// While a set is built:
	before  map[key]*unit     // what was in force of the resources that were touched
	because map[key][]Problem // why a touched one was put back
}

// NewBuilder returns a builder that has no catalog to fall back to.
func NewBuilder() *Builder {
	return &Builder{written: newWritten(), world: newWorld(), diverged: make(map[key]bool)}
}

// Build makes a catalog of a set. A resource that has a problem, or that others
// in force need, stays at the version that was in force before; a new one is
// left out until it is right, and with a new policy the new models that it is
// about. The first set must be without problems.
func (b *Builder) Build(set source.Set) Result {
	b.before, b.because = make(map[key]*unit), make(map[key][]Problem)
	defer b.world.release()
	b.world.tables.turn()
	changed := b.written.read(set)
	maps.Copy(changed, b.diverged)
	for k := range changed {
		b.put(k, b.written.first(k))
	}
	built, problems := b.asWritten()
	switch {
	case len(problems) == 0:
		b.accept(built, changed)
	case b.current == nil:
		b.revertAll()
		b.diverged = changed
		return Result{Problems: problems}
	default:
		b.accept(b.fallBack(), changed)
	}
	b.documents = b.inForce(set.Documents)
	return Result{Catalog: b.current, Problems: problems, Held: b.held(), Documents: b.documents}
}

// put puts a unit in force, for now, and remembers what was before this build.
func (b *Builder) put(k key, u *unit) {
	if _, noted := b.before[k]; !noted {
		b.before[k] = b.world.get(k)
	}
	b.world.set(k, u)
}

// asWritten checks the set as it is written.
func (b *Builder) asWritten() (*Catalog, []Problem) {
	var problems []Problem
	for _, f := range b.written.faulty {
		problems = append(problems, f.problems...)
		for _, u := range f.units {
			problems = append(problems, u.doc.Problems()...)
		}
	}
	for k := range b.written.twice {
		problems = append(problems, b.second(k)...)
	}
	b.world.check(b.current)
	problems = append(problems, b.world.problems(b.world.issues(b.written.incomplete()))...)
	if len(problems) == 0 {
		built := b.world.catalog(b.current)
		issues := b.world.encodePolicies(built, b.current)
		if len(issues) == 0 {
			return built, nil
		}
		problems = append(problems, issues[0].Problem)
	}
	strictyaml.Sort(problems)
	return nil, problems
}

// second are the problems of the definitions of a resource after its first.
func (b *Builder) second(k key) []Problem {
	var problems []Problem
	const field = "metadata.name"
	units := b.written.units[k]
	first := b.world.problem(units[0], field, "", "") // for its place
	for _, u := range units[1:] {
		if !u.doc.Failed(field) {
			problems = append(problems, b.world.problem(u, field,
				k.String()+" is already defined at "+first.File+":"+strconv.Itoa(first.Line), "rename or remove one of the two"))
		}
	}
	return problems
}

// accept makes a catalog the one in force.
func (b *Builder) accept(built *Catalog, changed map[key]bool) {
	for k := range changed {
		if b.world.get(k) == b.written.first(k) && !b.written.twice[k] {
			delete(b.diverged, k)
		} else {
			b.diverged[k] = true
		}
	}
	b.world.settle()
	b.current = built
}

// held lists what diverged.
func (b *Builder) held() []HeldResource {
	var all []HeldResource
	for k := range b.diverged {
		held := HeldResource{Resource: k.String(), Because: b.because[k]}
		if u := b.world.get(k); u != nil {
			held.Origin = u.origin()
		}
		all = append(all, held)
	}
	slices.SortFunc(all, func(a, b HeldResource) int { return cmp.Compare(a.Resource, b.Resource) })
	return all
}

// catalog is what the findings are. If it is all that current is, it is current.
func (w *world) catalog(current *Catalog) *Catalog {
	built := &Catalog{
		TrustDomain: w.found.trust, Gateways: w.found.gateways,
		Limits: w.found.limits, Redactions: w.found.redactions,
	}
	if current == nil {
		built.Models = w.mergeModels(nil)
		return built
	}
	built.Models = w.mergeModels(current.Models)
	if slices.Equal(built.Models, current.Models) && slices.Equal(built.Gateways, current.Gateways) &&
		slices.Equal(built.Limits, current.Limits) && slices.Equal(built.Redactions, current.Redactions) &&
		reflect.DeepEqual(built.TrustDomain, current.TrustDomain) {
		return current
	}
	return built
}

// mergeModels is the list of all models, made of the last one.
func (w *world) mergeModels(last []*Model) []*Model {
	merged := make([]*Model, 0, len(w.units[api.KindModel]))
	for _, name := range slices.Sorted(maps.Keys(w.touched)) {
		upTo, had := slices.BinarySearchFunc(last, name, func(m *Model, name string) int { return cmp.Compare(m.Name, name) })
		merged, last = append(merged, last[:upTo]...), last[upTo:]
		if had {
			last = last[1:]
		}
		if model := w.found.models[name]; model != nil {
			merged = append(merged, model)
		}
	}
	return append(merged, last...)
}
