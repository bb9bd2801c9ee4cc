package redact

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/sha256"
)

// Keys are the secrets of a VM for what is made of values, and the memory that its
// sessions share. The VM runs one thing at a time.
type Keys struct {
	values sha256.HMAC // of values: HMAC mode, formats, digests
	codes  sha256.HMAC // of tokens
	drawn  uint64      // codes so far
	free   *vault      // vaults that no session has

	text   [maxUnits * 4]byte // of the value at hand
	probe  Redactor           // reads what mode format makes of a value
	probed Session
	seen   discarded
	sum    [sha256.Size]byte // of the value at hand: a local one would be allocated
}

// Seed sets both keys: the one for values is then known to this VM alone, until Set.
func (k *Keys) Seed(random *[32]byte) {
	var sum [sha256.Size]byte
	k.codes.SetKey(random[:])
	k.codes.Sum(&sum)
	k.values.SetKey(sum[:])
}

// Set sets the key for values, of at most 64 bytes. Who has the same one makes the same
// of a value. It must not be called within a request.
func (k *Keys) Set(secret []byte) { k.values.SetKey(secret) }

// forSubject begins what is made of the name of a person, as no kind of value does.
const forSubject = 0xFF

// Subject stands for a person's name, as Digest does for a value.
func (k *Keys) Subject(name []byte) uint64 {
	k.sum[0] = forSubject
	k.values.Write(k.sum[:1])
	k.values.Write(name)
	k.values.Sum(&k.sum)
	return binary.BigEndian.Uint64(k.sum[8:])
}

// discarded is an output for what nobody wants.
type discarded struct{}

// Write takes everything.
func (*discarded) Write([]byte) error { return nil }
