package spec

func (r *reader) redaction(v *Redaction) {
	for r.object(); r.next(); {
		switch r.member {
		case "name":
			v.Name = r.string()
		case "models":
			v.Models = r.strings(MaxModels)
		case "entities":
			v.Entities = list(r, nil, EntityKinds, (*reader).entity)
		case "onFailure":
			v.OnFailure = enum(r, ParseFailure)
		case "threshold":
			v.Threshold = uint8(r.short(100))
		case "skip":
			v.Skip = r.strings(MaxSkips)
		case "holdBytes":
			v.HoldBytes = uint16(r.short(MaxHoldBytes))
		case "encodings":
			v.Encodings = enum(r, ParseEncodings)
		case "custom":
			v.Custom = list(r, nil, MaxCustom, (*reader).custom)
		case "automaton":
			v.Automaton = r.base64()
		default:
			r.unknown()
		}
	}
}

func (r *reader) entity(e *Entity) {
	var kind, mode bool
	for r.object(); r.next(); {
		switch r.member {
		case "kind":
			e.Kind, kind = enum(r, ParseEntityKind), true
		case "mode":
			e.Mode, mode = enum(r, ParseRedactionMode), true
		case "directions":
			e.Directions = r.directions()
		case "shape":
			e.Shape = enum(r, ParseMaskShape)
		case "basis":
			e.Basis = r.string()
		default:
			r.unknown()
		}
	}
	if !kind {
		r.failIn("kind", "is missing")
	}
	if !mode {
		r.failIn("mode", "is missing")
	}
}

// directions reads a set of directions.
func (r *reader) directions() (set Direction) {
	for _, d := range list(r, nil, 2, func(r *reader, d *Direction) { *d = enum(r, ParseDirection) }) {
		if set&d != 0 {
			r.fail(quote(d.String()) + " stands here twice")
		}
		set |= d
	}
	return set
}

func (r *reader) custom(c *Custom) {
	mode := false
	for r.object(); r.next(); {
		switch r.member {
		case "name":
			c.Name = r.string()
		case "mode":
			c.Mode, mode = enum(r, ParseRedactionMode), true
		case "directions":
			c.Directions = r.directions()
		case "partOfWord":
			c.PartOfWord = r.bool()
		case "basis":
			c.Basis = r.string()
		default:
			r.unknown()
		}
	}
	if !mode {
		r.failIn("mode", "is missing")
	}
}

// short reads a whole number from 0 to high, which fits into the field's few bits.
func (r *reader) short(high int64) int64 {
	n := r.integer()
	if n < 0 || n > high {
		r.fail("must be from 0 to " + decimal(high))
		return 0
	}
	return n
}

func (w *writer) redaction(r *Redaction) {
	w.begin('{')
	w.base64("automaton", r.Automaton)
	items(w, "custom", r.Custom, (*writer).custom)
	if r.Encodings != EncodingsIdentity {
		w.string("encodings", r.Encodings.String())
	}
	items(w, "entities", r.Entities, (*writer).entity)
	w.nonzero("holdBytes", int64(r.HoldBytes))
	w.strings("models", r.Models)
	w.string("name", r.Name)
	w.string("onFailure", r.OnFailure.String())
	w.strings("skip", r.Skip)
	w.nonzero("threshold", int64(r.Threshold))
	w.end('}')
}

func (w *writer) entity(e *Entity) {
	w.begin('{')
	w.string("basis", e.Basis)
	if e.Directions != 0 {
		w.strings("directions", e.Directions.Names())
	}
	w.string("kind", e.Kind.String())
	w.string("mode", e.Mode.String())
	if e.Shape != ShapeUsual {
		w.string("shape", e.Shape.String())
	}
	w.end('}')
}

func (w *writer) custom(c *Custom) {
	w.begin('{')
	w.string("basis", c.Basis)
	if c.Directions != 0 {
		w.strings("directions", c.Directions.Names())
	}
	w.string("mode", c.Mode.String())
	w.string("name", c.Name)
	w.flag("partOfWord", c.PartOfWord)
	w.end('}')
}
