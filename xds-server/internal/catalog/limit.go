package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// Defaults of the semantic mode, in thousandths where a name says so.
const (
	defaultFloorMilli    = 20_000
	defaultRefillMilli   = 300
	defaultTokensPerUnit = 512
	defaultMaxTokens     = 512
	defaultOutput        = 512
	defaultKMilli        = 1_000
)

// maxTokenCount bounds counts of tokens, so that products stay within 64 bits.
const maxTokenCount = 1_000_000_000

// knownModels are the models whose numbers need not be written.
var knownModels = []spec.SemanticModel{
	{Model: "gpt-4", BaseMilli: 100_000, KMilli: 1_200},
	{Model: "llama3-70b", BaseMilli: 80_000, KMilli: 1_000},
	{Model: "phi-3", BaseMilli: 30_000, KMilli: 600},
}

// limits builds the limits: of each TokenLimit one for everything that it counts.
func (c *checker) limits() []*Limit {
	var limits []*Limit
	for _, u := range c.all(api.KindTokenLimit) {
		e := as[api.TokenLimit](u)
		if b := e.value.Spec.Backend; b != nil && *b == api.BackendRateLimit {
			limits = append(limits, c.servedLimits(e)...)
			continue
		}
		limits = append(limits, c.limit(e)...)
	}
	return limits
}

// Defaults of what is done where a budget is too small.
const (
	defaultLeastOutput = 16
	defaultGrace       = 2 * time.Second
)

// shortage builds what is done where the budget is too small for an answer.
func (c *checker) shortage(u *unit, written *api.Shortage) spec.Shortage {
	const field = "spec.shortage"
	if written == nil {
		return spec.Shortage{}
	}
	s := spec.Shortage{Stop: written.Stop != nil && *written.Stop}
	if lowers := written.LowerCap != nil && *written.LowerCap; lowers {
		s.LeastOutput = int64(c.inRange(u, field+".leastOutput", written.LeastOutput, defaultLeastOutput, 1, maxTokenCount))
	} else if written.LeastOutput != nil {
		c.at(u, field+".leastOutput", "it is without effect: no cap is lowered", "set lowerCap: true, or remove it")
	}
	grace := defaultGrace
	if written.Grace != nil {
		grace = written.Grace.Span()
	}
	switch {
	case s.Stop:
		s.GraceMs = grace.Milliseconds()
	case written.Grace != nil:
		c.at(u, field+".grace", "it is without effect: no stream is stopped", "set stop: true, or remove it")
	}
	if s.GraceMs > spec.MaxGraceMs {
		c.at(u, field+".grace", fmt.Sprintf("%v is more than 10m", grace), "the default is 2s")
	}
	return s
}

// What is behind the name of a TokenLimit in those of its further limits.
const (
	suffixInFlight      = "/inFlight"
	suffixRequests      = "/requests"
	suffixQuotaRequests = "/quota-requests"
	suffixQuota         = "/quota"
)

// limit builds the limits of one TokenLimit.
func (c *checker) limit(e entry[api.TokenLimit]) []*Limit {
	written := &e.value.Spec
	shared := c.counted(e)
	shortage := c.shortage(e.unit, written.Shortage)
	var limits []*Limit
	add := func(suffix string, mode spec.LimitMode) *Limit {
		l := &Limit{Limit: shared, Origin: e.origin()}
		l.Name, l.Mode = e.name+suffix, mode
		if written.Scope != nil {
			l.Scope = written.Scope.Scope
		}
		if mode <= spec.LimitTokens {
			l.Shortage = shortage
		}
		limits = append(limits, l)
		return l
	}
	if written.Scope != nil && written.Scope.Scope == spec.ScopeShared && (written.InFlight != nil || written.Quota != nil) {
		c.at(e.unit, "spec.scope", "inFlight and quota are not shared: what does not flow in cannot be divided as it does", "put them into a TokenLimit of their own, with scope: local")
	}
	if f := written.InFlight; f != nil {
		add(suffixInFlight, spec.LimitInFlight).InFlight = c.inFlight(e.unit, f)
	}
	if r := written.Requests; r != nil {
		add(suffixRequests, spec.LimitRequests).Requests = c.rate(e.unit, "spec.requests", r)
	}
	plain := spec.Tokens{DefaultOutput: defaultOutput}
	if written.Tokens != nil {
		plain = c.tokens(e.unit, written.Tokens)
	}
	if q := written.Quota; q != nil {
		c.quota(e.unit, q)
		if q.Requests != nil {
			add(suffixQuotaRequests, spec.LimitRequests).Requests = spec.Rate{Capacity: int64(*q.Requests), Window: q.Per.Seconds()}
		}
		if q.Tokens != nil {
			tokens := &add(suffixQuota, spec.LimitTokens).Tokens
			*tokens = plain
			tokens.Capacity, tokens.RefillMilli, tokens.Per, tokens.Window = int64(*q.Tokens), 0, 0, q.Per.Seconds()
		}
	}
	switch {
	case written.Semantic != nil && written.Tokens != nil:
		c.at(e.unit, "spec.tokens", "semantic and tokens are both set", "remove one of the two")
	case written.Semantic != nil:
		add("", spec.LimitSemantic).Semantic = c.semantic(e, written.Semantic, shared.Models)
	case written.Tokens != nil:
		add("", spec.LimitTokens).Tokens = plain
	case len(limits) == 0 && !e.doc.Failed("spec.tokens"):
		c.at(e.unit, "spec.semantic", "none of semantic, tokens, requests, inFlight and quota is set: there is no budget", "semantic: {} has the defaults")
	}
	c.overrides(e, limits)
	return limits
}

