package spec

// Parse reads and validates a document. A field that is left out has its zero
// value; an error is an *Error. The document may have any white space and order
// of fields: Encode gives its canonical bytes. Nothing of text is kept.
func Parse(text []byte) (*Document, error) {
	d := &Document{}
	if err := ParseInto(d, &Names{}, &Tables{}, text); err != nil {
		return nil, err
	}
	return d, nil
}

// ParseInto is Parse into a document whose memory for models is used again, into
// the index of their names, and with automata in memory that was used before. After
// an error document and names are good for nothing but another ParseInto.
func ParseInto(d *Document, names *Names, tables *Tables, text []byte) error {
	clear(d.Models[:cap(d.Models)])
	*d = Document{Models: d.Models[:0], Overrides: d.Overrides[:0]}
	r := newReader(text, tables)
	r.document(d)
	if r.err != nil {
		return r.err
	}
	return validate(d, names)
}

func (r *reader) document(d *Document) {
	for r.object(); r.next(); {
		switch r.member {
		case "version":
			d.Version = r.string()
		case "settings":
			r.settings(&d.Settings)
		case "models":
			d.Models = list(r, d.Models, MaxModels, (*reader).model)
		case "limits":
			d.Limits = list(r, nil, MaxLimits, (*reader).limit)
		case "attributes":
			d.Attributes = list(r, nil, MaxAttributes, (*reader).attribute)
		case "trees":
			d.Trees = list(r, nil, MaxTrees, (*reader).tree)
		case "overrides":
			d.Overrides = list(r, d.Overrides, MaxOverrides, (*reader).override)
		case "redactions":
			d.Redactions = list(r, nil, MaxRedactions, (*reader).redaction)
		default:
			r.unknown()
		}
	}
}

func (r *reader) settings(s *Settings) {
	for r.object(); r.next(); {
		switch r.member {
		case "tenantHeader":
			s.TenantHeader = r.string()
		case "userHeader":
			s.UserHeader = r.string()
		case "trustedPeers":
			s.TrustedPeers = r.strings(MaxTrustedPeers)
		case "holdLimit":
			s.HoldLimit = r.size()
		case "workerHoldLimit":
			s.WorkerHoldLimit = r.size()
		case "overflow":
			s.Overflow = enum(r, ParseOverflow)
		case "maxDepth":
			s.MaxDepth = r.size()
		case "record":
			s.Record = r.bool()
		case "evidence":
			s.Evidence = enum(r, ParseEvidence)
		default:
			r.unknown()
		}
	}
}

func (r *reader) model(m *Model) {
	for r.object(); r.next(); {
		switch r.member {
		case "name":
			m.Name = r.string()
		case "aliases":
			m.Aliases = r.strings(MaxAliases)
		case "renames":
			m.Renames = r.bool()
		case "versions":
			m.Versions = r.strings(MaxVersions)
		case "salt":
			m.Salt = r.string()
		case "versionHeader":
			m.VersionHeader = r.string()
		case "grpc":
			m.GRPC = r.bool()
		case "rules":
			m.Rules = list(r, nil, MaxVersionRules, (*reader).rule)
		case "estimate":
			m.Estimate = r.estimate()
		default:
			r.unknown()
		}
	}
}

func (r *reader) rule(v *VersionRule) {
	for r.object(); r.next(); {
		switch r.member {
		case "header":
			v.Header = r.string()
		case "value":
			v.Value = r.string()
		case "version":
			v.Version = r.string()
		default:
			r.unknown()
		}
	}
}

func (r *reader) limit(l *Limit) {
	for r.object(); r.next(); {
		switch r.member {
		case "name":
			l.Name = r.string()
		case "models":
			l.Models = r.strings(MaxModels)
		case "key":
			l.Key = list(r, nil, MaxKeyParts, func(r *reader, k *KeyPart) { *k = enum(r, ParseKeyPart) })
		case "mode":
			l.Mode = enum(r, ParseLimitMode)
		case "semantic":
			r.semantic(&l.Semantic)
		case "tokens":
			r.tokens(&l.Tokens)
		case "requests":
			r.rate(&l.Requests)
		case "inFlight":
			r.inFlight(&l.InFlight)
		case "missing":
			l.Missing = enum(r, ParseMissing)
		case "onFailure":
			l.OnFailure = enum(r, ParseFailure)
		case "leastOutput":
			l.Shortage.LeastOutput = r.integer()
		case "stop":
			l.Shortage.Stop = r.bool()
		case "graceMs":
			l.Shortage.GraceMs = r.integer()
		case "scope":
			l.Scope = enum(r, ParseScope)
		default:
			r.unknown()
		}
	}
}

func (r *reader) semantic(s *Semantic) {
	for r.object(); r.next(); {
		switch r.member {
		case "floorMilli":
			s.FloorMilli = r.integer()
		case "refillMilli":
			s.RefillMilli = r.integer()
		case "tokensPerUnit":
			s.TokensPerUnit = r.integer()
		case "maxTokens":
			s.MaxTokens = r.integer()
		case "defaultOutput":
			s.DefaultOutput = r.integer()
		case "defaultKMilli":
			s.DefaultKMilli = r.integer()
		case "models":
			s.Models = list(r, nil, MaxModels, (*reader).semanticModel)
		default:
			r.unknown()
		}
	}
}

func (r *reader) semanticModel(m *SemanticModel) {
	for r.object(); r.next(); {
		switch r.member {
		case "model":
			m.Model = r.string()
		case "baseMilli":
			m.BaseMilli = r.integer()
		case "kMilli":
			m.KMilli = r.integer()
		default:
			r.unknown()
		}
	}
}

func (r *reader) tokens(t *Tokens) {
	for r.object(); r.next(); {
		switch r.member {
		case "capacity":
			t.Capacity = r.integer()
		case "refillMilli":
			t.RefillMilli = r.integer()
		case "per":
			t.Per = r.integer()
		case "window":
			t.Window = r.integer()
		case "defaultOutput":
			t.DefaultOutput = r.integer()
		case "inputMilli":
			t.InputMilli = r.integer()
		case "cachedMilli":
			t.CachedMilli = r.integer()
		case "outputMilli":
			t.OutputMilli = r.integer()
		default:
			r.unknown()
		}
	}
}

func (r *reader) rate(v *Rate) {
	for r.object(); r.next(); {
		switch r.member {
		case "capacity":
			v.Capacity = r.integer()
		case "refillMilli":
			v.RefillMilli = r.integer()
		case "per":
			v.Per = r.integer()
		case "window":
			v.Window = r.integer()
		default:
			r.unknown()
		}
	}
}

func (r *reader) inFlight(v *InFlight) {
	for r.object(); r.next(); {
		switch r.member {
		case "capacity":
			v.Capacity = r.integer()
		case "lease":
			v.Lease = r.integer()
		default:
			r.unknown()
		}
	}
}

func (r *reader) override(v *Override) {
	*v = Override{} // its memory was another's
	for r.object(); r.next(); {
		switch r.member {
		case "hash":
			v.Key = r.hash()
		case "capacity":
			v.Capacity = r.integer()
		case "refillMilli":
			v.RefillMilli = r.integer()
		case "per":
			v.Per = r.integer()
		default:
			r.unknown()
		}
	}
}
