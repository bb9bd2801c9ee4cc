package spec

// modelSet is a set of models by index. It is emptied in no time, because a
// document may hold thousands of lists of thousands of names.
type modelSet struct {
	round []int32 // by model: the round in which it was last added
	now   int32
}

func newModelSet(models int) modelSet { return modelSet{round: make([]int32, models)} }

func (s *modelSet) clear() { s.now++ }

// add says whether model m was not in the set yet.
func (s *modelSet) add(m int) bool {
	if s.round[m] == s.now {
		return false
	}
	s.round[m] = s.now
	return true
}

func (s *modelSet) has(m int) bool { return s.round[m] == s.now }

// references checks a list of canonical model names and leaves them in v.listed.
func (v *validator) references(at path, models []string) {
	v.listed.clear()
	for i, name := range models {
		if m := v.reference(at.item(i), name); m >= 0 && !v.listed.add(m) {
			v.fail(at.item(i), quote(name)+" stands here twice")
		}
	}
}

// reference returns the index of the model of this canonical name, or fails.
func (v *validator) reference(at path, name string) int {
	i := v.names.Find(name)
	if i < 0 {
		v.fail(at, "no model "+quote(name))
		return -1
	}
	if canonical := v.doc.Models[i].Name; canonical != name {
		v.fail(at, quote(name)+" is an alias: use its model's name "+quote(canonical))
	}
	return i
}

func (v *validator) limits(at path, limits []Limit) {
	v.atMost(at, len(limits), MaxLimits)
	count := make([]uint8, len(v.doc.Models))
	for i := range limits {
		l := &limits[i]
		v.limit(at.item(i), l)
		for _, earlier := range limits[:i] {
			if earlier.Name == l.Name {
				v.fail(at.item(i).field("name"), quote(l.Name)+" already names another limit")
			}
		}
		if v.err != nil {
			return
		}
		v.each(l.Models, func(m int) {
			if count[m]++; count[m] > MaxModelLimits {
				v.fail(at.item(i), "model "+quote(v.doc.Models[m].Name)+" has more than "+decimal(MaxModelLimits)+" limits")
				count[m]--
			}
		})
	}
}

// each calls f with the index of every model in a list of names; an empty list
// stands for all.
func (v *validator) each(models []string, f func(model int)) {
	if len(models) == 0 {
		for m := range v.doc.Models {
			f(m)
		}
	}
	for _, name := range models {
		f(v.names.Find(name))
	}
}

func (v *validator) limit(at path, l *Limit) {
	v.name(at.field("name"), l.Name)
	v.references(at.field("models"), l.Models)
	for i, k := range l.Key {
		if k > KeyPeer {
			v.fail(at.field("key").item(i), "has no such value")
		}
		for _, earlier := range l.Key[:i] {
			if k == earlier {
				v.fail(at.field("key").item(i), quote(k.String())+" stands here twice")
			}
		}
		if k == KeyTenant && v.doc.Settings.TenantHeader == "" {
			v.fail(at.field("key").item(i), "tenant needs settings.tenantHeader")
		}
	}
	if l.OnFailure > FailOpen {
		v.fail(at.field("onFailure"), "has no such value")
	}
	switch l.Mode {
	case LimitSemantic:
		v.semantic(at.field("semantic"), l)
		if l.Tokens != (Tokens{}) {
			v.fail(at.field("tokens"), "the mode is semantic")
		}
	case LimitTokens:
		v.tokens(at.field("tokens"), &l.Tokens)
		if s := &l.Semantic; len(s.Models) > 0 || s.FloorMilli|s.RefillMilli|s.TokensPerUnit|s.MaxTokens|s.DefaultOutput|s.DefaultKMilli != 0 {
			v.fail(at.field("semantic"), "the mode is tokens")
		}
	default:
		v.fail(at.field("mode"), "has no such value")
	}
}

func (v *validator) semantic(at path, l *Limit) {
	s := &l.Semantic
	v.within(at.field("floorMilli"), s.FloorMilli, 0, MaxWeightMilli)
	v.within(at.field("refillMilli"), s.RefillMilli, 0, MaxKMilli)
	v.within(at.field("tokensPerUnit"), s.TokensPerUnit, 1, MaxTokenNumber)
	v.within(at.field("maxTokens"), s.MaxTokens, 1, MaxTokenNumber)
	v.within(at.field("defaultOutput"), s.DefaultOutput, 0, MaxTokenNumber)
	v.within(at.field("defaultKMilli"), s.DefaultKMilli, 0, MaxKMilli)
	v.weighted.clear()
	for i, m := range s.Models {
		at := at.field("models").item(i)
		model := v.reference(at.field("model"), m.Model)
		if model >= 0 && len(l.Models) > 0 && !v.listed.has(model) {
			v.fail(at.field("model"), "can never match: the limit does not count model "+quote(m.Model))
		}
		if model >= 0 && !v.weighted.add(model) {
			v.fail(at.field("model"), quote(m.Model)+" stands here twice")
		}
		v.within(at.field("baseMilli"), m.BaseMilli, 0, MaxWeightMilli)
		v.within(at.field("kMilli"), m.KMilli, 0, MaxKMilli)
	}
}

func (v *validator) tokens(at path, t *Tokens) {
	v.within(at.field("capacity"), t.Capacity, 1, MaxCapacity)
	v.within(at.field("refillMilli"), t.RefillMilli, 0, MaxMilli)
	v.within(at.field("defaultOutput"), t.DefaultOutput, 0, MaxTokenNumber)
}

func (v *validator) redactions(at path, redactions []Redaction) {
	v.atMost(at, len(redactions), MaxRedactions)
	owner := make([]int, len(v.doc.Models)) // 1 + index of the redaction of each model
	for i := range redactions {
		r := &redactions[i]
		v.redaction(at.item(i), r)
		for _, earlier := range redactions[:i] {
			if earlier.Name == r.Name {
				v.fail(at.item(i).field("name"), quote(r.Name)+" already names another redaction")
			}
		}
		if v.err != nil {
			return
		}
		v.claim(at.item(i).field("models"), redactions, owner, i)
	}
}

// claim notes which models redaction i applies to and refuses a second one.
func (v *validator) claim(at path, redactions []Redaction, owner []int, i int) {
	n := 0
	v.each(redactions[i].Models, func(m int) {
		where := at
		if len(redactions[i].Models) > 0 {
			where = at.item(n)
		}
		if owner[m] > 0 {
			v.fail(where, "model "+quote(v.doc.Models[m].Name)+" already has redaction "+quote(redactions[owner[m]-1].Name))
		}
		owner[m] = i + 1
		n++
	})
}

func (v *validator) redaction(at path, r *Redaction) {
	v.name(at.field("name"), r.Name)
	v.references(at.field("models"), r.Models)
	if len(r.Entities) == 0 {
		v.fail(at.field("entities"), "must name at least one kind")
	}
	for i, e := range r.Entities {
		where := at.field("entities").item(i)
		if e.Kind > EntityBankCard {
			v.fail(where.field("kind"), "has no such value")
		}
		if e.Mode > RedactTag {
			v.fail(where.field("mode"), "has no such value")
		}
		for _, earlier := range r.Entities[:i] {
			if earlier.Kind == e.Kind {
				v.fail(where.field("kind"), quote(e.Kind.String())+" stands here twice")
			}
		}
	}
	if r.OnFailure > FailOpen {
		v.fail(at.field("onFailure"), "has no such value")
	}
}
