package answer

// lane is a text that comes in pieces.
type lane struct {
	text
	key      uint32 // its place in an event
	root     uint32 // the event's indices
	top      uint32 // the outermost item of a list that it is in, 0: in none
	used     uint32 // when it was last
	copied   int    // bytes of template
	at       int    // where its text goes in there
	number   int    // likewise its number, none: it has none
	template [maxTemplate]byte
}

// room is for an event without its texts, and what a copy of it is longer by.
const room = maxTemplate - 64

// Desk is what a worker's Rewriters share: what they need while they read an event,
// and lanes. The zero value is ready.
type Desk struct {
	survey survey
	event  []byte // an event of more than one block
	line   []byte // an event that is being written
	digits [20]byte
	free   []*lane
	lanes  int // that there are
}

// maxPooled bounds the lanes of a worker.
const maxPooled = 4096

// take returns a lane, nil if there are too many.
func (d *Desk) take() *lane {
	if n := len(d.free); n > 0 {
		l := d.free[n-1]
		d.free = d.free[:n-1]
		return l
	}
	if d.lanes == maxPooled {
		return nil
	}
	d.lanes++
	return &lane{}
}

func (d *Desk) give(l *lane) {
	l.release()
	d.free = append(d.free, l)
}

// find returns the lane of a key, or a new one, of a member of this name; nil if there are too many.
func (r *Rewriter) find(key uint32, name []byte, coded bool) *lane {
	r.clock++
	for _, l := range r.lanes[:r.count] {
		if l.key == key {
			l.used = r.clock
			return l
		}
	}
	if r.count == MaxLanes && !r.makeRoom() {
		return nil
	}
	l := r.desk.take()
	if l == nil {
		return nil
	}
	l.key, l.root, l.top, l.used, l.copied = key, 0, 0, r.clock, 0
	l.reset(r)
	l.start(name, coded)
	r.lanes[r.count] = l
	r.count++
	return l
}

// makeRoom gives up the lane that was used last of those that hold nothing back: what
// comes of it is read as if nothing stood before it.
func (r *Rewriter) makeRoom() bool {
	oldest := none
	for i, l := range r.lanes[:] {
		if !l.holding() && (oldest == none || l.used < r.lanes[oldest].used) {
			oldest = i
		}
	}
	if oldest == none {
		return false
	}
	r.drop(oldest)
	return true
}

// drop gives a lane back.
func (r *Rewriter) drop(i int) {
	r.desk.give(r.lanes[i])
	r.count--
	r.lanes[i], r.lanes[r.count] = r.lanes[r.count], nil
}
