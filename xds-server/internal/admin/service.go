package admin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
)

// service is the admin API. Who may call it is not its concern.
type service struct {
	adminv1.UnimplementedAdminServer
	backend Backend
	log     *slog.Logger
	now     func() time.Time
	watches chan struct{} // one element for each Watch that runs
}

func newService(config Config) *service {
	return &service{backend: config.Backend, log: config.Log, now: config.Now, watches: make(chan struct{}, maxWatches)}
}

// ListNodes implements adminv1.AdminServer.
func (s *service) ListNodes(_ context.Context, req *adminv1.ListNodesRequest) (*adminv1.ListNodesResponse, error) {
	id, err := identityFilter(req.GetIdentity())
	if err != nil {
		return nil, err
	}
	resp := &adminv1.ListNodesResponse{}
	now := s.backend.Status()
	for _, n := range ordered(now.Nodes) {
		if (id.IsZero() || n.SPIFFEID == id) && (req.GetNode() == "" || n.Node == req.GetNode()) {
			resp.Nodes = append(resp.Nodes, nodeMessage(n, now.Serving))
		}
	}
	return resp, nil
}

// ordered sorts streams by what people look for.
func ordered(nodes []deltaxds.StreamStatus) []deltaxds.StreamStatus {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b deltaxds.StreamStatus) int {
		return cmp.Or(strings.Compare(a.SPIFFEID.String(), b.SPIFFEID.String()), strings.Compare(a.Node, b.Node), cmp.Compare(a.Stream, b.Stream))
	})
	return nodes
}

func identityFilter(text string) (spiffeid.ID, error) {
	if text == "" {
		return spiffeid.ID{}, nil
	}
	id, err := spiffeid.FromString(text)
	if err != nil {
		return spiffeid.ID{}, status.Errorf(codes.InvalidArgument, "identity %q: %v", text, err)
	}
	return id, nil
}

// ListSnapshots implements adminv1.AdminServer.
func (s *service) ListSnapshots(context.Context, *adminv1.ListSnapshotsRequest) (*adminv1.ListSnapshotsResponse, error) {
	config := s.backend.Status().Config
	resp := &adminv1.ListSnapshotsResponse{InForce: config.Revision, Pin: pinMessage(config.Pin)}
	for _, r := range s.backend.Revisions() {
		resp.Revisions = append(resp.Revisions, revisionMessage(r))
	}
	return resp, nil
}

// GetStatus implements adminv1.AdminServer.
func (s *service) GetStatus(context.Context, *adminv1.GetStatusRequest) (*adminv1.Status, error) {
	return statusMessage(s.backend.Status()), nil
}

// Rollback implements adminv1.AdminServer.
func (s *service) Rollback(ctx context.Context, req *adminv1.RollbackRequest) (*adminv1.RollbackResponse, error) {
	if req.GetNumber() == 0 {
		return nil, status.Error(codes.InvalidArgument, "number: name a revision of the snapshots that are kept")
	}
	if err := checkReason(req.GetReason()); err != nil {
		return nil, err
	}
	by := callerFrom(ctx).String()
	revision, err := s.backend.Rollback(ctx, req.GetNumber(), by, req.GetReason())
	if err != nil {
		s.log.Warn("a rollback was refused", "by", by, "number", req.GetNumber(), "error", err)
		return nil, failure(err)
	}
	s.log.Warn("rolled back: this configuration is held until it is resumed", "by", by, "number", req.GetNumber(), "revision", revision.Number, "reason", req.GetReason())
	return &adminv1.RollbackResponse{Revision: revisionMessage(revision)}, nil
}

// Resume implements adminv1.AdminServer.
func (s *service) Resume(ctx context.Context, req *adminv1.ResumeRequest) (*adminv1.ResumeResponse, error) {
	if err := checkReason(req.GetReason()); err != nil {
		return nil, err
	}
	by := callerFrom(ctx).String()
	number, err := s.backend.Resume(ctx, by, req.GetReason())
	if err != nil {
		s.log.Warn("a resume was refused", "by", by, "error", err)
		return nil, failure(err)
	}
	s.log.Warn("resumed: the configuration of the sources counts again", "by", by, "revision", number, "reason", req.GetReason())
	return &adminv1.ResumeResponse{InForce: number}, nil
}

// maxReason bounds what is kept of an operator's words, in bytes.
const maxReason = 512

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return status.Errorf(codes.InvalidArgument, "reason: it has %d bytes, and %d are kept", len(reason), maxReason)
	}
	if strings.ContainsFunc(reason, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return status.Error(codes.InvalidArgument, "reason: write one line of plain text")
	}
	return nil
}

// failure is a backend's error as callers see it.
func failure(err error) error {
	switch {
	case errors.Is(err, ErrNoRevision):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, ErrRefused):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

// How often a watcher is told, and how many watchers there may be.
const (
	defaultInterval = 250 * time.Millisecond
	minInterval     = 100 * time.Millisecond
	maxInterval     = time.Hour
	maxWatches      = 64
)

// Watch implements adminv1.AdminServer.
func (s *service) Watch(req *adminv1.WatchRequest, stream adminv1.Admin_WatchServer) error {
	return s.watch(stream.Context(), req, stream.Send)
}

// watch sends the status whenever it differs from the last one sent, until ctx,
// the client's SVID or its right ends, or the client is gone.
func (s *service) watch(ctx context.Context, req *adminv1.WatchRequest, send func(*adminv1.Status) error) error {
	interval, err := watchInterval(req)
	if err != nil {
		return err
	}
	select {
	case s.watches <- struct{}{}:
		defer func() { <-s.watches }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d watches run already: end one", maxWatches)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var ended <-chan time.Time
	if until := callerFrom(ctx).until; !until.IsZero() {
		timer := time.NewTimer(until.Sub(s.now()))
		defer timer.Stop()
		ended = timer.C
	}
	var last *adminv1.Status
	for {
		if now := statusMessage(s.backend.Status()); !proto.Equal(now, last) {
			if err := send(now); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-ended:
			return errEnded
		case <-ticker.C:
		}
		if err := authorize(ctx, s.backend.Operators, adminv1.Admin_Watch_FullMethodName); err != nil {
			return err
		}
	}
}

func watchInterval(req *adminv1.WatchRequest) (time.Duration, error) {
	if req.GetInterval() == nil {
		return defaultInterval, nil
	}
	interval := req.GetInterval().AsDuration()
	if req.GetInterval().CheckValid() != nil || interval < 0 || interval > maxInterval {
		return 0, status.Errorf(codes.InvalidArgument, "interval: write a duration from 0.1s to %s", maxInterval)
	}
	if interval == 0 {
		return defaultInterval, nil
	}
	return max(interval, minInterval), nil
}
