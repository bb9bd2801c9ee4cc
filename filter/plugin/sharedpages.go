//go:build wasip1

package plugin

import "unsafe"

// createVersion is a version that no entry has. With it, of several creators of
// a page one succeeds; with 0 all would.
const createVersion = 0xFFFFFFFF

// sharedPages keeps the bucket pages in Envoy's shared data, which all workers
// see and which outlives a reload of the VM.
type sharedPages struct{}

const pagePrefix = "weir.b."

var pageKey = [len(pagePrefix) + 10]byte{'w', 'e', 'i', 'r', '.', 'b', '.'}

// keyOf is the shared data key of page n; valid until the next call.
func keyOf(n uint32) []byte { return appendDecimal(pageKey[:len(pagePrefix)], uint64(n)) }

func (sharedPages) load(n uint32) (page []byte, version uint32, found bool, err error) {
	key := keyOf(n)
	smallBlock.receive()
	s := status(proxyGetSharedData(pointer(key), uint32(len(key)),
		unsafe.Pointer(&outPointer), unsafe.Pointer(&outSize), unsafe.Pointer(&outVersion)))
	page, s = smallBlock.received(s)
	switch s {
	case statusOK:
		return page, outVersion, true, nil
	case statusNotFound:
		return nil, 0, false, nil
	}
	return nil, 0, false, errStoreUnusable
}

func (sharedPages) save(n uint32, page []byte, version uint32, found bool) (saved bool, err error) {
	if !found {
		version = createVersion
	}
	key := keyOf(n)
	switch status(proxySetSharedData(pointer(key), uint32(len(key)), pointer(page), uint32(len(page)), version)) {
	case statusOK:
		return true, nil
	case statusCasMismatch:
		return false, nil
	}
	return false, errStoreUnusable
}
