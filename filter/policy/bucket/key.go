package bucket

import (
	"encoding/binary"
	"math/bits"
)

// Key hashes the parts of a bucket's name into 64 bits. It is a value: each
// method returns the longer key. Parts are delimited, so that ("a", "bc") and
// ("ab", "c") differ.
//
// The function folds 128-bit products (the multiply-and-fold step of wyhash,
// https://github.com/wangyi-fudan/wyhash, public domain): fast in wasm, and
// with a seed that clients do not know, a client cannot search for a name that
// shares another's bucket.
type Key struct {
	h uint64
}

// Odd constants with balanced bits, from wyhash.
const (
	keyMul0 = 0xa0761d6478bd642f
	keyMul1 = 0xe7037ed1a0b428db
	keyMul2 = 0x8ebc6af09c88c6e3
)

// LimitKey starts the key of a limit's buckets. Its seed is the same in all workers of
// an Envoy, which share their buckets, and in the control plane, which names buckets
// that have numbers of their own. The parts of the limit's key follow, each by AddUint:
// PartOf of its value, or 0 for a request that has none.
func LimitKey(limit string) Key { return NewKey(0).Add([]byte(limit)) }

// PartOf is what a value counts for as a part of a limit's key.
func PartOf(value []byte) uint64 { return NewKey(0).Add(value).Sum() }

// NewKey starts a key. All users of one table use the same seed.
func NewKey(seed uint64) Key {
	return Key{fold(seed^keyMul0, keyMul1)}
}

// Add appends a part.
func (k Key) Add(part []byte) Key {
	h := k.h
	n := uint64(len(part))
	for len(part) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(part), keyMul1)
		part = part[8:]
	}
	var tail uint64
	for i := len(part) - 1; i >= 0; i-- {
		tail = tail<<8 | uint64(part[i])
	}
	return Key{fold(h^tail, keyMul2^n)}
}

// AddUint appends a number as a part of its own.
func (k Key) AddUint(v uint64) Key {
	return Key{fold(k.h^v, keyMul2^^uint64(0))}
}

// Sum returns the hash. It is never 0, which marks a free entry of a page.
func (k Key) Sum() uint64 {
	h := k.h
	h ^= h >> 32
	h *= keyMul1
	h ^= h >> 29
	if h == 0 {
		return keyMul0
	}
	return h
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
