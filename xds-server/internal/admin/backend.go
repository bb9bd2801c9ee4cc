package admin

import (
	"context"
	"errors"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Backend is what the server lets operators see and do. Its methods are safe for
// concurrent use.
type Backend interface {
	// Ready is nil when the server can serve Envoys, and says why not otherwise.
	Ready() error
	// Status describes the server now.
	Status() Status
	// Operators says who may use the API over mTLS.
	Operators() Operators
	// Revisions are the configurations that are kept, newest first.
	Revisions() []Revision
	// Snapshots returns what each identity is entitled to at a revision, or, of
	// number 0, now. It fails with ErrNoRevision if the number is not kept.
	Snapshots(ctx context.Context, number uint64) (map[spiffeid.ID]*snapshot.Snapshot, error)
	// Rollback puts a kept revision in force again, as a new one, and holds it
	// there until Resume. It fails with ErrNoRevision if the number is not kept,
	// and with ErrRefused if it cannot be put in force.
	Rollback(ctx context.Context, number uint64, by, reason string) (Revision, error)
	// Resume lets the sources count again and returns the revision that is in
	// force then. It fails with ErrRefused if no rollback holds.
	Resume(ctx context.Context, by, reason string) (inForce uint64, err error)
}

// Errors of a Backend, to be wrapped with what an operator can do about them.
var (
	ErrNoRevision = errors.New("no such revision is kept")
	ErrRefused    = errors.New("this cannot be done now")
)

// Operators are the SPIFFE IDs that may use the API over mTLS. Who may write may
// also read. Nobody else may do anything.
type Operators struct{ Read, Write []spiffeid.ID }

// Revision is one configuration that was in force. It never changes.
type Revision struct {
	Number     uint64 // counts up from 1
	Time       time.Time
	Cause      string            // what made it, for people
	By         string            // who: a SPIFFE ID, or what asked without one
	RollbackOf uint64            // the revision whose content it repeats; 0: none
	Versions   map[string]string // snapshot versions by SPIFFE ID
}
