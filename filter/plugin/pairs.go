package plugin

import "encoding/binary"

// pairs reads a header map in the ABI's form in place: the number of headers,
// the lengths of each name and value, then both, each with a closing zero byte.
type pairs struct {
	sizes []byte // lengths of the headers not yet read
	data  []byte // names and values not yet read
	name  []byte // of the header that next found
	value []byte
	bad   bool // the map is malformed
}

func newPairs(b []byte) pairs {
	if len(b) == 0 {
		return pairs{}
	}
	if len(b) < 4 {
		return pairs{bad: true}
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n*8 > uint64(len(b)-4) {
		return pairs{bad: true}
	}
	return pairs{sizes: b[4 : 4+n*8], data: b[4+n*8:]}
}

// next moves to the next header; false at the end, and where bad is set.
func (p *pairs) next() bool {
	if len(p.sizes) < 8 {
		return false
	}
	name := p.cut(binary.LittleEndian.Uint32(p.sizes))
	value := p.cut(binary.LittleEndian.Uint32(p.sizes[4:]))
	p.sizes = p.sizes[8:]
	if p.bad {
		return false
	}
	p.name, p.value = name, value
	return true
}

// cut takes n bytes and the zero byte after them off data.
func (p *pairs) cut(n uint32) []byte {
	if p.bad || uint64(n)+1 > uint64(len(p.data)) {
		p.bad = true
		return nil
	}
	b := p.data[:n]
	p.data = p.data[n+1:]
	return b
}

// pairsWriter builds a header map in the ABI's form in a buffer that is used
// again. All headers are announced before their bytes are written.
type pairsWriter struct {
	b []byte
}

// reset starts a map of n headers.
func (w *pairsWriter) reset(n int) {
	w.b = binary.LittleEndian.AppendUint32(w.b[:0], uint32(n))
}

// announce states the lengths of the next header.
func (w *pairsWriter) announce(name string, value []byte) {
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(name)))
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(value)))
}

// write writes the next header, in the order of announce.
func (w *pairsWriter) write(name string, value []byte) {
	w.b = append(append(w.b, name...), 0)
	w.b = append(append(w.b, value...), 0)
}
