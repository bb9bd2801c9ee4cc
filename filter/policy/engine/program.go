package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Program is a policy document made ready for requests. It is immutable.
type Program struct {
	doc     *spec.Document
	catalog *catalog
	headers []versionHeader
	models  []model         // by index in doc.Models
	limits  []limit         // by index in doc.Limits
	rules   []*redact.Rules // by index in doc.Redactions

	// uniform: the same redaction (or none) applies to every model, so that a body
	// can be redacted before its model is known.
	uniform bool
}

// model is what the program knows of one model.
type model struct {
	name      []byte
	salt      []byte
	versions  [][]byte
	redaction int // index in doc.Redactions, none
	header    int // index of the version header in Program.headers, none
	rules     []versionRule
	limits    []modelLimit
}

// none is no index.
const none = -1

// versionRule is a spec.VersionRule with its strings replaced by indices.
type versionRule struct {
	header  int   // in Program.headers
	value   int32 // in the header's values
	version int   // in the model's versions
}

// limit is what is the same for all models that a limit counts.
type limit struct {
	key           bucket.Key // of the limit's name
	sources       []spec.KeySource
	defaultOutput int64 // output cap of a request that names none
	perUnit       int64 // tokens that one unit of the bucket stands for
	onFailure     spec.Failure
}

// modelLimit is a limit as one model sees it.
type modelLimit struct {
	index      int // in doc.Limits
	isSemantic bool
	semantic   spec.Semantic // with this model's entry alone
	params     bucket.Params // without x-max-tokens
}

// keySeed seeds bucket keys. It is the same in all workers of an Envoy, which
// share their buckets; a store may mix in a secret of its own.
const keySeed = 0

// Compile parses and checks a document and makes it ready. Parts that are equal
// in prev, which may be nil, are taken from there instead of being built again.
// Its error is a *spec.Error that names the field.
func Compile(document []byte, prev *Program) (*Program, error) {
	doc, err := spec.Parse(document)
	if err != nil {
		return nil, err
	}
	p := &Program{doc: doc, catalog: newCatalog(doc.Models, prev)}
	p.headers = newVersionHeaders(doc.Models)
	for i := range doc.Limits {
		p.limits = append(p.limits, newLimit(&doc.Limits[i]))
	}
	for i := range doc.Redactions {
		p.rules = append(p.rules, p.compileRules(doc.Redactions[i].Entities, prev))
	}
	p.models = make([]model, len(doc.Models))
	for i := range p.models {
		p.models[i] = p.newModel(&doc.Models[i])
	}
	p.assignLimits()
	p.assignRedactions()
	return p, nil
}

// Document returns the document that p was compiled from. It must not be changed.
func (p *Program) Document() *spec.Document { return p.doc }

// Hold returns how many bytes all streams of a worker may hold.
func (p *Program) Hold() int { return p.doc.Settings.WorkerHoldLimit }

// Record says whether decisions are to be published.
func (p *Program) Record() bool { return p.doc.Settings.Record }

// compileRules takes the rules of an earlier redaction, or of prev, that has the
// same entities.
func (p *Program) compileRules(entities []spec.Entity, prev *Program) *redact.Rules {
	for _, from := range [...]*Program{p, prev} {
		if from == nil {
			continue
		}
		for i, rules := range from.rules {
			if slices.Equal(from.doc.Redactions[i].Entities, entities) {
				return rules
			}
		}
	}
	return redact.Compile(entities)
}

func newLimit(l *spec.Limit) limit {
	c := limit{
		key:           bucket.NewKey(keySeed).Add([]byte(l.Name)),
		sources:       l.Key,
		onFailure:     l.OnFailure,
		defaultOutput: l.Tokens.DefaultOutput,
		perUnit:       1,
	}
	if l.Mode == spec.LimitSemantic {
		c.defaultOutput, c.perUnit = l.Semantic.DefaultOutput, l.Semantic.TokensPerUnit
	}
	return c
}

func (p *Program) newModel(m *spec.Model) model {
	c := model{name: []byte(m.Name), salt: []byte(m.Salt), redaction: none, header: none}
	for _, version := range m.Versions {
		c.versions = append(c.versions, []byte(version))
	}
	if m.VersionHeader != "" {
		c.header = findHeader(p.headers, m.VersionHeader)
	}
	for _, r := range m.Rules {
		header := findHeader(p.headers, r.Header)
		c.rules = append(c.rules, versionRule{
			header:  header,
			value:   p.headers[header].find(r.Value),
			version: slices.Index(m.Versions, r.Version),
		})
	}
	return c
}

// assignLimits tells every model which limits count it, in the order of charging.
func (p *Program) assignLimits() {
	for i := range p.doc.Limits {
		l := &p.doc.Limits[i]
		entries := make(map[string]spec.SemanticModel, len(l.Semantic.Models))
		for _, e := range l.Semantic.Models {
			entries[e.Model] = e
		}
		p.each(l.Models, func(m int) {
			name := p.doc.Models[m].Name
			c := modelLimit{index: i}
			if l.Mode == spec.LimitTokens {
				c.params = bucket.TokenParams(&l.Tokens)
			} else {
				c.isSemantic, c.semantic = true, l.Semantic
				c.semantic.Models = nil
				if e, ok := entries[name]; ok {
					c.semantic.Models = []spec.SemanticModel{e}
				}
				c.params = bucket.SemanticParams(&c.semantic, name, 0)
			}
			p.models[m].limits = append(p.models[m].limits, c)
		})
	}
}

func (p *Program) assignRedactions() {
	for i := range p.doc.Redactions {
		p.each(p.doc.Redactions[i].Models, func(m int) { p.models[m].redaction = i })
	}
	p.uniform = true
	for i := range p.models {
		if p.models[i].redaction != p.models[0].redaction {
			p.uniform = false
		}
	}
}

// each calls f for the models of these canonical names, or for all if none are
// named.
func (p *Program) each(names []string, f func(model int)) {
	if len(names) == 0 {
		for m := range p.models {
			f(m)
		}
	}
	for _, name := range names {
		f(p.catalog.names.Find(name))
	}
}
