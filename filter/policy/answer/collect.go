package answer

// Structure is part of jsonscan.Sink, like the methods below.
func (v *survey) Structure(raw []byte) error {
	v.ended = v.offset(raw) + int32(len(raw))
	return nil
}

// Begin goes into a container.
func (v *survey) Begin(object bool, depth int) error {
	of := v.next()
	parent := *of
	in := v.place.begin(object, depth)
	if v.count == maxRecords || depth > maxNesting {
		v.over = true
		return nil
	}
	v.records[v.count] = record{parent: parent.record, item: object && parent.list, name: parent.name}
	in.record = int16(v.count)
	v.count++
	return nil
}

// End leaves a container.
func (v *survey) End(depth int) error {
	v.place.end(depth)
	return nil
}

// KeyStart begins a name.
func (v *survey) KeyStart() error {
	v.keyStart()
	v.open = field{from: v.ended, to: v.ended}
	return nil
}

// KeyBytes reads it.
func (v *survey) KeyBytes(raw []byte) error {
	v.keyBytes(raw)
	v.open.to = v.offset(raw) + int32(len(raw))
	return nil
}

// KeyEnd goes to the member. A name that is a token of the text is not let through.
func (v *survey) KeyEnd() error {
	f := v.keyEnd()
	v.keyed = v.open
	if f.mode == modeProbs && !f.known && v.blind {
		v.open.use = useEmpty
		v.add(v.open)
	}
	return nil
}

// StringStart begins a string.
func (v *survey) StringStart() error {
	f := v.next()
	v.open = field{from: v.ended, to: v.ended, key: v.keyed.from, keyEnd: v.keyed.to, name: f.name, record: f.record, use: f.use(v.blind), coded: f.class == coded}
	v.typed = f.class == kind && v.depth == 1
	v.value = seed
	return nil
}

// StringBytes reads it.
func (v *survey) StringBytes(raw []byte) error {
	v.open.to = v.offset(raw) + int32(len(raw))
	v.value = hash(v.value, raw)
	if v.typed {
		v.kinds = copy(v.kind[:], raw)
	}
	return nil
}

// StringEnd ends it.
func (v *survey) StringEnd() error {
	f := v.here()
	if v.open.use != useNothing {
		v.add(v.open)
		return nil
	}
	if f.record < 0 {
		return nil
	}
	switch r := &v.records[f.record]; f.class {
	case item:
		r.other += mix(f.name, v.value)
	case index: // some write numbers as strings
		r.id += mix(f.name, v.value)
	case finished:
		if v.open.to > v.open.from && v.value != wordNull { // some write null as a string
			r.ends, v.ends = true, true
		}
	}
	return nil
}

// Scalar reads a number or literal.
func (v *survey) Scalar(raw []byte) error {
	if !v.inScalar {
		v.inScalar = true
		v.next()
		at := v.offset(raw)
		v.open, v.value = field{from: at, to: at, use: useZero}, seed
	}
	v.open.to += int32(len(raw))
	v.value = hash(v.value, raw)
	return nil
}

// ScalarEnd ends it.
func (v *survey) ScalarEnd() error {
	v.inScalar = false
	f := v.here()
	if f.zero(v.blind) {
		v.add(v.open)
	} else if f.class == serial && v.depth == 1 {
		v.open.use = useSerial
		v.add(v.open)
	}
	if f.record < 0 {
		return nil
	}
	switch r := &v.records[f.record]; f.class {
	case index:
		r.id += mix(f.name, v.value)
	case done:
		if view(v.whole[v.open.from:v.open.to]) == "true" {
			r.ends, v.ends = true, true
		}
	}
	return nil
}
