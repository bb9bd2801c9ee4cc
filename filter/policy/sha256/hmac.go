package sha256

// HMAC is HMAC-SHA256 (RFC 2104) with one key, for one message after the other: the
// two blocks that depend on the key alone are taken once. SetKey comes first.
type HMAC struct {
	inner, outer [8]uint32
	hash         Hash
}

// SetKey sets the key, of at most 64 bytes; further ones are left out of it. A message
// may begin then.
func (m *HMAC) SetKey(key []byte) {
	m.half(&m.outer, key, 0x5c)
	m.half(&m.inner, key, 0x36)
	m.Reset()
}

func (m *HMAC) half(state *[8]uint32, key []byte, pad byte) {
	block := &m.hash.block
	clear(block[:])
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	*state = initial
	compress(state, block[:])
	clear(block[:])
}

// Reset begins a message.
func (m *HMAC) Reset() { m.hash.state, m.hash.length = m.inner, blockSize }

// Write takes the next bytes of the message.
func (m *HMAC) Write(p []byte) { m.hash.Write(p) }

// Sum writes the code of what was written into out, and begins the next message.
//
//go:noinline
func (m *HMAC) Sum(out *[Size]byte) {
	m.hash.Sum(out)
	m.hash.state, m.hash.length = m.outer, blockSize
	m.hash.Write(out[:])
	m.hash.Sum(out)
	m.Reset()
}
