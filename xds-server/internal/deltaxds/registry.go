package deltaxds

import (
	"sync"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Registry holds the snapshot of every entitled identity. An identity that is
// not in it is entitled to nothing. It is safe for concurrent use.
type Registry struct {
	mu      sync.Mutex
	entries map[spiffeid.ID]entry
	changed chan struct{} // closed at the next Publish
}

// entry is an identity's snapshot and how it came from the one before, worked
// out once for all streams.
type entry struct {
	snap    *snapshot.Snapshot
	before  *snapshot.Snapshot
	changes []snapshot.Change
}

// NewRegistry returns a registry that entitles nobody.
func NewRegistry() *Registry {
	return &Registry{changed: make(chan struct{})}
}

// Publish replaces the snapshots of all identities. It never waits for a
// client. An identity that is no longer in snapshots loses its streams; one
// whose snapshot has the version that it had is left alone.
func (r *Registry) Publish(snapshots map[spiffeid.ID]*snapshot.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[spiffeid.ID]entry, len(snapshots))
	diffs := make(map[[2]*snapshot.Snapshot][]snapshot.Change) // identities share snapshots
	for id, snap := range snapshots {
		old, had := r.entries[id]
		if had && old.snap.Version() == snap.Version() {
			next[id] = old
			continue
		}
		pair := [2]*snapshot.Snapshot{old.snap, snap}
		if _, done := diffs[pair]; !done {
			diffs[pair] = snapshot.Diff(old.snap, snap)
		}
		next[id] = entry{snap: snap, before: old.snap, changes: diffs[pair]}
	}
	r.entries = next
	close(r.changed)
	r.changed = make(chan struct{})
}

// lookup returns what id is entitled to and a channel that is closed when that
// may have changed.
func (r *Registry) lookup(id spiffeid.ID) (e entry, entitled bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, entitled = r.entries[id]
	return e, entitled, r.changed
}