// counted is what all limits of a TokenLimit have in common: whom they count, and
// what happens to requests that they cannot count.
func (c *checker) counted(e entry[api.TokenLimit]) spec.Limit {
	written := &e.value.Spec
	shared := spec.Limit{Models: c.modelRefs(e.unit, "spec.models", written.Models), Key: c.key(e)}
	if written.Missing != nil {
		shared.Missing = written.Missing.Missing
		if len(written.Key) == 0 {
			c.at(e.unit, "spec.missing", "there is no key that a request could miss a part of", "remove it, or set key")
		}
	}
	if written.OnFailure != nil {
		shared.OnFailure = written.OnFailure.Failure
	}
	return shared
}

// key builds the bucket's key. A part that some gateway never fills would
// throw all its requests into one bucket without saying so.
func (c *checker) key(e entry[api.TokenLimit]) []spec.KeyPart {
	var key []spec.KeyPart
	if n := len(e.value.Spec.Key); n > spec.MaxKeyParts {
		c.at(e.unit, "spec.key", fmt.Sprintf("a key of %d parts is longer than %d", n, spec.MaxKeyParts), "remove some")
	}
	for i, written := range e.value.Spec.Key {
		field := fmt.Sprintf("spec.key[%d]", i)
		if slices.Contains(key, written.KeyPart) {
			c.at(e.unit, field, fmt.Sprintf("%q is listed twice", written), "remove one of the two")
		}
		key = append(key, written.KeyPart)
		if e.doc.Failed(field) {
			continue
		}
		for _, gateway := range c.all(api.KindGateway) {
			c.keyHasValue(as[api.Gateway](gateway), e.unit, field, written.Source)
		}
	}
	return key
}

func (c *checker) keyHasValue(gateway entry[api.Gateway], u *unit, field string, source spec.KeySource) {
	if gateway.broken() {
		return
	}
	identity, listeners := gateway.value.Spec.Identity, gateway.value.Spec.Listeners
	switch {
	case source == spec.KeyTenant && (identity == nil || identity.Tenant == nil):
		c.at(u, field, fmt.Sprintf("Gateway/%s names no tenants: all requests would share one budget", gateway.name),
			"set spec.identity.tenant.header there", gateway.key)
	case source == spec.KeyClaim && gateway.value.Spec.JWT == nil:
		c.at(u, field, fmt.Sprintf("Gateway/%s verifies no tokens: all requests would share one budget", gateway.name),
			"set spec.jwt there", gateway.key)
	case source == spec.KeyPeer && slices.ContainsFunc(listeners, anonymous):
		c.at(u, field, fmt.Sprintf("Gateway/%s has a listener that peers can use without a certificate: they would share one budget", gateway.name),
			"set tls on its listeners", gateway.key)
	}
}

func anonymous(l api.Listener) bool {
	return l.TLS == nil || optionalClient(l.TLS)
}

