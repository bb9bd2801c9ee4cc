package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Program is a policy document made ready for requests. It is immutable. A worker
// may have two or three of the largest size in its small heap, so there is one copy
// of every text, the document's, and what there are thousands of has no pointers
// that the collector would have to follow.
type Program struct {
	doc     spec.Document
	catalog catalog
	headers []versionHeader
	models  []model         // by index in doc.Models
	choices []versionRule   // of all models
	counted []modelLimit    // of all models
	limits  []limit         // by index in doc.Limits
	parts   []keyPart       // of the keys of all limits
	rules   []bodyRules     // by index in doc.Redactions
	answers []*redact.Rules // likewise, for answers

	reads    reads    // what trees look at
	metadata []uint8  // attributes in the body's metadata
	claims   []string // by index in doc.Attributes: the property of one that is a claim
	colours  []int8   // by index in doc.Trees: the attribute that is a colour, none

	digests  []digest // by index in doc.Trees
	policies []digest // by index in doc.Redactions

	// uniform: the same redaction (or none) applies to every model, so that a body
	// can be redacted before its model is known.
	uniform   bool
	metered   bool // a limit counts tokens
	readsKeys bool // a key has parts that are request headers
}

// model is what the program knows of one model beyond the document.
type model struct {
	redaction int16 // index in doc.Redactions, none
	tree      int16 // index in doc.Trees, none
	header    int8  // index of the version header in Program.headers, none
	choices   uint8 // of Program.choices, from choice on
	limits    uint8 // of Program.counted, from limit on, in the order of charging
	metered   bool  // a limit of it counts tokens
	served    bool  // a service keeps the budget of a limit of it
	choice    int32
	limit     int32
}

// none is no index.
const none = -1

// versionRule is a spec.VersionRule with its strings replaced by indices.
type versionRule struct {
	header  int32 // in Program.headers
	value   int32 // in the header's values
	version int32 // in the model's versions
}

// limit is what the program knows of one limit.
type limit struct {
	key           bucket.Key // of the limit's name
	parts         []uint8    // of its key, by index in Program.parts
	defaultOutput int64      // output cap of a request that names none
	leastOutput   int64      // to which a cap may be lowered, 0: to none
	stop          bool       // a stream ends when it costs more than is left
	perUnit       int64      // tokens that one unit of the bucket stands for
	onFailure     spec.Failure
	missing       spec.Missing
	mode          spec.LimitMode
	shared        bool            // one budget over all Envoys
	params        bucket.Params   // of models without an entry, without x-max-tokens
	sized         []bucket.Params // by index in the entries of semantic models
	// Properties by which Envoy's ratelimit filter is told what it asks its service for,
	// and what that is told in the end; empty unless a service keeps the budget.
	asks, costs string
}

// modelLimit is a limit that counts a model.
type modelLimit struct {
	index int16 // in doc.Limits
	entry int16 // in its semantic models, none
}

// Compile parses and checks a document and makes it ready. Parts that are equal
// in prev, which may be nil, are taken from there instead of being built again.
// Its error is a *spec.Error that names the field.
func Compile(document []byte, prev *Program) (*Program, error) {
	return (&Compiler{}).Compile(document, prev)
}

// build makes the document ready.
func (p *Program) build(prev *Program) {
	doc := &p.doc
	p.catalog.describe()
	p.headers = newVersionHeaders(doc.Models)
	p.collectParts()
	p.limits, p.metered = make([]limit, len(doc.Limits)), false
	for i := range p.limits {
		p.limits[i] = p.newLimit(&doc.Limits[i])
		p.metered = p.metered || p.limits[i].tokens()
	}
	p.rules = make([]bodyRules, 0, len(doc.Redactions))
	p.answers = make([]*redact.Rules, 0, len(doc.Redactions))
	for i := range doc.Redactions {
		r := &doc.Redactions[i]
		values, answers := p.compileRules(r, prev)
		p.rules = append(p.rules, bodyRules{values, compilePlaces(r.Skip), doc.Settings.MaxDepth})
		p.answers = append(p.answers, answers)
	}
	p.models = room(p.models, len(doc.Models))
	p.assignVersions()
	p.assignTrees()
	p.digestTrees()
	p.digestPolicies()
	p.assignLimits()
	p.assignRedactions()
}

// room returns n zero items, in the memory of old if it is enough. New memory is a
// little more than that: the next policy is often a little larger.
func room[T any](old []T, n int) []T {
	if n > cap(old) {
		return make([]T, n, n+n/16)
	}
	clear(old[:n])
	return old[:n]
}

// modelLimits returns the limits that count a model.
func (p *Program) modelLimits(model int) []modelLimit {
	m := &p.models[model]
	return p.counted[m.limit : m.limit+int32(m.limits)]
}

// Document returns the document that p was compiled from. It must not be changed.
func (p *Program) Document() *spec.Document { return &p.doc }

