package spec

// Parse reads and validates a document. A field that is left out has its zero
// value; an error is an *Error. The document may have any white space and order
// of fields: Encode gives its canonical bytes.
func Parse(text []byte) (*Document, error) {
	r := newReader(text)
	d := &Document{}
	r.document(d)
	if r.err != nil {
		return nil, r.err
	}
	if err := Validate(d); err != nil {
		return nil, err
	}
	return d, nil
}

func (r *reader) document(d *Document) {
	r.object(func(name string) bool {
		switch name {
		case "version":
			d.Version = r.string()
		case "settings":
			r.settings(&d.Settings)
		case "models":
			d.Models = list(r, (*reader).model)
		case "limits":
			d.Limits = list(r, (*reader).limit)
		case "redactions":
			d.Redactions = list(r, (*reader).redaction)
		default:
			return false
		}
		return true
	})
}

func (r *reader) settings(s *Settings) {
	r.object(func(name string) bool {
		switch name {
		case "tenantHeader":
			s.TenantHeader = r.string()
		case "userHeader":
			s.UserHeader = r.string()
		case "trustedPeers":
			s.TrustedPeers = r.strings()
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
		default:
			return false
		}
		return true
	})
}

func (r *reader) model(m *Model) {
	r.object(func(name string) bool {
		switch name {
		case "name":
			m.Name = r.string()
		case "aliases":
			m.Aliases = r.strings()
		case "versions":
			m.Versions = r.strings()
		case "salt":
			m.Salt = r.string()
		case "versionHeader":
			m.VersionHeader = r.string()
		case "rules":
			m.Rules = list(r, (*reader).rule)
		default:
			return false
		}
		return true
	})
}

func (r *reader) rule(v *VersionRule) {
	r.object(func(name string) bool {
		switch name {
		case "header":
			v.Header = r.string()
		case "value":
			v.Value = r.string()
		case "version":
			v.Version = r.string()
		default:
			return false
		}
		return true
	})
}

func (r *reader) limit(l *Limit) {
	r.object(func(name string) bool {
		switch name {
		case "name":
			l.Name = r.string()
		case "models":
			l.Models = r.strings()
		case "key":
			l.Key = list(r, func(r *reader, k *KeySource) { *k = enum(r, ParseKeySource) })
		case "mode":
			l.Mode = enum(r, ParseLimitMode)
		case "semantic":
			r.semantic(&l.Semantic)
		case "tokens":
			r.tokens(&l.Tokens)
		case "onFailure":
			l.OnFailure = enum(r, ParseFailure)
		default:
			return false
		}
		return true
	})
}

func (r *reader) semantic(s *Semantic) {
	r.object(func(name string) bool {
		switch name {
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
			s.Models = list(r, (*reader).semanticModel)
		default:
			return false
		}
		return true
	})
}

func (r *reader) semanticModel(m *SemanticModel) {
	r.object(func(name string) bool {
		switch name {
		case "model":
			m.Model = r.string()
		case "baseMilli":
			m.BaseMilli = r.integer()
		case "kMilli":
			m.KMilli = r.integer()
		default:
			return false
		}
		return true
	})
}

func (r *reader) tokens(t *Tokens) {
	r.object(func(name string) bool {
		switch name {
		case "capacity":
			t.Capacity = r.integer()
		case "refillMilli":
			t.RefillMilli = r.integer()
		case "defaultOutput":
			t.DefaultOutput = r.integer()
		default:
			return false
		}
		return true
	})
}

func (r *reader) redaction(v *Redaction) {
	r.object(func(name string) bool {
		switch name {
		case "name":
			v.Name = r.string()
		case "models":
			v.Models = r.strings()
		case "entities":
			v.Entities = list(r, (*reader).entity)
		case "onFailure":
			v.OnFailure = enum(r, ParseFailure)
		default:
			return false
		}
		return true
	})
}

func (r *reader) entity(e *Entity) {
	var kind, mode bool
	r.object(func(name string) bool {
		switch name {
		case "kind":
			e.Kind, kind = enum(r, ParseEntityKind), true
		case "mode":
			e.Mode, mode = enum(r, ParseRedactionMode), true
		default:
			return false
		}
		return true
	})
	if !kind {
		r.failIn("kind", "is missing")
	}
	if !mode {
		r.failIn("mode", "is missing")
	}
}
