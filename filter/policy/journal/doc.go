// Package journal lists the open reservations of a worker in a store that outlives it,
// such as Envoy's shared data: a worker whose VM traps gets no callback for the streams
// that it had, and the next one knows nothing of them.
//
// The store has a fixed number of slots. A worker claims one with an epoch, a random
// number, and from then on says that it lives by a number that it counts up in the
// slot's head. Its reservations stand in the slot's pages, one entry for each charge.
// A worker whose number stands still for deadTicks ticks of another is dead: that one
// settles its entries by what they say was spent, and frees the slot.
//
// A worker that was only slow must not settle again what was settled for it. It can
// only have been declared dead if it did not beat for longer than staleNs, so it looks
// at its head before the first charge after such a time. If the slot is lost, its
// reservations cost by now what their entries said, and that is what they are settled
// from.
//
// A page is taken out of the store before its entries are settled, and an entry before
// its charge is: a worker that traps in between leaves a reservation that stays spent,
// never one that flows back twice.
package journal

// Shape of the store. Nothing grows beyond it.
const (
	Slots          = 128 // workers, living and dead, at one time
	Pages          = 64  // of a slot
	EntriesPerPage = 16
	// PageSize and HeadSize are sizes in bytes.
	PageSize = EntriesPerPage * entrySize
	HeadSize = 24
)

// second is one second in nanoseconds.
const second = 1_000_000_000

// Times of the heartbeat. A tick comes each second at most, so a worker that is
// declared dead has not beaten for four seconds at least.
const (
	deadTicks = 5
	staleNs   = 3 * second
)

// Head is the page number of a slot's head.
const Head = Pages

// Store holds heads and pages.
type Store interface {
	// Load returns a page of a slot, or its head, and the version of that, or found
	// false where nothing was written yet. The bytes are valid until the next call.
	Load(slot, page int) (value []byte, version uint32, found bool, err error)
	// Save writes if the version is still the one loaded (or if nothing was written,
	// with found false); saved is false if another was faster.
	Save(slot, page int, value []byte, version uint32, found bool) (saved bool, err error)
	// Write writes whatever stands there.
	Write(slot, page int, value []byte) error
}

// Buckets is what the entries of the dead are settled with.
type Buckets interface {
	// SettleFor settles a charge that another worker took.
	SettleFor(entry *Entry, nowNs int64)
}