func (c *checker) semantic(e entry[api.TokenLimit], written *api.SemanticBudget, counted []string) spec.Semantic {
	const field = "spec.semantic"
	budget := spec.Semantic{
		FloorMilli:    milli(written.Floor, defaultFloorMilli),
		RefillMilli:   milli(written.Refill, defaultRefillMilli),
		TokensPerUnit: int64(c.inRange(e.unit, field+".tokensPerUnit", written.TokensPerUnit, defaultTokensPerUnit, 1, maxTokenCount)),
		MaxTokens:     int64(c.inRange(e.unit, field+".maxTokens", written.MaxTokens, defaultMaxTokens, 1, maxTokenCount)),
		DefaultOutput: int64(c.inRange(e.unit, field+".defaultOutput", written.DefaultOutput, defaultOutput, 0, maxTokenCount)),
		DefaultKMilli: milli(written.DefaultTemperatureSensitivity, defaultKMilli),
	}
	if budget.RefillMilli == 0 {
		c.at(e.unit, field+".refill", "a bucket that never refills refuses every request once it is empty", "use a number above 0")
	}
	if budget.FloorMilli == 0 {
		c.at(e.unit, field+".floor", "a model without an entry would have an empty bucket", "use a number above 0")
	}
	budget.Models = c.semanticModels(e, written, counted)
	return budget
}

// semanticModels are the models that are written, and those that are known and
// counted but not written.
func (c *checker) semanticModels(e entry[api.TokenLimit], written *api.SemanticBudget, counted []string) []spec.SemanticModel {
	var rows []spec.SemanticModel
	has := make(map[string]bool, len(written.Models))
	counts := func(name string) bool {
		_, listed := slices.BinarySearch(counted, name)
		return len(counted) == 0 || listed
	}
	for i, row := range written.Models {
		field := fmt.Sprintf("spec.semantic.models[%d].model", i)
		name := row.Model.String()
		if has[name] {
			c.at(e.unit, field, fmt.Sprintf("model %q is listed twice", name), "remove one of the two")
		}
		if _, found := c.modelRef(e.unit, field, name); found && !counts(name) && !e.doc.Failed("spec.models") {
			c.at(e.unit, field, fmt.Sprintf("entry can never match: the limit does not count model %q", name), "add it to spec.models, or remove the entry")
		}
		has[name] = true
		rows = append(rows, spec.SemanticModel{Model: name, BaseMilli: row.Base.Milli(), KMilli: row.TemperatureSensitivity.Milli()})
	}
	for _, known := range knownModels {
		exists := c.units[api.KindModel][known.Model] != nil
		if exists && !has[known.Model] && counts(known.Model) {
			rows = append(rows, known)
		}
	}
	slices.SortFunc(rows, func(a, b spec.SemanticModel) int { return cmp.Compare(a.Model, b.Model) })
	return rows
}

func (c *checker) tokens(u *unit, written *api.TokenBudget) spec.Tokens {
	const field = "spec.tokens"
	rate := c.rate(u, field, written.Rate())
	t := c.weights(u, written)
	t.Capacity, t.RefillMilli, t.Per = rate.Capacity, rate.RefillMilli, rate.Per
	return t
}

// weights are what tokens cost, without how many there are.
func (c *checker) weights(u *unit, written *api.TokenBudget) spec.Tokens {
	const field = "spec.tokens"
	weights := written.Weights
	if weights == nil {
		weights = &api.TokenWeights{}
	}
	return spec.Tokens{
		InputMilli:    c.weight(u, field+".weights.input", weights.Input),
		CachedMilli:   c.weight(u, field+".weights.cached", weights.Cached),
		OutputMilli:   c.weight(u, field+".weights.output", weights.Output),
		DefaultOutput: int64(c.inRange(u, field+".defaultOutput", written.DefaultOutput, defaultOutput, 0, maxTokenCount)),
	}
}

// weight is a weight in thousandths; 0 stands for 1, so that a document has one form.
func (c *checker) weight(u *unit, field string, written *api.Decimal) int64 {
	weight := milli(written, 1_000)
	if weight < 1 || weight > spec.MaxTokenMilli {
		c.at(u, field, "a weight is a number from 0.001 to 1000", "0.001 is as good as nothing")
	}
	if weight == 1_000 {
		return 0
	}
	return weight
}

func milli(written *api.Decimal, otherwise int64) int64 {
	if written == nil {
		return otherwise
	}
	return written.Milli()
}