// Hold returns how many bytes all streams of a worker may hold.
func (p *Program) Hold() int { return p.doc.Settings.WorkerHoldLimit }

// Shares says whether a budget is one over all Envoys.
func (p *Program) Shares() bool {
	for i := range p.limits {
		if p.limits[i].shared {
			return true
		}
	}
	return false
}

// Record says whether decisions are to be published.
func (p *Program) Record() bool { return p.doc.Settings.Record }

// Evidence says whether published decisions are to make a chain.
func (p *Program) Evidence() spec.Evidence { return p.doc.Settings.Evidence }

// compileRules takes the rules for requests and answers of an earlier redaction, or of
// prev, that does the same.
func (p *Program) compileRules(redaction *spec.Redaction, prev *Program) (values, answers *redact.Rules) {
	for _, from := range [...]*Program{p, prev} {
		if from == nil {
			continue
		}
		for i := range from.rules {
			if from.doc.Redactions[i].SameMatches(redaction) {
				return from.rules[i].values, from.answers[i]
			}
		}
	}
	return redact.Compile(redaction, spec.DirectionRequest), redact.Compile(redaction, spec.DirectionResponse)
}

// tokens says whether the limit counts tokens, in whatever units.
func (l *limit) tokens() bool { return l.mode <= spec.LimitTokens }

func (p *Program) newLimit(l *spec.Limit) limit {
	c := limit{key: bucket.LimitKey(l.Name), onFailure: l.OnFailure, missing: l.Missing, mode: l.Mode, perUnit: 1, shared: l.Scope == spec.ScopeShared}
	for _, k := range l.Key {
		c.parts = append(c.parts, uint8(p.findPart(k)))
	}
	c.leastOutput, c.stop = l.Shortage.LeastOutput, l.Shortage.Stop
	if l.Scope == spec.ScopeService {
		c.asks, c.costs = PropertyLimit+l.Name, PropertyCost+l.Name
	}
	switch l.Mode {
	case spec.LimitTokens:
		c.defaultOutput = l.Tokens.DefaultOutput
		c.params = bucket.TokenParams(&l.Tokens)
		return c
	case spec.LimitRequests:
		c.params = bucket.RateParams(&l.Requests)
		return c
	case spec.LimitInFlight:
		c.params = bucket.FlightParams(&l.InFlight)
		return c
	}
	c.defaultOutput, c.perUnit = l.Semantic.DefaultOutput, l.Semantic.TokensPerUnit
	semantic := l.Semantic
	semantic.Models = nil
	c.params = bucket.SemanticParams(&semantic, "", 0)
	c.sized = make([]bucket.Params, len(l.Semantic.Models))
	for i := range c.sized {
		semantic.Models = l.Semantic.Models[i : i+1]
		c.sized[i] = bucket.SemanticParams(&semantic, semantic.Models[0].Model, 0)
	}
	return c
}

// assignVersions tells every model how its version may be chosen.
func (p *Program) assignVersions() {
	n := 0
	for i := range p.doc.Models {
		n += len(p.doc.Models[i].Rules)
	}
	p.choices = room(p.choices, n)[:0]
	for i := range p.models {
		c, m := &p.models[i], &p.doc.Models[i]
		c.redaction, c.header = none, none
		if m.VersionHeader != "" {
			c.header = int8(findHeader(p.headers, m.VersionHeader))
		}
		c.choice, c.choices = int32(len(p.choices)), uint8(len(m.Rules))
		for _, r := range m.Rules {
			header := findHeader(p.headers, r.Header)
			p.choices = append(p.choices, versionRule{
				header:  int32(header),
				value:   p.headers[header].find(r.Value),
				version: int32(slices.Index(m.Versions, r.Version)),
			})
		}
	}
}

// assignLimits tells every model which limits count it, in the order of charging.
func (p *Program) assignLimits() {
	for i := range p.doc.Limits {
		p.each(p.doc.Limits[i].Models, func(m int) { p.models[m].limits++ })
	}
	total := int32(0)
	for i := range p.models {
		m := &p.models[i]
		m.limit = total
		total += int32(m.limits)
		m.limits = 0
	}
	p.counted = room(p.counted, int(total))
	entries := make([]int16, len(p.models))
	for i := range p.doc.Limits {
		l := &p.doc.Limits[i]
		for m := range entries {
			entries[m] = none
		}
		for e := range l.Semantic.Models {
			entries[p.catalog.names.Find(l.Semantic.Models[e].Model)] = int16(e)
		}
		p.each(l.Models, func(n int) {
			m := &p.models[n]
			p.counted[m.limit+int32(m.limits)] = modelLimit{int16(i), entries[n]}
			m.limits++
			m.metered = m.metered || p.limits[i].tokens()
			m.served = m.served || p.limits[i].served()
		})
	}
}

func (p *Program) assignRedactions() {
	for i := range p.doc.Redactions {
		p.each(p.doc.Redactions[i].Models, func(m int) { p.models[m].redaction = int16(i) })
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
