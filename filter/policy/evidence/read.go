package evidence

import (
	"bytes"
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/sha256"
)

// Link is a record's place in a chain.
type Link struct {
	Epoch, Seq uint64
	Key        uint32
	Prev, Code Code
}

// Error says what is wrong with a record or a message.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// Errors of reading.
const (
	ErrTooLong = Error("the record is longer than 16 KiB")
	ErrNoChain = Error("the record does not end with its place in a chain")
)

// Read reads a record's place in its chain, in the one way in which Seal writes it, and
// returns the bytes that its code covers. The rest of the record is not read: its code
// says whether it is what the worker wrote.
func Read(record []byte) (l Link, covered []byte, err error) {
	if len(record) > MaxRecord {
		return Link{}, nil, ErrTooLong
	}
	at := bytes.LastIndex(record, []byte(chainOpen))
	if at < 0 {
		return Link{}, nil, ErrNoChain
	}
	r := reader{rest: record[at:], ok: true}
	var epoch [8]byte
	r.text(chainOpen)
	r.hex(epoch[:])
	r.text(chainSeq)
	l.Epoch, l.Seq = binary.BigEndian.Uint64(epoch[:]), r.number(maxSeq)
	r.text(chainKey)
	l.Key = uint32(r.number(1<<32 - 1))
	r.text(chainPrev)
	r.hex(l.Prev[:])
	r.text(`"`)
	covered = record[:len(record)-len(r.rest)]
	r.text(chainCode)
	r.hex(l.Code[:])
	r.text(chainClose)
	if !r.ok || len(r.rest) > 0 || l.Seq == 0 {
		return Link{}, nil, ErrNoChain
	}
	return l, covered, nil
}

// CodeOf returns the code of what Read says is covered, under a key; nil is the empty
// key.
func CodeOf(key, covered []byte) Code {
	var m sha256.HMAC
	var full [sha256.Size]byte
	m.SetKey(key)
	m.Write(covered)
	m.Sum(&full)
	return Code(full[:CodeSize])
}

// reader takes the parts of a text off its beginning.
type reader struct {
	rest []byte
	ok   bool
}

func (r *reader) text(want string) {
	if r.ok = r.ok && bytes.HasPrefix(r.rest, []byte(want)); r.ok {
		r.rest = r.rest[len(want):]
	}
}

// hex takes as many lower-case digits as fill out.
func (r *reader) hex(out []byte) {
	if r.ok = r.ok && len(r.rest) >= 2*len(out); !r.ok {
		return
	}
	for i := range out {
		hi, lo := digit(r.rest[2*i]), digit(r.rest[2*i+1])
		r.ok = r.ok && hi < 16 && lo < 16
		out[i] = hi<<4 | lo
	}
	r.rest = r.rest[2*len(out):]
}

func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

// number takes a decimal number without leading zeros.
func (r *reader) number(most uint64) (n uint64) {
	at := 0
	for at < len(r.rest) && r.rest[at] >= '0' && r.rest[at] <= '9' && n <= most {
		n = 10*n + uint64(r.rest[at]-'0')
		at++
	}
	r.ok = r.ok && at > 0 && n <= most && (at == 1 || r.rest[0] != '0')
	r.rest = r.rest[at:]
	return n
}
