package spec

// Validate checks everything that Parse does not check while reading: bounds,
// character sets, duplicates and references. Its error is an *Error.
func Validate(d *Document) error { return validate(d, &Names{}) }

// validate is Validate that leaves the index of the models' names in names.
func validate(d *Document, names *Names) error {
	v := &validator{doc: d, names: names}
	if d.Version != Version {
		v.failIn("version", "must be "+quote(Version))
	}
	v.in("settings")
	v.settings(&d.Settings)
	v.out()
	v.in("models")
	v.models(d.Models)
	v.out()
	if v.err == nil { // references make sense among good models only
		v.listed, v.weighted = newModelSet(len(d.Models)), newModelSet(len(d.Models))
		v.in("limits")
		v.limits(d.Limits)
		v.out()
		v.in("overrides")
		v.overrides(d.Overrides)
		v.out()
		v.in("redactions")
		v.redactions(d.Redactions)
		v.out()
		v.attributes(d.Attributes)
		v.trees(d.Trees)
	}
	return v.err
}

// validator walks over a document. Every method checks the field, or the members
// of the object, that the trail is in.
type validator struct {
	trail
	doc   *Document
	names *Names

	listed, weighted modelSet
}

// within checks a number of the object.
//
//go:noinline
func (v *validator) within(field string, n, low, high int64) {
	if n < low || n > high {
		v.failIn(field, "must be from "+decimal(low)+" to "+decimal(high))
	}
}

// known checks the value of an enumeration that has high as its last one.
//
//go:noinline
func (v *validator) known(field string, value, high uint8) {
	if value > high {
		v.failIn(field, "has no such value")
	}
}

// name checks a name that the trail is at.
//
//go:noinline
func (v *validator) name(s string) {
	if !validName(s, MaxNameBytes, "._-:/+") {
		v.fail(quote(s) + " is no name: 1 to " + decimal(MaxNameBytes) + " letters, digits and . _ - : / +, first a letter or digit")
	}
}

// ownName checks the field name of the object.
//
//go:noinline
func (v *validator) ownName(s string) {
	v.in("name")
	v.name(s)
	v.out()
}

// header checks a field that holds a header's name.
//
//go:noinline
func (v *validator) header(field, s string) {
	if !validHeader(s) {
		v.failIn(field, quote(s)+" is no header name: a lower-case token of at most "+decimal(MaxIDBytes)+
			" bytes that does not begin with x-weir-")
	}
}

// each calls check in every item of a field that is a list.
//
//go:noinline
func (v *validator) each(field string, n, high int, check func(i int)) {
	v.in(field)
	v.atMost(n, high)
	for i := range n {
		v.item(i)
		check(i)
		v.out()
	}
	v.out()
}

// unique checks item i of a list against those before it.
//
//go:noinline
func (v *validator) unique(all []string, i int) {
	if index(all[:i], all[i]) >= 0 {
		v.fail(quote(all[i]) + " stands here twice")
	}
}

func (v *validator) settings(s *Settings) {
	if s.TenantHeader != "" {
		v.header("tenantHeader", s.TenantHeader)
	}
	if s.UserHeader != "" {
		v.header("userHeader", s.UserHeader)
	}
	v.each("trustedPeers", len(s.TrustedPeers), MaxTrustedPeers, func(i int) {
		if !validPeer(s.TrustedPeers[i]) {
			v.fail(quote(s.TrustedPeers[i]) + " is no SPIFFE ID (spiffe://trust.domain/path)")
		}
		v.unique(s.TrustedPeers, i)
	})
	v.within("holdLimit", int64(s.HoldLimit), 1, MaxHoldLimit)
	v.within("workerHoldLimit", int64(s.WorkerHoldLimit), int64(s.HoldLimit), MaxWorkerHoldLimit)
	v.within("maxDepth", int64(s.MaxDepth), 1, MaxDepthLimit)
	v.known("overflow", uint8(s.Overflow), uint8(OverflowStream))
	v.known("evidence", uint8(s.Evidence), uint8(EvidenceOpen))
	if s.Evidence != EvidenceNone && !s.Record {
		v.failIn("evidence", "is of records, and there are none: record is not set")
	}
}

