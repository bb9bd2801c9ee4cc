package journal

import (
	"math/bits"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

// Journal is the list of one worker. Its memory is fixed.
type Journal struct {
	store  Store
	random func() uint64

	slot       int    // none: no slot is claimed
	epoch      uint64 // with which it was
	beatNs     int64  // when the store was told last
	generation uint32 // of tickets; counts the slots that were claimed

	pages []byte        // without pointers for the collector to look for; made with the first slot
	used  [Pages]uint16 // bits of entries
	dirty uint64        // bits of pages that the store has otherwise
	told  uint32        // pages that the head tells of
	first int           // page that may have room

	head    [HeadSize]byte
	scratch [PageSize]byte // of a dead worker
	entry   Entry
	seen    [Slots]observed

	Unlisted uint64 // reservations that found no room, for a metric
	Orphans  uint64 // reservations of dead workers that were settled, for a metric
}

// observed is what is known of another's head.
type observed struct {
	beat  uint64
	ticks uint8 // for which it stood still
}

const none = -1

// Init makes j ready; random names epochs.
func (j *Journal) Init(s Store, random func() uint64) {
	j.store, j.random, j.slot = s, random, none
}

// Add lists a charge of which so much was taken. One that is listed already has become
// larger by it. The store knows of it after Flush.
func (j *Journal) Add(c *bucket.Charge, takenMicro, nowNs int64) {
	if !j.present(nowNs) {
		c.Ticket = bucket.Ticket{}
		j.Unlisted++
		return
	}
	if j.has(c) {
		b := j.at(c)
		j.entry.get(b)
		j.entry.Charge.CostMicro += takenMicro
		j.entry.SpentMicro = max(j.entry.SpentMicro, 0) + takenMicro
		j.write(c, b)
		return
	}
	n := j.room()
	if n == none {
		c.Ticket = bucket.Ticket{}
		j.Unlisted++
		return
	}
	j.used[n/EntriesPerPage] |= 1 << (n % EntriesPerPage)
	c.Ticket = bucket.Ticket{Number: uint16(n + 1), Generation: j.generation}
	j.entry.Charge = *c
	j.entry.Charge.CostMicro, j.entry.SpentMicro = takenMicro, takenMicro
	j.write(c, j.at(c))
}

// Note writes into the entry of a charge what it would cost if its worker died now.
func (j *Journal) Note(c *bucket.Charge, spentMicro int64) {
	if !j.has(c) {
		return
	}
	b := j.at(c)
	if j.entry.get(b); j.entry.SpentMicro != spentMicro {
		j.entry.SpentMicro = spentMicro
		j.write(c, b)
	}
}

// write puts the entry into its place, and notes in the ticket what it says.
func (j *Journal) write(c *bucket.Charge, b []byte) {
	j.entry.put(b)
	c.Ticket.SpentMicro = j.entry.SpentMicro
	j.dirty |= 1 << ((c.Ticket.Number - 1) / EntriesPerPage)
}

// Remove strikes a charge off, before it is settled, and returns for how much it stands
// in its bucket: what was taken, or, if the worker was given up for dead meanwhile, what
// it was settled for then.
func (j *Journal) Remove(c *bucket.Charge, nowNs int64) (takenMicro int64, lost bool) {
	if c.Ticket.Number == 0 {
		return c.CostMicro, false
	}
	j.present(nowNs)
	if !j.has(c) {
		spent := c.Ticket.SpentMicro
		c.Ticket = bucket.Ticket{}
		return spent, true
	}
	n := int(c.Ticket.Number - 1)
	p := n / EntriesPerPage
	clear(j.at(c))
	c.Ticket = bucket.Ticket{}
	j.used[p] &^= 1 << (n % EntriesPerPage)
	j.first = min(j.first, p)
	j.dirty |= 1 << p
	j.Flush()
	return c.CostMicro, false
}

// has says whether the charge has an entry.
func (j *Journal) has(c *bucket.Charge) bool {
	return c.Ticket.Number > 0 && c.Ticket.Generation == j.generation && j.slot != none
}

func (j *Journal) at(c *bucket.Charge) []byte {
	from := int(c.Ticket.Number-1) * entrySize
	return j.pages[from : from+entrySize]
}

// room returns the number of a free entry, none if there is none.
func (j *Journal) room() int {
	for ; j.first < Pages; j.first++ {
		if free := bits.TrailingZeros16(^j.used[j.first]); free < EntriesPerPage {
			return j.first*EntriesPerPage + free
		}
	}
	return none
}

// Flush tells the store what has changed. A page that it does not take stays to be told.
func (j *Journal) Flush() {
	for j.dirty != 0 && j.slot != none {
		p := bits.TrailingZeros64(j.dirty)
		if !j.announce(uint32(p)+1) || j.store.Write(j.slot, p, j.pages[p*PageSize:(p+1)*PageSize]) != nil {
			return
		}
		j.dirty &^= 1 << p
	}
}

// announce makes the head tell of so many pages.
func (j *Journal) announce(pages uint32) bool {
	if pages <= j.told {
		return true
	}
	told := j.told
	j.told = pages
	if !j.sayAlive(j.beatNs) {
		j.told = told
		return false
	}
	return true
}
