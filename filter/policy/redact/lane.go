package redact

// Holding says whether bytes are held back that Bytes was given: they may still become
// a part of a match.
func (r *Redactor) Holding() bool { return r.open || r.custom.held > 0 }

// Held returns how many raw bytes are held back.
func (r *Redactor) Held() int { return r.held + r.custom.held }

// Shorten decides what is oldest of what is held back, with what is known of it, so
// that at most so many raw bytes stay undecided. What may still become a custom match is
// none then.
func (r *Redactor) Shorten(most int) {
	if r.open && r.held > most {
		r.shortenRun(most)
	}
	if r.Held() > most {
		r.settle()
	}
}

// shortenRun is Shorten for the run that is held.
func (r *Redactor) shortenRun(most int) {
	w := &r.w
	limit := w.floor
	for limit < w.n && r.held-int(w.start[limit]) > most {
		limit++
	}
	src := r.carry[:r.held]
	r.scan(src, limit)
	w.drop()
	r.keep(src, r.pos)
}
