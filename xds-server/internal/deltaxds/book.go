package deltaxds

import (
	"iter"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// absent stands for a version where the client was told that a resource does
// not exist. No resource has an empty version.
const absent = ""

// entry is what is known of one name at one client. The zero entry is nothing:
// not asked for by name, never told.
type entry struct {
	told    *snapshot.Resource // the resource of version; nil if its content is not known
	version string             // last told; absent if told so
	known   bool               // version says something
	named   bool               // subscribed by name
	force   bool               // to be answered even if version is current
	asked   bool               // force, because the client asked by name
}

// has reports whether the client was last told that the resource exists.
func (e entry) has() bool { return e.known && e.version != absent }

func (e entry) equal(other entry) bool {
	e.told, other.told = nil, nil
	return e == other
}

// A book holds the entries of one type at one client. In the steady state a
// client has, and subscribes to, what a snapshot holds; so a book is such a
// snapshot, which all streams share, and the few entries that differ. Its cost
// follows what is pending or odd, not the number of resources.
type book struct {
	typeURL    string
	base       *snapshot.Snapshot // its resources count as told; nil: none do
	named      bool               // and as subscribed by name
	over       map[string]entry   // differ from base
	subscribed int                // entries that are named
	limit      int                // of over, beyond which another base is worth a try
}

// minLimit is how many odd entries a book holds before it looks for a base.
const minLimit = 64

func newBook(typeURL string) book {
	return book{typeURL: typeURL, over: make(map[string]entry), limit: minLimit}
}

// standard is the entry of name according to a base alone.
func standard(base *snapshot.Snapshot, typeURL, name string, named bool) entry {
	if base == nil {
		return entry{}
	}
	r := base.Get(typeURL, name)
	if r == nil {
		return entry{}
	}
	return entry{told: r, version: r.Version, known: true, named: named}
}

func (b *book) get(name string) entry {
	if e, odd := b.over[name]; odd {
		return e
	}
	return standard(b.base, b.typeURL, name, b.named)
}

func (b *book) put(name string, e entry) {
	if was := b.get(name); was.named != e.named {
		if e.named {
			b.subscribed++
		} else {
			b.subscribed--
		}
	}
	if e.equal(standard(b.base, b.typeURL, name, b.named)) {
		delete(b.over, name)
		return
	}
	b.over[name] = e
}

// change replaces the entry of name by what edit makes of it.
func (b *book) change(name string, edit func(*entry)) {
	e := b.get(name)
	edit(&e)
	b.put(name, e)
}

// bound is not less than the number of entries.
func (b *book) bound() int { return len(b.over) + b.base.Len(b.typeURL) }

// all yields every entry that is not zero. The book must not be changed
// meanwhile.
func (b *book) all() iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		for name, e := range b.over {
			if e != (entry{}) && !yield(name, e) {
				return
			}
		}
		for r := range b.base.All(b.typeURL) {
			if _, odd := b.over[r.Name]; odd {
				continue
			}
			if !yield(r.Name, entry{told: r, version: r.Version, known: true, named: b.named}) {
				return
			}
		}
	}
}

// holdsSomething reports whether the client has any resource of the type.
func (b *book) holdsSomething() bool {
	for _, e := range b.all() {
		if e.has() {
			return true
		}
	}
	return false
}

// rebase puts the book on another base. changed are the names in which that
// differs from the base before; they are of no use to a book without one.
func (b *book) rebase(to *snapshot.Snapshot, changed []string) {
	if b.base == nil {
		b.settle(to)
	} else {
		b.move(to, changed)
	}
	b.limit = max(minLimit, 2*len(b.over))
}

func (b *book) move(to *snapshot.Snapshot, changed []string) {
	next := make(map[string]entry)
	for name, e := range b.over {
		if !e.equal(standard(to, b.typeURL, name, b.named)) {
			next[name] = e
		}
	}
	for _, name := range changed {
		if _, odd := b.over[name]; odd {
			continue
		}
		if e := b.get(name); !e.equal(standard(to, b.typeURL, name, b.named)) {
			next[name] = e
		}
	}
	b.base, b.over = to, next
	if len(next) > minLimit && 2*len(next) > to.Len(b.typeURL) {
		b.unfold()
	}
}

// settle takes a first base, if that makes the book smaller.
func (b *book) settle(to *snapshot.Snapshot) {
	names := 0
	for _, e := range b.over {
		if e.named {
			names++
		}
	}
	named := 2*names > len(b.over)
	next := make(map[string]entry)
	for name, e := range b.over {
		if !e.equal(standard(to, b.typeURL, name, named)) {
			next[name] = e
		}
	}
	if 2*len(next) > len(b.over) {
		return
	}
	for r := range to.All(b.typeURL) {
		if _, has := b.over[r.Name]; !has {
			next[r.Name] = entry{}
		}
	}
	if 2*len(next) <= len(b.over) {
		b.base, b.named, b.over = to, named, next
	}
}

// unfold gives the base up.
func (b *book) unfold() {
	plain := make(map[string]entry)
	for name, e := range b.all() {
		plain[name] = e
	}
	b.base, b.named, b.over = nil, false, plain
}
