package deltaxds

import (
	"slices"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Entitlement is what one identity may have.
type Entitlement struct {
	Snapshot *snapshot.Snapshot
	// Types are the type URLs that the identity may ask for, of those that
	// snapshots hold; nil: all of them. A stream that asks for another ends.
	Types []string
}

// allows reports whether the type may be asked for. Types that no snapshot
// holds are no secret: there is nothing of them, for anyone.
func (e Entitlement) allows(typeURL string) bool {
	return e.Types == nil || slices.Contains(e.Types, typeURL) || !ordered(typeURL)
}

// Registry holds the entitlement of every identity. An identity that is not in
// it is entitled to nothing. It is safe for concurrent use.
type Registry struct {
	now func() time.Time

	mu     sync.Mutex
	grants map[spiffeid.ID]*grant
}

// grant is an identity's entitlement and how its snapshot came from the one
// before, worked out once for all streams.
type grant struct {
	Entitlement
	before  *snapshot.Snapshot
	changes []snapshot.Change
	at      time.Time     // when Snapshot was published
	changed chan struct{} // closed when another grant, or none, takes this one's place
}

// NewRegistry returns a registry that entitles nobody. now stamps what is
// published.
func NewRegistry(now func() time.Time) *Registry {
	return &Registry{now: now}
}

// Publish replaces the entitlements of all identities. It never waits for a
// client. An identity that is no longer among them loses its streams at once;
// one whose entitlement is what it was is left alone.
func (r *Registry) Publish(entitlements map[spiffeid.ID]Entitlement) {
	at := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[spiffeid.ID]*grant, len(entitlements))
	diffs := make(map[[2]*snapshot.Snapshot][]snapshot.Change) // identities share snapshots
	for id, e := range entitlements {
		old := r.grants[id]
		if old != nil && old.same(e) {
			next[id] = old
			continue
		}
		next[id] = old.followed(e, at, diffs)
	}
	for id, old := range r.grants {
		if next[id] != old {
			close(old.changed)
		}
	}
	r.grants = next
}

func (g *grant) same(next Entitlement) bool {
	return slices.Equal(g.Types, next.Types) && (g.Types == nil) == (next.Types == nil) &&
		(g.Snapshot == next.Snapshot || g.Snapshot.Version() == next.Snapshot.Version())
}

// followed is the grant that takes g's place; g is nil where there was none.
func (g *grant) followed(next Entitlement, at time.Time, diffs map[[2]*snapshot.Snapshot][]snapshot.Change) *grant {
	made := &grant{Entitlement: next, at: at, changed: make(chan struct{})}
	if g == nil {
		return made
	}
	if g.Snapshot == next.Snapshot || g.Snapshot.Version() == next.Snapshot.Version() { // the types changed
		made.Snapshot, made.before, made.changes, made.at = g.Snapshot, g.before, g.changes, g.at
		return made
	}
	pair := [2]*snapshot.Snapshot{g.Snapshot, next.Snapshot}
	changes, done := diffs[pair]
	if !done {
		changes = snapshot.Diff(g.Snapshot, next.Snapshot)
		diffs[pair] = changes
	}
	made.before, made.changes = g.Snapshot, changes
	return made
}

// Entitled reports whether id is entitled to anything.
func (r *Registry) Entitled(id spiffeid.ID) bool { return r.lookup(id) != nil }

// lookup returns what id is entitled to, nil if to nothing.
func (r *Registry) lookup(id spiffeid.ID) *grant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.grants[id]
}
