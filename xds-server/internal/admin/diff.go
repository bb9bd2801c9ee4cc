package admin

import (
	"context"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Diff implements adminv1.AdminServer.
func (s *service) Diff(ctx context.Context, req *adminv1.DiffRequest) (*adminv1.DiffResponse, error) {
	id, err := identityFilter(req.GetIdentity())
	if err != nil {
		return nil, err
	}
	to, from := req.GetTo(), req.GetFrom()
	if to == 0 {
		to = s.backend.Status().Config.Revision
	}
	if from == 0 {
		if from, err = s.before(to); err != nil {
			return nil, err
		}
	}
	before, err := s.backend.Snapshots(ctx, from)
	if err != nil {
		return nil, failure(err)
	}
	after, err := s.backend.Snapshots(ctx, to)
	if err != nil {
		return nil, failure(err)
	}
	identities, err := diffSnapshots(ctx, before, after, id)
	if err != nil {
		return nil, err
	}
	return &adminv1.DiffResponse{From: from, To: to, Identities: identities}, nil
}

// before is the newest revision that is kept and older than number.
func (s *service) before(number uint64) (uint64, error) {
	for _, r := range s.backend.Revisions() {
		if r.Number < number {
			return r.Number, nil
		}
	}
	return 0, status.Errorf(codes.NotFound, "no revision before %d is kept", number)
}

// diffSnapshots compares what identities have; id zero: all of them.
func diffSnapshots(ctx context.Context, from, to map[spiffeid.ID]*snapshot.Snapshot, id spiffeid.ID) ([]*adminv1.IdentityDiff, error) {
	all := make(map[spiffeid.ID]*snapshot.Snapshot, len(to))
	for _, snapshots := range []map[spiffeid.ID]*snapshot.Snapshot{from, to} {
		for key := range snapshots {
			if id.IsZero() || key == id {
				all[key] = nil
			}
		}
	}
	var diffs []*adminv1.IdentityDiff
	for _, key := range sortedIdentities(all) {
		if err := ctx.Err(); err != nil {
			return nil, status.FromContextError(err).Err()
		}
		before, had := from[key]
		after, has := to[key]
		if had && has && before.Version() == after.Version() {
			continue
		}
		comparison := snapshot.Compare(before, after)
		diff := &adminv1.IdentityDiff{Identity: key.String(), FromVersion: comparison.Before, ToVersion: comparison.After}
		for _, r := range comparison.Resources {
			diff.Resources = append(diff.Resources, resourceMessage(r))
		}
		diffs = append(diffs, diff)
	}
	return diffs, nil
}

// differences are the kinds of the protocol.
var differences = map[snapshot.Difference]adminv1.ResourceDiff_Kind{
	snapshot.Added:   adminv1.ResourceDiff_ADDED,
	snapshot.Changed: adminv1.ResourceDiff_CHANGED,
	snapshot.Removed: adminv1.ResourceDiff_REMOVED,
}

func resourceMessage(r snapshot.ResourceChange) *adminv1.ResourceDiff {
	m := &adminv1.ResourceDiff{
		Type: r.TypeURL, Name: r.Name, Kind: differences[r.Difference], FromVersion: r.Before, ToVersion: r.After, Origin: valid(r.Origin),
	}
	for _, f := range r.Fields {
		m.Fields = append(m.Fields, &adminv1.FieldDiff{Path: valid(f.Path), Before: valid(f.Before), After: valid(f.After)})
	}
	return m
}
