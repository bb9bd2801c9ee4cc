package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/weirmesh/weir/filter/policy/lease"
)

// Want is what an Envoy says of one bucket.
type Want struct {
	Key    uint64 // hash of the bucket's name; lease.Default stands for all others
	Demand int64  // micro-units that were wanted since the last request, admitted or not
	Share  uint32 // that is in force, of lease.Whole; lease.Unleased: the default's
	FillMs uint32 // in which the whole bucket fills up
}

// Request is what an Envoy sends.
type Request struct {
	Instance uint64 // tells the process from others of the same identity
	Wants    []Want // the default first
}

// Answer is what an Envoy gets.
type Answer struct {
	Grants []Grant       // the default first, ordered by key
	Again  time.Duration // how soon it is to ask again; 0: at its usual pace
}

// Grant is the share of one bucket.
type Grant struct {
	Key    uint64
	Share  uint32 // of lease.Whole
	FillMs uint32 // of the default, which no bucket has, 0
}

const (
	wireVersion   = 1
	requestHeader = 16
	requestEntry  = 24
)

// ParseRequest reads the bytes that lease.AppendRequest writes.
func ParseRequest(b []byte) (Request, error) {
	if len(b) < requestHeader || len(b) > lease.MaxRequest || (len(b)-requestHeader)%requestEntry != 0 {
		return Request{}, fmt.Errorf("a lease request of %d bytes", len(b))
	}
	if v := binary.LittleEndian.Uint32(b); v != wireVersion {
		return Request{}, fmt.Errorf("a lease request of version %d, known is %d: the filter and the xds-server are of different releases", v, wireVersion)
	}
	count := (len(b) - requestHeader) / requestEntry
	if n := binary.LittleEndian.Uint32(b[4:]); uint64(n) != uint64(count) {
		return Request{}, fmt.Errorf("a lease request that says %d entries and has %d", n, count)
	}
	r := Request{Instance: binary.LittleEndian.Uint64(b[8:]), Wants: make([]Want, count)}
	for i := range r.Wants {
		e := b[requestHeader+i*requestEntry:]
		r.Wants[i] = Want{
			Key: binary.LittleEndian.Uint64(e), Demand: int64(binary.LittleEndian.Uint64(e[8:])),
			Share: binary.LittleEndian.Uint32(e[16:]), FillMs: binary.LittleEndian.Uint32(e[20:]),
		}
	}
	return r, r.check()
}

func (r Request) check() error {
	seen := make(map[uint64]bool, len(r.Wants))
	for i, w := range r.Wants {
		switch {
		case (i == 0) != (w.Key == lease.Default):
			return errors.New("a lease request whose default share is not its first entry")
		case seen[w.Key]:
			return fmt.Errorf("a lease request with two entries for the bucket %016x", w.Key)
		case w.Demand < 0:
			return fmt.Errorf("a lease request with a demand of %d", w.Demand)
		case w.Share > lease.Whole && (w.Share != lease.Unleased || w.Key == lease.Default):
			return fmt.Errorf("a lease request with a share of %d, the whole is %d", w.Share, lease.Whole)
		}
		seen[w.Key] = true
	}
	if len(r.Wants) == 0 {
		return errors.New("a lease request without entries")
	}
	return nil
}

// AppendAnswer appends the bytes that lease.Table.Renew reads. How soon to ask again
// stands, in milliseconds, where the default has no time to fill up in.
func AppendAnswer(b []byte, a Answer) []byte {
	b = binary.LittleEndian.AppendUint32(b, wireVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.Grants)))
	for _, g := range a.Grants {
		if g.Key == lease.Default {
			g.FillMs = uint32(a.Again.Milliseconds())
		}
		b = binary.LittleEndian.AppendUint64(b, g.Key)
		b = binary.LittleEndian.AppendUint32(b, g.Share)
		b = binary.LittleEndian.AppendUint32(b, g.FillMs)
	}
	return b
}
