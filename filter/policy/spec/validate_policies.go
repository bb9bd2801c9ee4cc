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

// references checks the field models, a list of canonical names, and leaves them
// in v.listed.
func (v *validator) references(models []string) {
	v.listed.clear()
	v.each("models", len(models), MaxModels, func(i int) {
		if m := v.reference(models[i]); m >= 0 && !v.listed.add(m) {
			v.fail(quote(models[i]) + " stands here twice")
		}
	})
}

// reference returns the index of the model of this canonical name, or fails.
func (v *validator) reference(name string) int {
	i := v.names.Find(name)
	if i < 0 {
		v.fail("no model " + quote(name))
		return -1
	}
	if canonical := v.doc.Models[i].Name; canonical != name {
		v.fail(quote(name) + " is an alias: use its model's name " + quote(canonical))
	}
	return i
}

// covered calls f for the models of a list of names that was found right, or for
// all models if it is empty.
func (v *validator) covered(models []string, f func(model int)) {
	if len(models) == 0 {
		for m := range v.doc.Models {
			f(m)
		}
	}
	for _, name := range models {
		f(v.names.Find(name))
	}
}

func (v *validator) limits(limits []Limit) {
	v.atMost(len(limits), MaxLimits)
	if len(KeyNames(limits, KeyHeader)) > MaxKeyHeaders || len(KeyNames(limits, KeyClaim)) > MaxKeyClaims { // what a stream remembers
		v.fail("have more than " + decimal(MaxKeyHeaders) + " different headers or " + decimal(MaxKeyClaims) + " different claims in their keys")
	}
	count := make([]uint8, len(v.doc.Models))
	for i := range limits {
		l := &limits[i]
		v.item(i)
		v.limit(l)
		for j := range i {
			if limits[j].Name == l.Name {
				v.failIn("name", quote(l.Name)+" already names another limit")
			}
		}
		if v.err != nil {
			return
		}
		v.covered(l.Models, func(m int) {
			if count[m]++; count[m] > MaxModelLimits {
				v.fail("model " + quote(v.doc.Models[m].Name) + " has more than " + decimal(MaxModelLimits) + " limits")
				count[m]--
			}
		})
		v.out()
	}
}

func (v *validator) limit(l *Limit) {
	v.ownName(l.Name)
	v.references(l.Models)
	v.each("key", len(l.Key), MaxKeyParts, func(i int) { v.keyPart(l.Key, i) })
	v.known("onFailure", uint8(l.OnFailure), uint8(FailOpen))
	v.shortage(&l.Shortage)
	v.known("scope", uint8(l.Scope), uint8(ScopeService))
	if l.Scope == ScopeShared && (l.Mode == LimitInFlight || l.Requests.Window > 0 || l.Tokens.Window > 0) {
		v.failIn("scope", "what does not flow in cannot be shared")
	}
	if l.Scope == ScopeService {
		v.service(l)
	}
	v.known("missing", uint8(l.Missing), uint8(MissingRefuse))
	if v.known("mode", uint8(l.Mode), uint8(LimitInFlight)); v.err == nil {
		v.numbers(l)
	}
}

// service checks a limit whose budget a service keeps: of that the filter knows
// neither how much there is nor whether there is enough.
func (v *validator) service(l *Limit) {
	if l.Mode != LimitTokens && l.Mode != LimitRequests || l.Shortage != (Shortage{}) || l.rate() != (Rate{}) {
		v.failIn("scope", "a service counts tokens or requests, and alone knows how many there are")
	}
	for _, k := range l.Key {
		if k.Source == KeyAPIKey {
			v.failIn("key", "no service is told of an apiKey")
		}
	}
}

// rate is how much there is of tokens or requests.
func (l *Limit) rate() Rate {
	if t := &l.Tokens; l.Mode == LimitTokens {
		return Rate{t.Capacity, t.RefillMilli, t.Per, t.Window}
	}
	return l.Requests
}

func (v *validator) shortage(s *Shortage) {
	v.within("leastOutput", s.LeastOutput, 0, MaxTokenNumber)
	v.within("graceMs", s.GraceMs, 0, MaxGraceMs)
	if s.GraceMs > 0 && !s.Stop {
		v.failIn("graceMs", "is for stop alone")
	}
}

func (v *validator) semantic(l *Limit) {
	s := &l.Semantic
	v.within("floorMilli", s.FloorMilli, 0, MaxWeightMilli)
	v.within("refillMilli", s.RefillMilli, 0, MaxKMilli)
	v.within("tokensPerUnit", s.TokensPerUnit, 1, MaxTokenNumber)
	v.within("maxTokens", s.MaxTokens, 1, MaxTokenNumber)
	v.within("defaultOutput", s.DefaultOutput, 0, MaxTokenNumber)
	v.within("defaultKMilli", s.DefaultKMilli, 0, MaxKMilli)
	v.weighted.clear()
	v.each("models", len(s.Models), MaxModels, func(i int) {
		m := &s.Models[i]
		v.in("model")
		model := v.reference(m.Model)
		if model >= 0 && len(l.Models) > 0 && !v.listed.has(model) {
			v.fail("can never match: the limit does not count model " + quote(m.Model))
		}
		if model >= 0 && !v.weighted.add(model) {
			v.fail(quote(m.Model) + " stands here twice")
		}
		v.out()
		v.within("baseMilli", m.BaseMilli, 0, MaxWeightMilli)
		v.within("kMilli", m.KMilli, 0, MaxKMilli)
	})
}

func (v *validator) tokens(t *Tokens) {
	v.within("defaultOutput", t.DefaultOutput, 0, MaxTokenNumber)
	v.within("inputMilli", t.InputMilli, 0, MaxTokenMilli)
	v.within("cachedMilli", t.CachedMilli, 0, MaxTokenMilli)
	v.within("outputMilli", t.OutputMilli, 0, MaxTokenMilli)
}
