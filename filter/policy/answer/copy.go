package answer

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// serials are the numbers of a stream's events. Events that are put in have numbers of
// their own, so that those behind them have others than they came with.
type serials struct {
	last int64 // that was written
	more int64 // events that were put in
}

// maxSerial is how many digits a number has at most.
const maxSerial = 18

// renumber writes the number of an event.
func (r *Rewriter) renumber(raw []byte) {
	n := int64(0)
	for _, c := range raw {
		if c-'0' > 9 || len(raw) > maxSerial {
			r.emit(raw)
			return
		}
		n = n*10 + int64(c-'0')
	}
	r.last = n + r.more
	if r.more == 0 {
		r.emit(raw)
		return
	}
	r.writeLast()
}

func (r *Rewriter) writeLast() { r.emit(jsonscan.AppendInt(r.desk.digits[:0], r.last)) }

// remark is a comment that says nothing.
var remark = [1]byte{':'}

// repeat ends a lane that holds something back with a copy of its last event.
func (r *Rewriter) repeat(l *lane) {
	at := 0
	if l.number >= 0 {
		r.last++
		r.more++
	}
	if l.number >= 0 && l.number <= l.at {
		r.emit(l.template[:l.number])
		r.writeLast()
		at = l.number
	}
	r.emit(l.template[at:l.at])
	l.end()
	if at = l.at; l.number > at {
		r.emit(l.template[at:l.number])
		r.writeLast()
		at = l.number
	}
	r.emit(l.template[at:l.copied])
}

// copy makes the lane's template of an event that has a piece of it in f.
func (l *lane) copy(event []byte, v *survey, f *field) {
	l.copied, l.number = 0, none
	at := int32(0)
	for i := range v.fields[:v.used] {
		g := &v.fields[i]
		l.copied += copy(l.template[l.copied:], event[at:g.from])
		at = g.to
		switch {
		case g == f:
			l.at = l.copied
		case g.use == useZero:
			l.copied += copy(l.template[l.copied:], zero[:])
		case g.use == useSerial:
			l.number = l.copied
		case g.use == useLine: // an empty one would end the event
			l.copied += copy(l.template[l.copied:], remark[:])
		}
	}
	l.copied += copy(l.template[l.copied:], event[at:])
	if hasSuffix(view(l.template[:l.copied]), "\n\r") { // the last line feed is told apart
		l.copied += copy(l.template[l.copied:], newline[:])
	}
}