func (v *validator) models(models []Model) {
	v.atMost(len(models), MaxModels)
	for i := range models {
		v.item(i)
		v.model(&models[i])
		if i > 0 && models[i].Name < models[i-1].Name {
			v.failIn("name", quote(models[i].Name)+" must stand before "+quote(models[i-1].Name)+": models are sorted by name")
		}
		v.out()
	}
	if len(VersionHeaders(models)) > MaxVersionHeaders { // what a stream remembers of its headers
		v.fail("name more than " + decimal(MaxVersionHeaders) + " different headers to choose versions")
	}
	v.names.index(models)
	if v.names.Len() > MaxNames {
		v.fail("have more than " + decimal(MaxNames) + " names and aliases")
	}
	v.uniqueNames(models)
}

// uniqueNames checks that no two names or aliases are the same.
func (v *validator) uniqueNames(models []Model) {
	for i := 1; i < len(v.names.entries); i++ {
		a, b := v.names.entries[i-1], v.names.entries[i]
		name := v.names.name(b)
		if v.names.name(a) != name {
			continue
		}
		problem := quote(name) + " already names model " + quote(models[a.model].Name)
		v.item(int(b.model))
		if b.alias >= 0 {
			v.failItem("aliases", int(b.alias), problem)
		} else {
			v.failIn("name", problem)
		}
		v.out()
	}
}

// model checks one of thousands, so it does so without closures, which cost memory.
func (v *validator) model(m *Model) {
	v.ownName(m.Name)
	v.in("aliases")
	v.atMost(len(m.Aliases), MaxAliases)
	for i := range m.Aliases {
		v.item(i)
		v.name(m.Aliases[i])
		v.out()
	}
	v.out()
	v.in("versions")
	v.atMost(len(m.Versions), MaxVersions)
	for i := range m.Versions {
		v.item(i)
		v.version(m.Versions, i)
		v.out()
	}
	v.out()
	if len(m.Salt) > MaxSaltBytes {
		v.failIn("salt", "is longer than "+decimal(MaxSaltBytes)+" bytes")
	}
	if m.VersionHeader != "" {
		v.header("versionHeader", m.VersionHeader)
	}
	v.in("rules")
	v.atMost(len(m.Rules), MaxVersionRules)
	for i := range m.Rules {
		v.item(i)
		v.rule(m, i)
		v.out()
	}
	v.out()
	v.estimate(m.Estimate)
}

func (v *validator) version(versions []string, i int) {
	if version := versions[i]; !validName(version, MaxIDBytes, "._-") {
		v.fail(quote(version) + " is no version: 1 to " + decimal(MaxIDBytes) + " letters, digits and . _ -, first a letter or digit")
	}
	v.unique(versions, i)
}

func (v *validator) rule(m *Model, i int) {
	r := &m.Rules[i]
	v.header("header", r.Header)
	if r.Value == "" || !validText(r.Value, MaxValueBytes) {
		v.failIn("value", "must be 1 to "+decimal(MaxValueBytes)+" bytes without control characters")
	}
	if index(m.Versions, r.Version) < 0 {
		v.failIn("version", "model "+quote(m.Name)+" has no version "+quote(r.Version))
	}
	for j := range i {
		if m.Rules[j].Header == r.Header && m.Rules[j].Value == r.Value {
			v.fail("can never match: an earlier rule has the same header and value")
		}
	}
}

// VersionHeaders returns the headers that choose versions of any model, each once.
func VersionHeaders(models []Model) []string {
	var all []string
	add := func(name string) {
		if name != "" && len(all) <= MaxVersionHeaders && index(all, name) < 0 {
			all = append(all, name)
		}
	}
	for i := range models {
		add(models[i].VersionHeader)
		for _, r := range models[i].Rules {
			add(r.Header)
		}
	}
	return all
}

func index(all []string, s string) int {
	for i, x := range all {
		if x == s {
			return i
		}
	}
	return -1
}
