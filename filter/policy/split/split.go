// Package split turns users into buckets and buckets into versions.
//
// A user's bucket is a hash, so every Envoy gives the same user the same bucket
// without sharing anything; versions are ranges of buckets, so a canary that
// stands first and grows keeps every user that it has.
package split

import "math/bits"

// Buckets is the number of buckets; weights of versions add up to it.
const Buckets = 10_000

// Bucket returns the bucket (0..9999) of a user: murmur3_32 with seed 0 of salt
// and user, scaled to the number of buckets. It is how flagd's fractional
// operation puts a value into a bucket.
func Bucket(salt, user []byte) uint16 { return uint16(Slot(Hash(salt, user), Buckets)) }

// Hash returns murmur3_32 with seed 0 of salt and user.
func Hash(salt, user []byte) uint32 {
	var h hash
	h.write(salt)
	h.write(user)
	return h.sum()
}

// Slot scales a hash to 0..n-1. Slots of a number of slots are ranges of those of
// its multiples: slot 7 of 100 is the buckets 700 to 799.
func Slot(hash, n uint32) uint32 { return uint32(uint64(hash) * uint64(n) >> 32) }

// Random returns the bucket that a random number stands for.
func Random(r uint64) uint16 { return uint16(Slot(uint32(r>>32), Buckets)) }

// Pick returns the index of the weight that a bucket falls into, as Envoy's
// weighted_clusters.header_name does: the bucket modulo the sum of all weights,
// counted up through the weights in order. It returns -1 if the weights add up to
// nothing, which Envoy refuses.
func Pick(weights []uint32, bucket uint16) int {
	var total uint64
	for _, w := range weights {
		total += uint64(w)
	}
	if total == 0 {
		return -1
	}
	at := uint64(bucket) % total
	for i, w := range weights {
		if at < uint64(w) {
			return i
		}
		at -= uint64(w)
	}
	return -1
}

// hash is MurmurHash3_x86_32 with seed 0 over bytes that come in pieces.
type hash struct {
	h    uint32
	tail uint32 // bytes that do not fill a word yet, little-endian
	n    int    // all bytes
}

func (h *hash) write(p []byte) {
	for _, c := range p {
		h.tail |= uint32(c) << (8 * (h.n & 3))
		h.n++
		if h.n&3 == 0 {
			h.h = bits.RotateLeft32(h.h^mix(h.tail), 13)*5 + 0xe6546b64
			h.tail = 0
		}
	}
}

func (h *hash) sum() uint32 {
	x := h.h ^ mix(h.tail) ^ uint32(h.n)
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	return x ^ x>>16
}

func mix(k uint32) uint32 { return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593 }
