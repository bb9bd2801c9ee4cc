package wasmhost

import "sync"

// SharedData is the key-value store that all VMs with one vm_id share. It is
// safe for use by many VMs at once; nothing is ever evicted, as in Envoy.
type SharedData struct {
	mu      sync.Mutex
	entries map[string]sharedEntry
	lastCAS uint32
}

type sharedEntry struct {
	value []byte
	cas   uint32
}

// NewSharedData is an empty store.
func NewSharedData() *SharedData { return &SharedData{entries: map[string]sharedEntry{}} }

// Len is the number of keys.
func (s *SharedData) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// Get is a copy of the value of key and its version.
func (s *SharedData) Get(key string) (value []byte, cas uint32, status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok {
		return nil, 0, StatusNotFound
	}
	return append([]byte(nil), e.value...), e.cas, StatusOK
}

// Set writes key if cas is 0, is the version of the entry, or the key is new: as
// in Envoy, a compare-and-swap on an absent key creates it whatever cas is.
func (s *SharedData) Set(key string, value []byte, cas uint32) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[key]; ok && cas != 0 && cas != e.cas {
		return StatusCasMismatch
	}
	s.lastCAS++
	if s.lastCAS == 0 {
		s.lastCAS++
	}
	s.entries[key] = sharedEntry{value: append([]byte(nil), value...), cas: s.lastCAS}
	return StatusOK
}
