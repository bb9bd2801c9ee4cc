package answer

// frameReader finds where events end
// (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6).
type frameReader struct {
	filled  bool // the line has bytes
	feed    bool // a line ended with a carriage return, and a line feed may belong to it
	ended   bool // likewise the event
	remark  bool // the line is a comment
	named   bool // the event has lines that are none
	long    bool // the event is too long to wait for
	matched int  // of the name of a long event's field, none: it is another
	mark    int  // bytes of a byte order mark in front of the answer
}

// skipMark lets the byte order mark out with which a stream or a JSON text may begin
// (RFC 8259, section 8.1). It is no part of them.
func (r *Rewriter) skipMark(p []byte) []byte {
	const mark = "\xEF\xBB\xBF"
	for at := &r.frame.mark; *at < len(mark) && len(p) > 0; *at++ {
		if p[0] != mark[*at] {
			*at = len(mark)
			break
		}
		r.emit(p[:1])
		p = p[1:]
	}
	return p
}

func (f *frameReader) reset() { *f = frameReader{} }

// stream takes a piece of a stream.
func (r *Rewriter) stream(p []byte) {
	for len(p) > 0 && !r.stopped() {
		n, complete := r.frame.cut(p, r.format == Lines)
		r.take(p[:n], complete)
		p = p[n:]
	}
}

// cut returns how many bytes of p belong to the event, or to a comment before it, and
// whether that is complete. A line feed of the event before is complete by itself.
func (f *frameReader) cut(p []byte, lines bool) (n int, complete bool) {
	if f.ended {
		f.ended, f.feed = false, false
		if p[0] == '\n' {
			return 1, true
		}
	}
	for i := 0; i < len(p); i++ {
		c := p[i]
		feed := f.feed && c == '\n'
		f.feed = false
		switch {
		case feed: // the second half of a line's end
		case c != '\n' && c != '\r':
			if !f.filled {
				f.filled, f.remark = true, c == ':'
			}
			k := lineLength(p[i:])
			i += k - 1
		default:
			f.feed = c == '\r'
			remark := f.filled && f.remark && !f.named
			if lines && f.filled || !f.filled || remark {
				f.filled, f.named, f.ended = false, false, f.feed
				f.feed = false
				return i + 1, true
			}
			f.filled, f.named = false, true
		}
	}
	return len(p), false
}

// take takes a part of an event; complete says that it is the last.
func (r *Rewriter) take(p []byte, complete bool) {
	switch {
	case r.frame.long:
		r.takeLong(p, complete)
	case !complete || r.held.Len() > 0:
		if r.held.Len()+len(p) > maxEvent || r.held.Append(p) != nil {
			r.beginLong()
			r.takeLong(p, complete)
			return
		}
		if complete {
			r.edit(r.assemble(), false)
			r.held.Release()
		}
	default:
		r.edit(p, false)
	}
}

// assemble returns the event that is held, in one piece.
func (r *Rewriter) assemble() []byte {
	if r.held.Blocks() == 1 {
		return r.held.Block(0)
	}
	d := r.desk
	if d.event == nil {
		d.event = make([]byte, maxEvent)
	}
	b := d.event[:0]
	for i := range r.held.Blocks() {
		b = append(b, r.held.Block(i)...)
	}
	return b
}

// endStream ends a stream. Of an event without its end clients may read what they want,
// so it is one like the others.
func (r *Rewriter) endStream() {
	switch {
	case r.frame.long:
		r.endLine()
		r.reader.end()
	case r.held.Len() > 0:
		r.edit(r.assemble(), true)
		r.held.Release()
	}
	if !r.stopped() {
		r.flush(all)
	}
}
