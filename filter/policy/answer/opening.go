package answer

// opening is how an answer begins that is said to be text or JSON. Some servers say so of
// a stream of events, whose texts have to be joined.
type opening struct {
	known   bool // how it is read
	guessed bool // as events, of which nobody said so
	n       int
	text    [6]byte // of the begin, until it is clear what it is
}

// fieldNames begin the lines of a stream of events, and no JSON
// (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.5).
var fieldNames = [...]string{dataField, "event:", "id:", "retry:", ":"}

// waits says whether bytes are held back.
func (o *opening) waits() bool { return !o.known && o.n > 0 }

// guess takes the first bytes of the answer, and finds out how it is read. It returns
// what of them is still to be read.
func (r *Rewriter) guess(p []byte) []byte {
	o := &r.opening
	if o.n == 0 {
		if o.find(p); o.known {
			r.asGuessed()
			return p
		}
	}
	n := copy(o.text[o.n:], p)
	o.n += n
	if o.find(o.text[:o.n]); o.known {
		r.asGuessed()
		r.read(o.text[:o.n])
	}
	return p[n:]
}

// find looks whether an answer that begins with p is a stream of events.
func (o *opening) find(p []byte) {
	o.known = true
	for _, name := range fieldNames {
		if hasPrefix(p, name) {
			o.guessed = true
		} else if len(p) < len(name) && view(p) == name[:len(p)] {
			o.known = false
		}
	}
}

func (r *Rewriter) asGuessed() {
	if r.opening.guessed {
		r.format = Events
		r.reader.reset(r)
	}
}

// opened reads what is held back of the begin of an answer that has ended.
func (r *Rewriter) opened() {
	if o := &r.opening; o.waits() {
		o.known = true
		r.read(o.text[:o.n])
	}
}
