//go:build wasip1

package plugin

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/journal"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// workerHost is the engine.Host of all streams of a worker.
type workerHost struct {
	random splitmix64
	store  pageStore
	leases leases
	list   journal.Journal // of the worker's open reservations
	keys   redact.Keys
	keyed  bool
}

// seed seeds the random numbers once a VM, so that workers do not run in step.
func (h *workerHost) seed() {
	h.store.host, h.store.leases, h.store.journal = sharedPages{}, &h.leases, &h.list
	h.list.Init(sharedJournal{}, newEpoch)
	if wasiRandomGet(unsafe.Pointer(&h.random.state), uint32(unsafe.Sizeof(h.random.state))) != 0 {
		h.random.state = uint64(now())
	}
	h.leases.host, h.leases.self = workerLeases{}, h.random.next()
	if wasiRandomGet(unsafe.Pointer(&keySeed), uint32(unsafe.Sizeof(keySeed))) == 0 {
		h.keys.Seed(&keySeed)
		h.keyed = true
	}
	clear(keySeed[:])
}

var keySeed [32]byte // a local variable would be allocated

// Keys are the secrets for what is made of personal data, nil without random numbers:
// tokens that can be guessed would not do.
func (h *workerHost) Keys() *redact.Keys {
	if !h.keyed {
		return nil
	}
	return &h.keys
}

// newEpoch is a random number, drawn apart from those that requests are spread by.
func newEpoch() uint64 {
	var r splitmix64
	if wasiRandomGet(unsafe.Pointer(&epochSeed), uint32(unsafe.Sizeof(epochSeed))) != 0 {
		epochSeed = uint64(now())
	}
	r.state = epochSeed
	return r.next()
}

var epochSeed uint64 // a local variable would be allocated

// Now is the wall clock in Unix nanoseconds.
func (h *workerHost) Now() int64 { return now() }

// Random is a random number without secrecy.
func (h *workerHost) Random() uint64 { return h.random.next() }

const peerProperty = "connection\x00uri_san_peer_certificate"

// Peer is the SPIFFE ID that the downstream proved, nil without one; valid
// until the next call.
func (h *workerHost) Peer() []byte {
	peer, s := getProperty(&peerBlock, peerProperty)
	if s != statusOK || len(peer) == 0 {
		return nil
	}
	return peer
}

// Property is a property of the stream, nil without one; valid until the next call.
func (h *workerHost) Property(path string) []byte {
	value, s := getProperty(&peerBlock, path)
	if s != statusOK {
		return nil
	}
	return value
}

// Take charges a bucket; see bucket.Store.
func (h *workerHost) Take(c *bucket.Charge, nowNs int64) (bucket.Result, error) {
	return h.store.Take(c, nowNs)
}

// Settle makes a charge one of actualMicro; see bucket.Store.
func (h *workerHost) Settle(c *bucket.Charge, actualMicro, nowNs int64) (unpaid int64, err error) {
	return h.store.Settle(c, actualMicro, nowNs)
}
