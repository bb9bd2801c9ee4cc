package spec

// hashDigits is how a hash is written: in hexadecimal digits, because JSON's numbers
// are not exact in 64 bits everywhere.
const hashDigits = 16

// FormatHash writes a bucket's key as documents have it.
func FormatHash(hash uint64) string {
	b := make([]byte, hashDigits)
	for i := range b {
		b[i] = "0123456789abcdef"[hash>>(60-4*i)&15]
	}
	return string(b)
}

// hash reads what FormatHash writes.
func (r *reader) hash() uint64 {
	if !r.expect('"', "a string") {
		return 0
	}
	raw, _ := r.raw()
	var hash uint64
	for _, c := range raw {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c-'a' < 6:
			c -= 'a' - 10
		default:
			r.fail("must be lower-case hexadecimal digits")
			return 0
		}
		hash = hash<<4 | uint64(c)
	}
	if len(raw) != hashDigits {
		r.fail("must be 16 hexadecimal digits")
	}
	return hash
}

// ClaimPath splits the path of a claim at its dots into the names of nested claims; a
// backslash takes the dot or backslash behind it as it is, as in https://a\.example/team.
// It returns nil for a path with an empty name or a stray backslash.
func ClaimPath(path string) []string {
	var names []string
	var name []byte
	for i := 0; i <= len(path); i++ {
		switch {
		case i == len(path) || path[i] == '.':
			if len(name) == 0 {
				return nil
			}
			names, name = append(names, string(name)), nil
			continue
		case path[i] == '\\':
			if i++; i == len(path) || path[i] != '.' && path[i] != '\\' {
				return nil
			}
		}
		name = append(name, path[i])
	}
	return names
}

// KeyNames returns the names in the keys of limits that come from a source, each once.
func KeyNames(limits []Limit, source KeySource) []string {
	var names []string
	for i := range limits {
		for _, k := range limits[i].Key {
			if k.Source == source && index(names, k.Name) < 0 {
				names = append(names, k.Name)
			}
		}
	}
	return names
}

func (v *validator) keyPart(key []KeyPart, i int) {
	k := key[i]
	switch {
	case k.Source > KeyClaim:
		v.fail("has no such value")
	case (k.Source >= KeyHeader) != (k.Name != ""):
		v.fail("only header and claim have a name, and both need one")
	case k.Source == KeyTenant && v.doc.Settings.TenantHeader == "":
		v.fail("tenant needs settings.tenantHeader")
	case k.Source == KeyHeader && !validHeader(k.Name):
		v.fail(quote(k.Name) + " is no header name: a lower-case token of at most " + decimal(MaxIDBytes) +
			" bytes that does not begin with x-weir-")
	case k.Source == KeyClaim && (len(ClaimPath(k.Name)) == 0 || !validText(k.Name, MaxClaimBytes)):
		v.fail(quote(k.Name) + " is no path to a claim: names with dots between them, at most " + decimal(MaxClaimBytes) + " bytes")
	}
	for j := range i {
		if key[j] == k {
			v.fail(quote(k.String()) + " stands here twice")
		}
	}
}

// overrides checks the table of buckets with numbers of their own.
func (v *validator) overrides(overrides []Override) {
	v.atMost(len(overrides), MaxOverrides)
	for i := range overrides {
		o := &overrides[i]
		v.item(i)
		if i > 0 && o.Key <= overrides[i-1].Key {
			v.failIn("hash", "must be above the one before: overrides are sorted by it, and each has its own")
		}
		v.within("capacity", o.Capacity, 1, MaxCapacity)
		v.within("refillMilli", o.RefillMilli, 0, MaxMilli)
		v.within("per", o.Per, 0, MaxPer)
		v.out()
	}
}

func (v *validator) rate(r *Rate) {
	v.within("capacity", r.Capacity, 1, MaxCapacity)
	v.within("refillMilli", r.RefillMilli, 0, MaxMilli)
	v.within("per", r.Per, 0, MaxPer)
	v.within("window", r.Window, 0, MaxPer)
	if r.Window > 0 && (r.RefillMilli > 0 || r.Per > 0) {
		v.failIn("window", "a quota has no refill")
	}
}

// numbers checks those of the limit's mode, and that there are no others.
func (v *validator) numbers(l *Limit) {
	problem := "the mode is " + l.Mode.String()
	s := &l.Semantic
	if l.Mode != LimitSemantic && (len(s.Models) > 0 || s.FloorMilli|s.RefillMilli|s.TokensPerUnit|s.MaxTokens|s.DefaultOutput|s.DefaultKMilli != 0) {
		v.failIn("semantic", problem)
	}
	if l.Mode != LimitTokens && l.Tokens != (Tokens{}) {
		v.failIn("tokens", problem)
	}
	if l.Mode != LimitRequests && l.Requests != (Rate{}) {
		v.failIn("requests", problem)
	}
	if l.Mode != LimitInFlight && l.InFlight != (InFlight{}) {
		v.failIn("inFlight", problem)
	}
	v.in(l.Mode.String())
	if rate := l.rate(); l.Scope != ScopeService && (l.Mode == LimitTokens || l.Mode == LimitRequests) {
		v.rate(&rate)
	}
	switch l.Mode {
	case LimitSemantic:
		v.semantic(l)
	case LimitTokens:
		v.tokens(&l.Tokens)
	case LimitInFlight:
		v.within("capacity", l.InFlight.Capacity, 1, MaxInFlight)
		v.within("lease", l.InFlight.Lease, 1, MaxLease)
	}
	v.out()
}
