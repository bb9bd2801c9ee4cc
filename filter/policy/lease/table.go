package lease

import (
	"encoding/binary"
	"math/bits"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

// Layout of a table. All words are little endian.
//
//	header: instance uint64 | count uint32 | 4 bytes of zeros
//	entry:  key uint64 | since int64 | share uint32 | base uint32 | fill uint32 | 4 bytes of zeros
//
// The entries are ordered by key, so the default's is the first.
const (
	// TableSize is the size of a table in bytes.
	TableSize = headerSize + (1+Keys)*entrySize

	headerSize = 16
	entrySize  = 32
)

// Table is the leases that an Envoy holds, in TableSize bytes.
type Table []byte

// entry is a lease.
type entry struct {
	key   uint64
	since int64  // time from which on the share holds
	share uint32 // of Whole
	base  uint32 // of Whole: what a bucket that was full could have held at since
	fill  uint32 // milliseconds in which the bucket fills up, whatever the share
}

// Init makes t the table of an Envoy that has just started. The instance tells it
// from all others.
func (t Table) Init(instance uint64, nowNs int64) {
	clear(t)
	binary.LittleEndian.PutUint64(t, instance)
	t.setCount(1)
	t.put(0, entry{key: Default, since: nowNs, share: Start, base: Start})
}

// Valid says whether t can be a table.
func (t Table) Valid() bool {
	return len(t) == TableSize && t.count() >= 1 && t.count() <= 1+Keys
}

// Instance tells the Envoy from all others.
func (t Table) Instance() uint64 { return binary.LittleEndian.Uint64(t) }

// Has says whether a bucket has a share of its own.
func (t Table) Has(key uint64) bool { return t.get(t.search(key)).key == key }

// Scale returns what of a budget this Envoy may use for a bucket now.
func (t Table) Scale(key uint64, p bucket.Params, nowNs int64) bucket.Params {
	e := t.lookup(key)
	local := bucket.Params{
		CapacityMicro:     part(p.CapacityMicro, e.share),
		RefillMicroPerSec: part(p.RefillMicroPerSec, e.share),
		WholeMicro:        p.CapacityMicro,
	}
	if e.base < e.share {
		flowed := mulDiv(local.RefillMicroPerSec, max(nowNs-e.since, 0), 1e9)
		if grown := part(p.CapacityMicro, e.base); flowed < local.CapacityMicro-grown {
			local.CapacityMicro = grown + flowed
		}
	}
	return local
}

// FillMs is the time in which a bucket fills up, in milliseconds, as Demand wants it.
func FillMs(p bucket.Params) uint32 {
	const most = 1<<32 - 1
	if p.RefillMicroPerSec <= 0 {
		return most
	}
	return uint32(max(1, min(mulDiv(max(p.CapacityMicro, 0), 1000, p.RefillMicroPerSec), most)))
}

// lookup returns the lease of a bucket: its own or the default's.
func (t Table) lookup(key uint64) entry {
	if e := t.get(t.search(key)); e.key == key {
		return e
	}
	return t.get(0)
}

// search returns the index of the last entry whose key is not above.
func (t Table) search(key uint64) int {
	low, high := 0, t.count()
	for high-low > 1 {
		middle := (low + high) / 2
		if binary.LittleEndian.Uint64(t[headerSize+middle*entrySize:]) <= key {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// reached is what of the budget a bucket that was always full could hold now.
func (e entry) reached(fillMs uint32, nowNs int64) uint32 {
	if fillMs == 0 || e.base >= e.share {
		return e.share
	}
	flowed := mulDiv(int64(e.share), max(nowNs-e.since, 0), int64(fillMs)*1e6)
	return uint32(min(int64(e.base)+min(flowed, Whole), int64(e.share)))
}

// renewed is the lease that follows on e when the share becomes another.
func (e entry) renewed(key uint64, share, fillMs uint32, nowNs int64) entry {
	if e.key == key && e.share == share {
		e.fill = fillMs
		return e
	}
	return entry{key: key, since: nowNs, share: share, base: min(e.reached(fillMs, nowNs), share), fill: fillMs}
}

func (t Table) count() int { return int(binary.LittleEndian.Uint32(t[8:])) }

func (t Table) setCount(n int) { binary.LittleEndian.PutUint32(t[8:], uint32(n)) }

func (t Table) get(i int) entry {
	e := t[headerSize+i*entrySize:][:entrySize]
	return entry{
		key: binary.LittleEndian.Uint64(e), since: int64(binary.LittleEndian.Uint64(e[8:])), share: binary.LittleEndian.Uint32(e[16:]),
		base: binary.LittleEndian.Uint32(e[20:]), fill: binary.LittleEndian.Uint32(e[24:]),
	}
}

func (t Table) put(i int, v entry) {
	e := t[headerSize+i*entrySize:][:entrySize]
	binary.LittleEndian.PutUint64(e, v.key)
	binary.LittleEndian.PutUint64(e[8:], uint64(v.since))
	binary.LittleEndian.PutUint32(e[16:], v.share)
	binary.LittleEndian.PutUint32(e[20:], v.base)
	binary.LittleEndian.PutUint32(e[24:], v.fill)
}

// part is a share of an amount, rounded down.
func part(amount int64, share uint32) int64 {
	hi, lo := bits.Mul64(uint64(max(amount, 0)), uint64(share))
	return int64(hi<<34 | lo>>30) // share is at most 1 << 30
}

// mulDiv is floor(a*b/c) for a, b >= 0 and c > 0, saturating.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, 1<<63-1))
}
