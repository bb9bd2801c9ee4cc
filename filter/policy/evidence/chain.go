// Package evidence makes a worker's records of decisions into a chain, so that one that
// is missing, altered, repeated or made up shows, and reads them again.
//
// A record is one JSON object. Its last member says where it stands in the chain, and
// the last member of that is a code over every byte of the record before it:
//
//	{…,"chain":{"epoch":"00f1…","seq":7,"key":1,"prev":"9c…","mac":"41…"}}
//
// epoch is a random number of the worker's VM, drawn when the VM starts; seq counts its
// records from 1; prev is the mac of the record before, zeros for the first. mac is
// HMAC-SHA256 (RFC 2104), cut to 16 bytes, over everything before `,"mac":"`, under the
// key of that number. Key 0 is the empty key, of a worker that has not got one yet: such
// a record can be made up by everybody until the first one under a key has sealed it,
// because that one's code covers prev.
package evidence

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/sha256"
)

// Lengths in bytes.
const (
	KeySize  = 32 // of a key
	CodeSize = 16 // of a code
	// MaxRecord bounds a record with its place in the chain.
	MaxRecord = 16 << 10
)

// NoKey is the number of the empty key.
const NoKey = 0

// Code is what authenticates a record.
type Code [CodeSize]byte

// Chain is the chain of one worker. Start comes first. It allocates nothing.
type Chain struct {
	epoch, seq uint64
	key        uint32
	prev       Code
	hmac       sha256.HMAC
}

// Start begins the chain of an epoch, without a key.
func (c *Chain) Start(epoch uint64) {
	c.epoch, c.seq, c.key, c.prev = epoch, 0, NoKey, Code{}
	c.hmac.SetKey(nil)
}

// SetKey seals the records from the next one on with a key.
func (c *Chain) SetKey(number uint32, key []byte) {
	c.key = number
	c.hmac.SetKey(key)
}

// Key is the number of the key that seals.
func (c *Chain) Key() uint32 { return c.key }

// Head is the place of the last record: its epoch, its number, 0 for none, and its code.
func (c *Chain) Head() Head { return Head{Epoch: c.epoch, Seq: c.seq, Code: c.prev} }

// Head is the end of a chain.
type Head struct {
	Epoch, Seq uint64
	Code       Code
}

// Seal appends the place in the chain to the record in b, an object of at least one
// member that lacks its closing bracket, and closes it.
func (c *Chain) Seal(b []byte) []byte {
	c.seq++
	b = appendNumber(append(b, chainOpen...), c.epoch)
	b = jsonscan.AppendInt(append(b, chainSeq...), int64(c.seq))
	b = jsonscan.AppendInt(append(b, chainKey...), int64(c.key))
	b = AppendHex(append(b, chainPrev...), c.prev[:])
	b = append(b, '"')
	var full [sha256.Size]byte
	c.hmac.Write(b)
	c.hmac.Sum(&full)
	copy(c.prev[:], full[:])
	b = AppendHex(append(b, chainCode...), c.prev[:])
	return append(b, chainClose...)
}

// What stands between the parts.
const (
	chainOpen  = `,"chain":{"epoch":"`
	chainSeq   = `","seq":`
	chainKey   = `,"key":`
	chainPrev  = `,"prev":"`
	chainCode  = `,"mac":"`
	chainClose = `"}}`
)

// maxSeq is the largest number of a record that JSON's readers keep exact.
const maxSeq = 1<<53 - 1

func appendNumber(b []byte, n uint64) []byte {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], n)
	return AppendHex(b, bytes[:])
}

// AppendHex appends bytes in lower-case hexadecimal digits.
func AppendHex(b, p []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range p {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}
