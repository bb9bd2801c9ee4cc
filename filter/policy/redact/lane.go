package redact

// Holding says whether bytes are held back that Bytes was given: they may still become
// a part of a match, or are one.
func (r *Redactor) Holding() bool { return r.Held() > 0 || r.rest != restNone }

// Held returns how many raw bytes are held back.
func (r *Redactor) Held() int { return r.held + r.custom.held }

// Release writes what is held back of which no match can begin any more. Bytes itself
// does not look: most strings have their next piece in the same body, and looking twice
// at the end of each costs up to three times as much.
func (r *Redactor) Release() {
	if r.open && r.rest == restNone {
		src := r.carry[:r.held]
		r.release(src)
		r.hold(src, r.pos)
	}
}

// Shorten decides what is oldest of what is held back, with what is known of it, so
// that at most so many raw bytes stay undecided. It says whether that decides nothing
// otherwise than what follows might have done.
func (r *Redactor) Shorten(most int) (certain bool) {
	certain = true
	if r.open && r.held > most {
		certain = r.shortenRun(most)
	}
	if r.Held() > most { // what may still become a custom match is none then
		r.settle()
		certain = false
	}
	return certain
}

// shortenRun is Shorten for the run that is held.
func (r *Redactor) shortenRun(most int) (certain bool) {
	w := &r.w
	limit, first := w.floor, w.floor
	for limit < w.n && r.held-int(w.start[limit]) > most {
		limit++
	}
	for first < limit && (w.at(first) == '(' || w.at(first) == '+' || w.at(first) == '/') {
		first++
	}
	src, mail := r.carry[:r.held], r.mailFrom()
	at := r.scan(src, limit, w.n) // a match there may have been decided too early, unless it goes on
	certain = limit == first || at <= first && mail > first && (r.rest != restNone || w.floor+lookAhead <= w.n)
	w.drop()
	r.release(src)
	r.hold(src, r.pos)
	return certain
}
