//go:build wasip1

package plugin

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

// workerHost is the engine.Host of all streams of a worker.
type workerHost struct {
	random splitmix64
	store  pageStore
	leases leases
}

// seed seeds the random numbers once a VM, so that workers do not run in step.
func (h *workerHost) seed() {
	h.store.host, h.store.leases = sharedPages{}, &h.leases
	if wasiRandomGet(unsafe.Pointer(&h.random.state), uint32(unsafe.Sizeof(h.random.state))) != 0 {
		h.random.state = uint64(now())
	}
	h.leases.host, h.leases.self = workerLeases{}, h.random.next()
}

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
