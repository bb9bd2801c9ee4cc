package admin

import (
	"context"
	"slices"
	"strings"

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
	resp := &adminv1.DiffResponse{From: req.GetFrom(), To: req.GetTo()}
	if resp.To == 0 {
		resp.To = s.backend.Status().Config.Revision
	}
	if resp.From == 0 {
		if resp.From, err = s.before(resp.To); err != nil {
			return nil, err
		}
	}
	from, err := s.backend.Snapshots(ctx, resp.From)
	if err != nil {
		return nil, failure(err)
	}
	to, err := s.backend.Snapshots(ctx, resp.To)
	if err != nil {
		return nil, failure(err)
	}
	resp.Identities, err = diffSnapshots(ctx, from, to, id)
	return resp, err
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
		diff := &adminv1.IdentityDiff{Identity: key.String()}
		if had {
			diff.FromVersion = before.Version()
		}
		if has {
			diff.ToVersion = after.Version()
		}
		var err error
		if diff.Resources, err = diffResources(before, after); err != nil {
			return nil, status.Errorf(codes.Internal, "compare the snapshots of %s: %v", key, err)
		}
		diffs = append(diffs, diff)
	}
	return diffs, nil
}

func diffResources(before, after *snapshot.Snapshot) ([]*adminv1.ResourceDiff, error) {
	var diffs []*adminv1.ResourceDiff
	for _, change := range snapshot.Diff(before, after) {
		start := len(diffs)
		add := func(kind adminv1.ResourceDiff_Kind, names []string) {
			for _, name := range names {
				diff := &adminv1.ResourceDiff{Type: change.TypeURL, Name: name, Kind: kind}
				if r := before.Get(change.TypeURL, name); r != nil {
					diff.FromVersion, diff.Origin = r.Version, valid(r.Origin)
				}
				if r := after.Get(change.TypeURL, name); r != nil {
					diff.ToVersion, diff.Origin = r.Version, valid(r.Origin)
				}
				diffs = append(diffs, diff)
			}
		}
		add(adminv1.ResourceDiff_ADDED, change.Added)
		add(adminv1.ResourceDiff_CHANGED, change.Changed)
		add(adminv1.ResourceDiff_REMOVED, change.Removed)
		slices.SortFunc(diffs[start:], func(a, b *adminv1.ResourceDiff) int { return strings.Compare(a.GetName(), b.GetName()) })
	}
	return diffs, nil
}
