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
	r.object(path{}, func(name string, at path) bool {
		switch name {
		case "version":
			d.Version = r.string(at)
		case "settings":
			r.settings(at, &d.Settings)
		case "models":
			d.Models = list(r, at, (*reader).model)
		case "limits":
			d.Limits = list(r, at, (*reader).limit)
		case "redactions":
			d.Redactions = list(r, at, (*reader).redaction)
		default:
			return false
		}
		return true
	})
}

func (r *reader) settings(at path, s *Settings) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "tenantHeader":
			s.TenantHeader = r.string(at)
		case "userHeader":
			s.UserHeader = r.string(at)
		case "trustedPeers":
			s.TrustedPeers = r.strings(at)
		case "holdLimit":
			s.HoldLimit = r.size(at)
		case "workerHoldLimit":
			s.WorkerHoldLimit = r.size(at)
		case "overflow":
			s.Overflow = enum(r, at, ParseOverflow)
		case "maxDepth":
			s.MaxDepth = r.size(at)
		case "record":
			s.Record = r.bool(at)
		default:
			return false
		}
		return true
	})
}

func (r *reader) model(at path, m *Model) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "name":
			m.Name = r.string(at)
		case "aliases":
			m.Aliases = r.strings(at)
		case "versions":
			m.Versions = r.strings(at)
		case "salt":
			m.Salt = r.string(at)
		case "versionHeader":
			m.VersionHeader = r.string(at)
		case "rules":
			m.Rules = list(r, at, (*reader).rule)
		default:
			return false
		}
		return true
	})
}

func (r *reader) rule(at path, v *VersionRule) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "header":
			v.Header = r.string(at)
		case "value":
			v.Value = r.string(at)
		case "version":
			v.Version = r.string(at)
		default:
			return false
		}
		return true
	})
}

func (r *reader) limit(at path, l *Limit) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "name":
			l.Name = r.string(at)
		case "models":
			l.Models = r.strings(at)
		case "key":
			l.Key = list(r, at, func(r *reader, at path, k *KeySource) { *k = enum(r, at, ParseKeySource) })
		case "mode":
			l.Mode = enum(r, at, ParseLimitMode)
		case "semantic":
			r.semantic(at, &l.Semantic)
		case "tokens":
			r.tokens(at, &l.Tokens)
		case "onFailure":
			l.OnFailure = enum(r, at, ParseFailure)
		default:
			return false
		}
		return true
	})
}

func (r *reader) semantic(at path, s *Semantic) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "floorMilli":
			s.FloorMilli = r.integer(at)
		case "refillMilli":
			s.RefillMilli = r.integer(at)
		case "tokensPerUnit":
			s.TokensPerUnit = r.integer(at)
		case "maxTokens":
			s.MaxTokens = r.integer(at)
		case "defaultOutput":
			s.DefaultOutput = r.integer(at)
		case "defaultKMilli":
			s.DefaultKMilli = r.integer(at)
		case "models":
			s.Models = list(r, at, (*reader).semanticModel)
		default:
			return false
		}
		return true
	})
}

func (r *reader) semanticModel(at path, m *SemanticModel) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "model":
			m.Model = r.string(at)
		case "baseMilli":
			m.BaseMilli = r.integer(at)
		case "kMilli":
			m.KMilli = r.integer(at)
		default:
			return false
		}
		return true
	})
}

func (r *reader) tokens(at path, t *Tokens) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "capacity":
			t.Capacity = r.integer(at)
		case "refillMilli":
			t.RefillMilli = r.integer(at)
		case "defaultOutput":
			t.DefaultOutput = r.integer(at)
		default:
			return false
		}
		return true
	})
}

func (r *reader) redaction(at path, v *Redaction) {
	r.object(at, func(name string, at path) bool {
		switch name {
		case "name":
			v.Name = r.string(at)
		case "models":
			v.Models = r.strings(at)
		case "entities":
			v.Entities = list(r, at, (*reader).entity)
		case "onFailure":
			v.OnFailure = enum(r, at, ParseFailure)
		default:
			return false
		}
		return true
	})
}

func (r *reader) entity(at path, e *Entity) {
	var kind, mode bool
	r.object(at, func(name string, at path) bool {
		switch name {
		case "kind":
			e.Kind, kind = enum(r, at, ParseEntityKind), true
		case "mode":
			e.Mode, mode = enum(r, at, ParseRedactionMode), true
		default:
			return false
		}
		return true
	})
	if !kind {
		r.fail(at.field("kind"), "is missing")
	}
	if !mode {
		r.fail(at.field("mode"), "is missing")
	}
}
