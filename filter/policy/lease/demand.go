package lease

import "encoding/binary"

// DemandSize is the size of a Demand in bytes.
const DemandSize = Keys * demandSize

// demandSize is the size of an entry:
//
//	key uint64 | amount int64 | fill uint32 | 4 bytes of zeros
const demandSize = 24

// Demand is what was wanted of the buckets that matter, admitted or not, in
// micro-units: at most Keys of them, those that are wanted most. It has
// DemandSize bytes; zeros are none.
type Demand []byte

// Add notes that so much was wanted of a bucket, which fills up within fillMs.
// When there is no room, the least wanted one is forgotten.
func (d Demand) Add(key uint64, amount int64, fillMs uint32) {
	least, leastAmount := 0, int64(1<<63-1)
	for at := 0; at < DemandSize; at += demandSize {
		e := d[at : at+demandSize]
		switch binary.LittleEndian.Uint64(e) {
		case key, 0:
			d.put(at, key, sum(int64(binary.LittleEndian.Uint64(e[8:])), amount), fillMs)
			return
		}
		if a := int64(binary.LittleEndian.Uint64(e[8:])); a < leastAmount {
			least, leastAmount = at, a
		}
	}
	if amount > leastAmount {
		d.put(least, key, amount, fillMs)
	}
}

// AddAll adds what another has.
func (d Demand) AddAll(other Demand) {
	for at := 0; at < DemandSize; at += demandSize {
		key, amount, fill := other.at(at)
		if key == 0 {
			return
		}
		d.Add(key, amount, fill)
	}
}

// Empty says whether nothing was wanted.
func (d Demand) Empty() bool { return binary.LittleEndian.Uint64(d) == 0 }

// of returns what was wanted of a bucket, and takes it out of the rest.
func (d Demand) of(key uint64) (amount int64, fillMs uint32) {
	for at := 0; at < DemandSize; at += demandSize {
		switch k, amount, fill := d.at(at); k {
		case key:
			return amount, fill
		case 0:
			return 0, 0
		}
	}
	return 0, 0
}

func (d Demand) at(at int) (key uint64, amount int64, fillMs uint32) {
	e := d[at : at+demandSize]
	return binary.LittleEndian.Uint64(e), int64(binary.LittleEndian.Uint64(e[8:])), binary.LittleEndian.Uint32(e[16:])
}

func (d Demand) put(at int, key uint64, amount int64, fillMs uint32) {
	e := d[at : at+demandSize]
	binary.LittleEndian.PutUint64(e, key)
	binary.LittleEndian.PutUint64(e[8:], uint64(amount))
	binary.LittleEndian.PutUint32(e[16:], fillMs)
}

func sum(a, b int64) int64 {
	if b > 1<<63-1-a {
		return 1<<63 - 1
	}
	return a + b
}
