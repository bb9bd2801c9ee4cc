package source

import "time"

// feed is what is known of one source.
type feed struct {
	name    string
	watched Watched
	reading bool      // a read has begun and not ended
	since   time.Time // when it began
	late    bool      // it is not waited for any more
	known   bool      // held is what the source held at some time
	held    Reading
	err     error // why held is not what it holds now
}

// take takes what came of a read.
func (f *feed) take(reading Reading, err error) {
	f.reading, f.late, f.err = false, false, err
	if err == nil {
		f.held, f.known = reading, true
	}
}

// awaited: what the source says is needed before anything is delivered.
func (f feed) awaited() bool { return f.reading && !f.late }

// troubled: the source has to be asked again.
func (f feed) troubled() bool { return f.err != nil || len(f.held.Faults) > 0 }

func (f feed) problems() []Problem {
	var all []Problem
	if f.err != nil {
		all = append(all, Problem{Source: f.name, Err: f.err, Missing: !f.known})
	}
	for _, fault := range f.held.Faults {
		all = append(all, Problem{Source: f.name, Err: fault.Err, Missing: fault.Missing})
	}
	return all
}

// update merges what is known of all.
func update(m *merger, feeds []feed) Update {
	var u Update
	held := make([]Set, len(feeds))
	for i, f := range feeds {
		held[i] = f.held.Set
		u.Problems = append(u.Problems, f.problems()...)
	}
	u.Set, u.Overrides = m.merge(held)
	return u
}
