package bucket

import "encoding/binary"

// Layout of a page. All words are little endian.
//
//	entry: tag uint64 | level int64 | last int64 | full int64
//
// A tag of 0 marks a free entry, so a page of zeros is an empty one.
const (
	// EntriesPerPage is the number of buckets whose keys may meet in a page.
	EntriesPerPage = 8
	// PageSize is the size of a page in bytes.
	PageSize  = EntriesPerPage * entrySize
	entrySize = 32
)

// Table is the shape of a set-associative table of buckets: a fixed number of
// pages, each of which a store holds under one name. A key belongs to one
// page. Nothing grows, however many keys clients invent: only idle (full)
// buckets make room for new ones.
type Table struct {
	Pages uint32 // number of pages, at least 1
}

// PageOf returns the page of a key. It uses the key's high bits; nothing else
// does.
func (t Table) PageOf(key uint64) uint32 {
	return uint32(key >> 32 * uint64(t.Pages) >> 32)
}

// Page is the bytes of one page; the caller owns them.
type Page []byte

// Take charges c to its bucket in the page. The second value says whether the
// page has changed and must be stored. A key without an entry has a full
// bucket; it gets a free entry or that of an idle bucket, and ErrTableFull if
// there is neither.
func (g Page) Take(c *Charge, nowNs int64) (Result, bool, error) {
	if err := g.check(c); err != nil {
		return Result{}, false, err
	}
	at := g.find(c.Key)
	state := Full(c.Params, nowNs)
	if at >= 0 {
		state = g.state(at)
	}
	next, result := TakeSome(state, c.Params, c.CostMicro, c.LeastMicro, nowNs)
	if next == state {
		return result, false, nil
	}
	if at < 0 {
		if at = g.room(nowNs); at < 0 {
			return Result{}, false, ErrTableFull
		}
	}
	g.put(at, c.Key, next)
	return result, true, nil
}

// Settle makes a Take of the same charge one of actualMicro, and says what nobody
// pays and whether the page has changed. A key without an entry has a full
// bucket: it takes nothing back, but pays what was taken too little.
func (g Page) Settle(c *Charge, actualMicro, nowNs int64) (unpaid int64, changed bool, err error) {
	if err := g.check(c); err != nil {
		return 0, false, err
	}
	at := g.find(c.Key)
	if at < 0 && actualMicro <= c.CostMicro {
		return 0, false, nil
	}
	state := Full(c.Params, nowNs)
	if at >= 0 {
		state = g.state(at)
	}
	var next State
	if c.Params.LeaseNs > 0 {
		next = end(state, c.Params, c.AtNs, nowNs)
	} else {
		next, unpaid = Settle(state, c.Params, c.CostMicro, c.settled(actualMicro, nowNs), nowNs)
	}
	if next == state {
		return unpaid, false, nil
	}
	if at < 0 {
		if at = g.room(nowNs); at < 0 {
			return 0, false, ErrTableFull
		}
	}
	g.put(at, c.Key, next)
	return unpaid, true, nil
}

func (g Page) check(c *Charge) error {
	if len(g) != PageSize {
		return ErrPageSize
	}
	if c.Key == 0 {
		return ErrNoKey
	}
	return nil
}

// find returns the offset of the key's entry, or -1.
func (g Page) find(key uint64) int {
	for at := 0; at < PageSize; at += entrySize {
		if binary.LittleEndian.Uint64(g[at:]) == key {
			return at
		}
	}
	return -1
}

// room returns the offset of an entry that a new key may have, or -1. The one
// that has been full for longest goes first.
func (g Page) room(nowNs int64) int {
	best, bestFull := -1, int64(0)
	for at := 0; at < PageSize; at += entrySize {
		if binary.LittleEndian.Uint64(g[at:]) == 0 {
			return at
		}
		full := g.fullAt(at, nowNs)
		if full <= nowNs && (best < 0 || full < bestFull) {
			best, bestFull = at, full
		}
	}
	return best
}

// fullAt is the time from which on the entry's bucket is full. An entry from
// before the clock was set back is moved to the present, or nothing could
// evict it until the clock has caught up.
func (g Page) fullAt(at int, nowNs int64) int64 {
	s := g.state(at)
	if s.FullNs == maxInt64 || !setBack(s, nowNs) {
		return s.FullNs
	}
	s.FullNs -= s.LastNs - nowNs
	s.LastNs = nowNs
	g.put(at, binary.LittleEndian.Uint64(g[at:]), s)
	return s.FullNs
}

func (g Page) state(at int) State {
	e := g[at : at+entrySize]
	return State{
		LevelMicro: int64(binary.LittleEndian.Uint64(e[8:])),
		LastNs:     int64(binary.LittleEndian.Uint64(e[16:])),
		FullNs:     int64(binary.LittleEndian.Uint64(e[24:])),
	}
}

func (g Page) put(at int, key uint64, s State) {
	e := g[at : at+entrySize]
	binary.LittleEndian.PutUint64(e, key)
	binary.LittleEndian.PutUint64(e[8:], uint64(s.LevelMicro))
	binary.LittleEndian.PutUint64(e[16:], uint64(s.LastNs))
	binary.LittleEndian.PutUint64(e[24:], uint64(s.FullNs))
}
