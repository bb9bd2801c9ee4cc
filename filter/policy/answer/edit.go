package answer

// edit writes an event with its strings redacted, in front of it what else has to come
// of lanes that it ends; last says that it ends all of them. An event is written whole
// or not at all.
func (r *Rewriter) edit(event []byte, last bool) {
	v, d := &r.desk.survey, r.desk
	v.read(event, r.format == Lines, r.opening.guessed, r.rules != nil)
	switch {
	case v.broken:
		r.flush(all)
		if r.fail(Unreadable) {
			r.emit(event)
		}
		return
	case v.over:
		r.flush(all)
		r.beginLong()
		r.takeLong(event, true)
		return
	}
	d.line, r.whole = d.line[:0], true
	r.flush(ending{v, last || v.content == contentMark})
	r.fields(event, v, last)
	if r.whole = false; !r.stopped() {
		r.emit(d.line)
	}
}

// ending says which lanes an event ends; without one, all.
type ending struct {
	v    *survey
	last bool
}

var all = ending{last: true}

// ends says whether the event ends a lane.
func (e ending) ends(l *lane) bool {
	v := e.v
	switch {
	case e.last || v.is == eventLast || v.is == eventClose && l.root == v.root():
		return true
	case !v.ends:
		return false
	}
	for i := range v.records[:v.count] {
		if s := &v.records[i]; s.ends && (s.top == 0 || s.top == l.top) {
			return true
		}
	}
	return false
}

// has says whether the event has a piece of the lane.
func (e ending) has(l *lane) bool {
	if e.v == nil || e.v.is != eventPart {
		return false
	}
	for i := range e.v.fields[:e.v.used] {
		if f := &e.v.fields[i]; f.use == useJoined && e.v.key(f) == l.key {
			return true
		}
	}
	return false
}

// flush ends the lanes that an event ends without a piece of them.
func (r *Rewriter) flush(e ending) {
	for i := 0; i < r.count; {
		l := r.lanes[i]
		if !e.ends(l) || e.has(l) {
			i++
			continue
		}
		if l.holding() {
			r.repeat(l)
		}
		copy(r.lanes[i:], r.lanes[i+1:r.count]) // in the order in which they began
		r.count--
		r.lanes[r.count] = nil
		r.desk.give(l)
	}
}

// fields writes the event with what is done to its strings.
func (r *Rewriter) fields(event []byte, v *survey, last bool) {
	at := int32(0)
	for i := range v.fields[:v.used] {
		f := &v.fields[i]
		r.emit(event[at:f.from])
		at = f.to
		raw := event[f.from:f.to]
		switch {
		case f.use == useZero:
			r.emit(zero[:])
		case f.use == useSerial:
			r.renumber(raw)
		case f.use == useLine:
			r.reader.text.openLine()
			r.reader.text.add(raw)
			r.reader.text.closeLine()
		case f.use == useAlone, f.use == useJoined && v.is != eventPart:
			r.reader.text.start(event[f.key:f.keyEnd], f.coded)
			r.reader.text.add(raw)
			r.reader.text.end()
		case f.use == useJoined:
			r.join(raw, f, ending{v, last})
		}
		if r.blocked(); r.stopped() {
			return
		}
	}
	r.emit(event[at:])
	r.remember(event, v)
}

// join takes a piece of a lane.
func (r *Rewriter) join(raw []byte, f *field, e ending) {
	l := r.find(e.v.key(f), e.v.whole[f.key:f.keyEnd], f.coded)
	if l == nil {
		if r.fail(Crowded) {
			r.emit(raw)
		}
		return
	}
	if f.record >= 0 {
		l.root, l.top = e.v.root(), e.v.records[f.record].top
	}
	l.add(raw)
	if e.ends(l) {
		l.end()
		return
	}
	l.goOn()
	if r.hold > 0 && !l.redactor.Shorten(r.hold) {
		r.fail(Crowded)
	}
	if l.holding() && l.copied == 0 && e.v.bare() > room && r.fail(Crowded) {
		l.end()
	}
}

// bare is how long the event is without its strings, at most a byte in place of each.
func (v *survey) bare() int {
	n := len(v.whole)
	for i := range v.fields[:v.used] {
		f := &v.fields[i]
		if n -= int(f.to - f.from); f.use >= useZero {
			n++
		}
	}
	return n
}

// remember copies the event, without its strings, for the lanes that hold something
// back.
func (r *Rewriter) remember(event []byte, v *survey) {
	if v.is != eventPart || v.used == 0 || v.bare() > room {
		return
	}
	for i := range v.fields[:v.used] {
		f := &v.fields[i]
		if f.use != useJoined {
			continue
		}
		for _, l := range r.lanes[:r.count] {
			if l.key == v.key(f) && l.holding() {
				l.copy(event, v, f)
			}
		}
	}
}

// beginLong goes over to reading an event as it comes, each string alone. What lanes
// hold back goes out in front of it.
func (r *Rewriter) beginLong() {
	r.flush(all)
	r.frame.long, r.frame.matched = true, 0
	r.reader.reset(r)
	for r.held.Blocks() > 0 {
		r.takeLong(r.held.Block(0), false)
		r.held.DropFirst()
	}
}

const dataField = "data:"

// takeLong takes a part of a long event. Lines that are no data are texts of their own.
func (r *Rewriter) takeLong(p []byte, complete bool) {
	f, v := &r.frame, &r.reader
	for i := 0; i < len(p) && !r.stopped(); {
		n := 1
		switch {
		case p[i] == '\n' || p[i] == '\r':
			r.endLine()
			if v.begun {
				v.read(p[i : i+1])
			} else {
				r.emit(p[i : i+1])
			}
		case f.matched == len(dataField) || r.format == Lines:
			n = lineLength(p[i:])
			v.read(p[i : i+n])
		case f.matched >= 0 && p[i] == dataField[f.matched]:
			f.matched++
			r.emit(p[i : i+1])
		default:
			if f.matched != none {
				f.matched = none
				v.text.openLine()
			}
			n = lineLength(p[i:])
			v.text.add(p[i : i+n])
			r.blocked()
		}
		i += n
	}
	if complete && !r.stopped() {
		f.long = false
		v.end()
	}
}

// endLine ends a line of a long event.
func (r *Rewriter) endLine() {
	if r.frame.matched == none {
		r.reader.text.closeLine()
	}
	r.frame.matched = 0
}
