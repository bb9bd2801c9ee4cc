package usage

// verdict is what is known of an event.
type verdict uint8

const (
	pass  verdict = iota // it goes on
	doubt                // it may be the one to cut out: it waits
	drop                 // it is cut out
)

// line is what of a line has been read.
type line uint8

// A line that begins with fewer bytes of dataField has their number as its state.
const (
	lineSpace line = iota + line(len(dataField)) // of data, behind the colon: a space may follow
	lineData                                     // of data
	lineOther                                    // of another field, or a comment
)

const dataField = "data:"

// content is what the data of an event is.
type content uint8

const (
	contentNone  content = iota // nothing yet
	contentJSON                 // an object
	contentMark                 // [DONE]
	contentOther                // text, which is counted
)

// events is the state of reading server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6).
type events struct {
	cut     bool // the event to cut out is still to come
	verdict verdict
	line    line
	blank   bool // nothing of the line has been read
	cr      bool // the last byte ended a line, and a line feed may belong to it
	over    bool // the event has ended
	content content
	size    int // bytes of the event, up to holdBytes

	// Two memories for what waits: one may be on its way out while the other takes
	// the begin of the next event.
	wait [2][holdBytes]byte
	side uint8
	held int // bytes that wait in wait[side]
}

func (e *events) reset(cut bool) {
	e.cut, e.cr, e.held, e.side = cut, false, 0, 0
	e.open()
}

// open begins an event.
func (e *events) open() {
	e.verdict, e.line, e.blank, e.over, e.content, e.size = pass, 0, true, false, contentNone, 0
	if e.cut {
		e.verdict = doubt
	}
}

// keep lets the event go on, and before it what waited of it in earlier pieces.
func (e *events) keep(out *Passage) {
	e.verdict = pass
	if e.held > 0 {
		out.Before = e.wait[e.side][:e.held]
		e.side, e.held = e.side^1, 0
	}
}

// grow counts n bytes of the event and lets it go on when it has waited for too
// many.
func (e *events) grow(n int, out *Passage) {
	if e.verdict != doubt {
		return
	}
	if e.size += n; e.size >= holdBytes {
		e.keep(out)
	}
}

// scanEvents reads a piece of a stream of events.
func (s *Scanner) scanEvents(p []byte) (out Passage) {
	e := &s.events
	start := 0 // where the event begins in p; 0 also for one that began before
	for i := 0; i < len(p); {
		c := p[i]
		feed := e.cr && c == '\n'
		e.cr = false
		if feed { // the second half of a line's end
			e.grow(1, &out)
			i++
			s.weigh(i)
			continue
		}
		if e.over {
			s.weigh(i)
			if e.verdict == drop {
				out.From, out.To = start, i
			}
			e.open()
			start = i
		}
		if c == '\n' || c == '\r' {
			e.cr = c == '\r'
			i++
			s.endLine(&out)
			s.weigh(i)
			continue
		}
		n := lineLength(p[i:])
		if e.verdict == doubt {
			n = min(n, holdBytes-e.size)
		}
		s.part(p[i:i+n], &out)
		i += n
	}
	return e.leave(p, start, out)
}

// leave finishes a piece.
func (e *events) leave(p []byte, start int, out Passage) Passage {
	switch e.verdict {
	case drop:
		out.From, out.To = start, len(p)
	case doubt:
		out.Tail = len(p) - start
		e.held += copy(e.wait[e.side][e.held:], p[start:])
	}
	return out
}

// lineLength returns how many bytes stand before the end of a line.
func lineLength(p []byte) int {
	for i, c := range p {
		if c == '\n' || c == '\r' {
			return i
		}
	}
	return len(p)
}

// endLine ends a line; an empty one ends the event.
func (s *Scanner) endLine(out *Passage) {
	e := &s.events
	if !e.blank {
		e.line, e.blank = 0, true
		e.grow(1, out)
		return
	}
	e.over = true
	if s.values.marks.watched {
		s.values.marks.close()
	}
	if e.verdict == doubt {
		e.keep(out)
	}
}

// part reads a part of a line.
func (s *Scanner) part(p []byte, out *Passage) {
	e := &s.events
	size := len(p)
	e.blank = false
	for len(p) > 0 && e.line < lineSpace {
		if p[0] != dataField[e.line] {
			e.line = lineOther
			break
		}
		e.line++
		p = p[1:]
	}
	if len(p) > 0 && e.line == lineSpace {
		e.line = lineData
		if p[0] == ' ' {
			p = p[1:]
		}
	}
	if len(p) > 0 && e.line == lineData {
		s.data(p)
		s.judge(out)
	}
	e.grow(size, out)
}

// data reads a part of an event's data.
func (s *Scanner) data(p []byte) {
	e := &s.events
	if e.content == contentNone {
		switch p[0] {
		case '{':
			e.content = contentJSON
			s.begin()
		case '[':
			e.content = contentMark
		default:
			e.content = contentOther
		}
	}
	switch e.content {
	case contentJSON:
		s.value(p)
	case contentOther:
		s.opaque += int64(len(p))
	}
}

// judge decides about an event that waits, once enough of it was read.
func (s *Scanner) judge(out *Passage) {
	e, v := &s.events, &s.values
	switch {
	case e.verdict != doubt:
	case e.content == contentJSON && v.choices == choicesEmpty && v.report == reportObject:
		e.verdict, e.cut, e.held = drop, false, 0
	case e.content != contentJSON, s.broken, v.choices == choicesSome, v.report == reportNone:
		e.keep(out)
	}
}
