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
	return loadShared(keyOf(n))
}

func loadShared(key []byte) (value []byte, version uint32, found bool, err error) {
	smallBlock.receive()
	s := status(proxyGetSharedData(pointer(key), uint32(len(key)),
		unsafe.Pointer(&outPointer), unsafe.Pointer(&outSize), unsafe.Pointer(&outVersion)))
	value, s = smallBlock.received(s)
	switch s {
	case statusOK:
		return value, outVersion, true, nil
	case statusNotFound:
		return nil, 0, false, nil
	}
	return nil, 0, false, errStoreUnusable
}

func (sharedPages) save(n uint32, page []byte, version uint32, found bool) (saved bool, err error) {
	return saveShared(keyOf(n), page, version, found)
}

func saveShared(key, value []byte, version uint32, found bool) (saved bool, err error) {
	if !found {
		version = createVersion
	}
	switch status(proxySetSharedData(pointer(key), uint32(len(key)), pointer(value), uint32(len(value)), version)) {
	case statusOK:
		return true, nil
	case statusCasMismatch:
		return false, nil
	}
	return false, errStoreUnusable
}

// sharedJournal keeps the lists of open reservations there.
type sharedJournal struct{}

const listPrefix = "weir.o."

var listKey = [len(listPrefix) + 21]byte{'w', 'e', 'i', 'r', '.', 'o', '.'}

// listKeyOf is the shared data key of a page of a slot; valid until the next call.
func listKeyOf(slot, page int) []byte {
	key := appendDecimal(listKey[:len(listPrefix)], uint64(slot))
	return appendDecimal(append(key, '.'), uint64(page))
}

// Load is part of journal.Store, like the methods below.
func (sharedJournal) Load(slot, page int) (value []byte, version uint32, found bool, err error) {
	return loadShared(listKeyOf(slot, page))
}

// Save writes if the version is still the one loaded.
func (sharedJournal) Save(slot, page int, value []byte, version uint32, found bool) (saved bool, err error) {
	return saveShared(listKeyOf(slot, page), value, version, found)
}

// Write writes whatever stands there: version 0 is that of every entry.
func (sharedJournal) Write(slot, page int, value []byte) error {
	_, err := saveShared(listKeyOf(slot, page), value, 0, true)
	return err
}
