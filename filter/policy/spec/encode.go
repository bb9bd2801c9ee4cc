package spec

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// Encode returns the canonical bytes of a valid document: fields sorted by name,
// no white space, whole numbers, strings as in RFC 8785. Empty strings, empty
// lists, flags that are not set, default weights and the numbers of the other limit mode are left out. Parse(Encode(d))
// equals d.
func Encode(d *Document) []byte {
	w := &writer{}
	w.begin('{')
	items(w, "attributes", d.Attributes, (*writer).attribute)
	items(w, "limits", d.Limits, (*writer).limit)
	items(w, "models", d.Models, (*writer).model)
	items(w, "overrides", d.Overrides, (*writer).override)
	items(w, "redactions", d.Redactions, (*writer).redaction)
	w.key("settings")
	w.settings(&d.Settings)
	items(w, "trees", d.Trees, (*writer).tree)
	w.string("version", d.Version)
	w.end('}')
	return w.out
}

// writer appends JSON. A comma is put before every member or item but the first.
type writer struct {
	out   []byte
	comma bool
}

func (w *writer) begin(c byte) { w.out, w.comma = append(w.out, c), false }
func (w *writer) end(c byte)   { w.out, w.comma = append(w.out, c), true }

func (w *writer) next() {
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.comma = true
}

func (w *writer) key(name string) {
	w.next()
	w.out = append(jsonscan.AppendString(w.out, name), ':')
}

func (w *writer) string(name, value string) {
	if value != "" {
		w.key(name)
		w.out = jsonscan.AppendString(w.out, value)
	}
}

func (w *writer) integer(name string, n int64) {
	w.key(name)
	w.out = jsonscan.AppendInt(w.out, n)
}

func (w *writer) bool(name string, v bool) {
	w.key(name)
	if v {
		w.out = append(w.out, "true"...)
	} else {
		w.out = append(w.out, "false"...)
	}
}

// flag writes true, and nothing for false.
func (w *writer) flag(name string, set bool) {
	if set {
		w.key(name)
		w.out = append(w.out, "true"...)
	}
}

func (w *writer) strings(name string, all []string) {
	items(w, name, all, func(w *writer, s *string) { w.out = jsonscan.AppendString(w.out, *s) })
}

// items writes a list of at least one item.
func items[T any](w *writer, name string, all []T, item func(w *writer, v *T)) {
	if len(all) == 0 {
		return
	}
	w.key(name)
	w.begin('[')
	for i := range all {
		w.next()
		item(w, &all[i])
	}
	w.end(']')
}

func (w *writer) settings(s *Settings) {
	w.begin('{')
	if s.Evidence != EvidenceNone {
		w.string("evidence", s.Evidence.String())
	}
	w.integer("holdLimit", int64(s.HoldLimit))
	w.integer("maxDepth", int64(s.MaxDepth))
	w.string("overflow", s.Overflow.String())
	w.bool("record", s.Record)
	w.string("tenantHeader", s.TenantHeader)
	w.strings("trustedPeers", s.TrustedPeers)
	w.string("userHeader", s.UserHeader)
	w.integer("workerHoldLimit", int64(s.WorkerHoldLimit))
	w.end('}')
}

func (w *writer) model(m *Model) {
	w.begin('{')
	w.strings("aliases", m.Aliases)
	w.estimate(m.Estimate)
	w.flag("grpc", m.GRPC)
	w.string("name", m.Name)
	if m.Renames {
		w.key("renames")
		w.out = append(w.out, "true"...)
	}
	items(w, "rules", m.Rules, (*writer).rule)
	w.string("salt", m.Salt)
	w.string("versionHeader", m.VersionHeader)
	w.strings("versions", m.Versions)
	w.end('}')
}

func (w *writer) rule(v *VersionRule) {
	w.begin('{')
	w.string("header", v.Header)
	w.string("value", v.Value)
	w.string("version", v.Version)
	w.end('}')
}

func (w *writer) limit(l *Limit) {
	w.begin('{')
	w.nonzero("graceMs", l.Shortage.GraceMs)
	if l.Mode == LimitInFlight {
		w.key("inFlight")
		w.inFlight(&l.InFlight)
	}
	items(w, "key", l.Key, func(w *writer, k *KeyPart) { w.out = jsonscan.AppendString(w.out, k.String()) })
	w.nonzero("leastOutput", l.Shortage.LeastOutput)
	if l.Missing != MissingShare {
		w.string("missing", l.Missing.String())
	}
	w.string("mode", l.Mode.String())
	w.strings("models", l.Models)
	w.string("name", l.Name)
	w.string("onFailure", l.OnFailure.String())
	if l.Scope != ScopeLocal {
		w.string("scope", l.Scope.String())
	}
	switch l.Mode {
	case LimitRequests:
		w.key("requests")
		w.rate(&l.Requests)
	case LimitSemantic:
		w.key("semantic")
		w.semantic(&l.Semantic)
	}
	if l.Shortage.Stop {
		w.bool("stop", true)
	}
	if l.Mode == LimitTokens {
		w.key("tokens")
		w.tokens(&l.Tokens)
	}
	w.end('}')
}

func (w *writer) rate(r *Rate) {
	w.begin('{')
	w.integer("capacity", r.Capacity)
	w.nonzero("per", r.Per)
	w.integer("refillMilli", r.RefillMilli)
	w.nonzero("window", r.Window)
	w.end('}')
}

func (w *writer) inFlight(f *InFlight) {
	w.begin('{')
	w.integer("capacity", f.Capacity)
	w.integer("lease", f.Lease)
	w.end('}')
}

func (w *writer) override(o *Override) {
	w.begin('{')
	w.integer("capacity", o.Capacity)
	w.string("hash", FormatHash(o.Key))
	w.nonzero("per", o.Per)
	w.integer("refillMilli", o.RefillMilli)
	w.end('}')
}

func (w *writer) semantic(s *Semantic) {
	w.begin('{')
	w.integer("defaultKMilli", s.DefaultKMilli)
	w.integer("defaultOutput", s.DefaultOutput)
	w.integer("floorMilli", s.FloorMilli)
	w.integer("maxTokens", s.MaxTokens)
	items(w, "models", s.Models, (*writer).semanticModel)
	w.integer("refillMilli", s.RefillMilli)
	w.integer("tokensPerUnit", s.TokensPerUnit)
	w.end('}')
}

func (w *writer) semanticModel(m *SemanticModel) {
	w.begin('{')
	w.integer("baseMilli", m.BaseMilli)
	w.integer("kMilli", m.KMilli)
	w.string("model", m.Model)
	w.end('}')
}

func (w *writer) tokens(t *Tokens) {
	w.begin('{')
	w.nonzero("cachedMilli", t.CachedMilli)
	w.integer("capacity", t.Capacity)
	w.integer("defaultOutput", t.DefaultOutput)
	w.nonzero("inputMilli", t.InputMilli)
	w.nonzero("outputMilli", t.OutputMilli)
	w.nonzero("per", t.Per)
	w.integer("refillMilli", t.RefillMilli)
	w.nonzero("window", t.Window)
	w.end('}')
}

// nonzero writes a number unless it is 0, which stands for a default.
func (w *writer) nonzero(name string, n int64) {
	if n != 0 {
		w.integer(name, n)
	}
}
