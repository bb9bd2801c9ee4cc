package app

import (
	"context"
	"fmt"
	"maps"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// operate is what operators see of the server, and may do to it.
type operate struct{ *server }

// Ready implements admin.Backend.
func (o operate) Ready() error { return o.ready() }

// Status implements admin.Backend.
func (o operate) Status() admin.Status { return o.status() }

// Operators implements admin.Backend.
func (o operate) Operators() admin.Operators {
	o.reloads.mu.Lock()
	defer o.reloads.mu.Unlock()
	return admin.Operators(o.reloads.inForce.domain.Operators)
}

// Revisions implements admin.Backend.
func (o operate) Revisions() []admin.Revision { return nil }

// Snapshots implements admin.Backend.
func (o operate) Snapshots(_ context.Context, number uint64) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	if number != 0 {
		return nil, fmt.Errorf("%d: %w", number, admin.ErrNoRevision)
	}
	o.reloads.mu.Lock()
	defer o.reloads.mu.Unlock()
	return maps.Clone(o.reloads.inForce.snapshots), nil
}

// Rollback implements admin.Backend.
func (o operate) Rollback(_ context.Context, number uint64, _, _ string) (admin.Revision, error) {
	return admin.Revision{}, fmt.Errorf("%d: %w", number, admin.ErrNoRevision)
}

// Resume implements admin.Backend.
func (o operate) Resume(context.Context, string, string) (uint64, error) {
	return 0, fmt.Errorf("no rollback holds: %w", admin.ErrRefused)
}
