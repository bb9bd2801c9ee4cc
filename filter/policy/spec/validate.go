package spec

// Validate checks everything that Parse does not check while reading: bounds,
// character sets, duplicates and references. Its error is an *Error.
func Validate(d *Document) error {
	v := &validator{doc: d}
	if d.Version != Version {
		v.fail(path{}.field("version"), "must be "+quote(Version))
	}
	v.settings(path{}.field("settings"), &d.Settings)
	v.models(path{}.field("models"), d.Models)
	if v.err == nil { // references make sense among good models only
		v.listed, v.weighted = newModelSet(len(d.Models)), newModelSet(len(d.Models))
		v.limits(path{}.field("limits"), d.Limits)
		v.redactions(path{}.field("redactions"), d.Redactions)
	}
	return v.err
}

// validator keeps the first problem.
type validator struct {
	doc   *Document
	names Names
	err   error

	listed, weighted modelSet
}

func (v *validator) fail(at path, problem string) {
	if v.err == nil {
		v.err = at.fail(problem)
	}
}

func (v *validator) within(at path, n, low, high int64) {
	if n < low || n > high {
		v.fail(at, "must be from "+decimal(low)+" to "+decimal(high))
	}
}

func (v *validator) atMost(at path, n, high int) {
	if n > high {
		v.fail(at, "has more than "+decimal(int64(high))+" items")
	}
}

func (v *validator) name(at path, s string) {
	if !validName(s, MaxNameBytes, "._-:/+") {
		v.fail(at, quote(s)+" is no name: 1 to "+decimal(MaxNameBytes)+" letters, digits and . _ - : / +, first a letter or digit")
	}
}

func (v *validator) header(at path, s string) {
	if !validHeader(s) {
		v.fail(at, quote(s)+" is no header name: a lower-case token of at most "+decimal(MaxIDBytes)+" bytes that does not begin with x-weir-")
	}
}

func (v *validator) unique(at path, all []string) {
	for i, s := range all {
		for _, earlier := range all[:i] {
			if s == earlier {
				v.fail(at.item(i), quote(s)+" stands here twice")
			}
		}
	}
}

func (v *validator) settings(at path, s *Settings) {
	if s.TenantHeader != "" {
		v.header(at.field("tenantHeader"), s.TenantHeader)
	}
	if s.UserHeader != "" {
		v.header(at.field("userHeader"), s.UserHeader)
	}
	peers := at.field("trustedPeers")
	v.atMost(peers, len(s.TrustedPeers), MaxTrustedPeers)
	for i, id := range s.TrustedPeers {
		if !validPeer(id) {
			v.fail(peers.item(i), quote(id)+" is no SPIFFE ID (spiffe://trust.domain/path)")
		}
	}
	v.unique(peers, s.TrustedPeers)
	v.within(at.field("holdLimit"), int64(s.HoldLimit), 1, MaxHoldLimit)
	v.within(at.field("workerHoldLimit"), int64(s.WorkerHoldLimit), int64(s.HoldLimit), MaxWorkerHoldLimit)
	v.within(at.field("maxDepth"), int64(s.MaxDepth), 1, MaxDepthLimit)
	if s.Overflow > OverflowStream {
		v.fail(at.field("overflow"), "has no such value")
	}
}

func (v *validator) models(at path, models []Model) {
	v.atMost(at, len(models), MaxModels)
	for i := range models {
		v.model(at.item(i), &models[i])
		if i > 0 && models[i].Name < models[i-1].Name {
			v.fail(at.item(i).field("name"), quote(models[i].Name)+" must stand before "+quote(models[i-1].Name)+": models are sorted by name")
		}
	}
	v.versionHeaders(at, models)
	v.names = NewNames(models)
	if v.names.Len() > MaxNames {
		v.fail(at, "have more than "+decimal(MaxNames)+" names and aliases")
	}
	for i := 1; i < len(v.names.entries); i++ {
		a, b := v.names.entries[i-1], v.names.entries[i]
		if a.name != b.name {
			continue
		}
		where := at.item(int(b.model))
		if b.alias >= 0 {
			where = where.field("aliases").item(int(b.alias))
		} else {
			where = where.field("name")
		}
		v.fail(where, quote(b.name)+" already names model "+quote(models[a.model].Name))
	}
}

func (v *validator) model(at path, m *Model) {
	v.name(at.field("name"), m.Name)
	v.atMost(at.field("aliases"), len(m.Aliases), MaxAliases)
	for i, alias := range m.Aliases {
		v.name(at.field("aliases").item(i), alias)
	}
	v.atMost(at.field("versions"), len(m.Versions), MaxVersions)
	for i, version := range m.Versions {
		if !validName(version, MaxIDBytes, "._-") {
			v.fail(at.field("versions").item(i), quote(version)+" is no version: 1 to "+decimal(MaxIDBytes)+" letters, digits and . _ -, first a letter or digit")
		}
	}
	v.unique(at.field("versions"), m.Versions)
	if len(m.Salt) > MaxSaltBytes {
		v.fail(at.field("salt"), "is longer than "+decimal(MaxSaltBytes)+" bytes")
	}
	if m.VersionHeader != "" {
		v.header(at.field("versionHeader"), m.VersionHeader)
	}
	v.atMost(at.field("rules"), len(m.Rules), MaxVersionRules)
	for i := range m.Rules {
		v.rule(at.field("rules").item(i), m, i)
	}
}

func (v *validator) rule(at path, m *Model, i int) {
	r := m.Rules[i]
	v.header(at.field("header"), r.Header)
	if r.Value == "" || !validText(r.Value, MaxValueBytes) {
		v.fail(at.field("value"), "must be 1 to "+decimal(MaxValueBytes)+" bytes without control characters")
	}
	if index(m.Versions, r.Version) < 0 {
		v.fail(at.field("version"), "model "+quote(m.Name)+" has no version "+quote(r.Version))
	}
	for _, earlier := range m.Rules[:i] {
		if earlier.Header == r.Header && earlier.Value == r.Value {
			v.fail(at, "can never match: an earlier rule has the same header and value")
		}
	}
}

// versionHeaders bounds what a stream has to remember of the request's headers.
func (v *validator) versionHeaders(at path, models []Model) {
	if headers := VersionHeaders(models); len(headers) > MaxVersionHeaders {
		v.fail(at, "name more than "+decimal(MaxVersionHeaders)+" different headers to choose versions")
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
