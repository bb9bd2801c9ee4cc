package wasmhost

// buffer is a body or configuration buffer with the rules of Envoy's
// Wasm::Buffer.
type buffer struct {
	data     []byte
	readOnly bool
}

// slice is what proxy_get_buffer_bytes hands out: the range, cut at the end.
func (b *buffer) slice(start, length uint32) ([]byte, Status) {
	if uint64(start)+uint64(length) > 1<<32-1 {
		return nil, StatusBadArgument
	}
	size := uint64(len(b.data))
	if uint64(start) > size {
		return nil, StatusOK
	}
	return b.data[start:min(uint64(start)+uint64(length), size)], StatusOK
}

// replace is proxy_set_buffer_bytes: at 0 it drains length bytes and puts p in
// front; at or after the end it appends; anything else is refused.
func (b *buffer) replace(start, length uint32, p []byte) Status {
	switch {
	case b.readOnly:
		return StatusBadArgument
	case start == 0:
		rest := b.data[min(uint64(length), uint64(len(b.data))):]
		b.data = append(append(make([]byte, 0, len(p)+len(rest)), p...), rest...)
		return StatusOK
	case uint64(start) >= uint64(len(b.data)):
		b.data = append(b.data, p...)
		return StatusOK
	}
	return StatusBadArgument
}
