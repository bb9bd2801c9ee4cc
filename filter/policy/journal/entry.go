package journal

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

// Entry is one open reservation.
type Entry struct {
	Charge     bucket.Charge // CostMicro is what is taken
	SpentMicro int64         // what it costs if its worker dies
}

// entrySize is the size of an entry in bytes: nine words.
const entrySize = 72

// put writes an entry. A key is never 0, which marks a free entry.
func (e *Entry) put(b []byte) {
	c, p := &e.Charge, &e.Charge.Params
	for i, word := range [...]int64{int64(c.Key), c.CostMicro, e.SpentMicro, c.AtNs, p.CapacityMicro, p.RefillMicroPerSec,
		p.WindowNs, p.LeaseNs, p.WholeMicro} {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(word))
	}
}

// get reads an entry; false if it is free.
func (e *Entry) get(b []byte) bool {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	*e = Entry{Charge: bucket.Charge{Key: uint64(word(0)), CostMicro: word(1), AtNs: word(3)}, SpentMicro: word(2)}
	e.Charge.Params = bucket.Params{CapacityMicro: word(4), RefillMicroPerSec: word(5), WindowNs: word(6), LeaseNs: word(7), WholeMicro: word(8)}
	return e.Charge.Key != 0
}

// head is what a slot says of its worker.
type head struct {
	epoch uint64 // 0: the slot is free
	beat  uint64 // counted up by who has the slot
	pages uint32 // of the slot, that may have entries
	dying bool   // its entries are being settled
}

func (h *head) put(b *[HeadSize]byte) []byte {
	binary.LittleEndian.PutUint64(b[0:], h.epoch)
	binary.LittleEndian.PutUint64(b[8:], h.beat)
	binary.LittleEndian.PutUint32(b[16:], h.pages)
	b[20] = 0
	if h.dying {
		b[20] = 1
	}
	return b[:]
}

// readHead reads a head; one of another size, which another version left, is free.
func readHead(b []byte) (h head) {
	if len(b) != HeadSize {
		return h
	}
	h.epoch = binary.LittleEndian.Uint64(b[0:])
	h.beat = binary.LittleEndian.Uint64(b[8:])
	h.pages = min(binary.LittleEndian.Uint32(b[16:]), Pages)
	h.dying = b[20] != 0
	return h
}
