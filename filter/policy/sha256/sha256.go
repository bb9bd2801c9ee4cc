// Package sha256 is SHA-256 (FIPS 180-4) and HMAC over it (RFC 2104), in a tenth of the
// size that Go's own have inside the module, which must not bring its certified variants
// along.
package sha256

import (
	"encoding/binary"
	"math/bits"
)

// Size is the length of a digest in bytes.
const Size = 32

const blockSize = 64

// rounds are the first 32 bits of the fractional parts of the cube roots of the first
// 64 primes (FIPS 180-4 section 4.2.2).
var rounds = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// initial are the first 32 bits of the fractional parts of the square roots of the
// first 8 primes (FIPS 180-4 section 5.3.3).
var initial = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// Hash is a digest of bytes that come in pieces. Reset comes first.
type Hash struct {
	state  [8]uint32
	length uint64
	block  [blockSize]byte
}

// Reset makes h the digest of nothing.
func (h *Hash) Reset() { h.state, h.length = initial, 0 }

// Write takes the next bytes.
//
//go:noinline
func (h *Hash) Write(p []byte) {
	at := int(h.length % blockSize)
	h.length += uint64(len(p))
	if at > 0 {
		n := copy(h.block[at:], p)
		if p = p[n:]; at+n < blockSize {
			return
		}
		compress(&h.state, h.block[:])
	}
	for len(p) >= blockSize {
		compress(&h.state, p)
		p = p[blockSize:]
	}
	copy(h.block[:], p)
}

// Sum writes the digest of what was written into out. h needs a Reset then.
//
//go:noinline
func (h *Hash) Sum(out *[Size]byte) {
	at := int(h.length % blockSize)
	h.block[at] = 0x80
	clear(h.block[at+1:])
	if at >= blockSize-8 { // no room for the length
		compress(&h.state, h.block[:])
		clear(h.block[:])
	}
	binary.BigEndian.PutUint64(h.block[blockSize-8:], h.length*8)
	compress(&h.state, h.block[:])
	for i, word := range h.state {
		binary.BigEndian.PutUint32(out[4*i:], word)
	}
}

// Sum writes the digest of text into out. It allocates nothing.
func Sum(text []byte, out *[Size]byte) {
	var h Hash
	h.Reset()
	h.Write(text)
	h.Sum(out)
}

// compress takes one block (FIPS 180-4 section 6.2.2).
func compress(state *[8]uint32, block []byte) {
	var w [64]uint32
	for i := range 16 {
		w[i] = binary.BigEndian.Uint32(block[4*i:])
	}
	for i := 16; i < len(w); i++ {
		x, y := w[i-15], w[i-2]
		s0 := bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
		s1 := bits.RotateLeft32(y, -17) ^ bits.RotateLeft32(y, -19) ^ y>>10
		w[i] = w[i-16] + s0 + w[i-7] + s1
	}
	v := *state
	for i := range w {
		s1 := bits.RotateLeft32(v[4], -6) ^ bits.RotateLeft32(v[4], -11) ^ bits.RotateLeft32(v[4], -25)
		t1 := v[7] + s1 + (v[4]&v[5] ^ ^v[4]&v[6]) + rounds[i] + w[i]
		s0 := bits.RotateLeft32(v[0], -2) ^ bits.RotateLeft32(v[0], -13) ^ bits.RotateLeft32(v[0], -22)
		t2 := s0 + (v[0]&v[1] ^ v[0]&v[2] ^ v[1]&v[2])
		v[7], v[6], v[5], v[4], v[3], v[2], v[1], v[0] = v[6], v[5], v[4], v[3]+t1, v[2], v[1], v[0], t1+t2
	}
	for i := range state {
		state[i] += v[i]
	}
}
