package source

import (
	"context"
	"fmt"
)

// Source is one place that resources or certificates come from: a folder, a
// prefix of an etcd.
type Source interface {
	// String names the source in errors. No two sources may have the same.
	String() string
	// Label is what the names of its documents begin with where there are
	// several sources of documents. Empty: it never holds any.
	Label() string
	// Read reads, once, everything that the source holds.
	Read(ctx context.Context) (Reading, error)
	// Watch begins to watch the source. It calls changed, from any goroutine
	// and never after Close has returned, when Read may have something new to
	// say, and never waits for what changed leads to.
	Watch(changed func()) Watched
}

// Watched is a source that is being watched.
type Watched interface {
	// Read is everything that the source holds now. Data that did not change is
	// the same slice as before. After an error the caller keeps what it has.
	Read(ctx context.Context) (Reading, error)
	// Close ends the watch, and returns when nothing of it runs any more.
	Close()
}

// Reading is everything that one source holds. Names are its own: unique in it.
type Reading struct {
	Set
	// Faults are of parts that could not be read. Such a part is in the Set as it
	// was read last, if ever it was.
	Faults []Fault
}

// Fault is a part of a source, such as one file, that could not be read.
type Fault struct {
	// Err says what, where, and how to mend it.
	Err error
	// Missing: it was never read, so nothing of it is in the Set.
	Missing bool
}

// Problem is why a source, or a part of it, does not give what it should.
type Problem struct {
	// Source is its name.
	Source string
	// Err says what is wrong, where, and how to mend it.
	Err error
	// Missing: what it should give is not in the Set at all, because it has
	// never been read. Otherwise the Set has what was read last.
	Missing bool
}

// String is one line for people.
func (p Problem) String() string {
	if p.Missing {
		return fmt.Sprintf("%s: %v (it has not been read yet)", p.Source, p.Err)
	}
	return fmt.Sprintf("%s: %v (what it held before stays)", p.Source, p.Err)
}

// Override is a resource that two sources define, and what was decided.
type Override struct {
	// Resource is its Kind/name.
	Resource string
	// By is where the definition in force stands: of the source given last.
	By string
	// Instead is where the one stands that has no effect.
	Instead string
}

// String is one line for people.
func (o Override) String() string {
	return fmt.Sprintf("%s of %s has no effect: a later source defines it, in %s", o.Resource, o.Instead, o.By)
}

// Update is what all sources hold together at one time.
type Update struct {
	Set
	// Problems are of sources that cannot be read now.
	Problems []Problem
	// Overrides are the resources that a later source defines anew.
	Overrides []Override
}

// Complete reports whether every source has been read, now or before. If not,
// what is absent from the Set may merely be unread: a server that has a last
// good configuration serves that rather than this.
func (u Update) Complete() bool {
	for _, p := range u.Problems {
		if p.Missing {
			return false
		}
	}
	return true
}
