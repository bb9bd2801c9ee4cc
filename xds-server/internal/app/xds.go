package app

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
	"github.com/weirmesh/weir/xds-server/internal/identity"
	"github.com/weirmesh/weir/xds-server/internal/lease"
)

// Keepalive of the xDS connections: a peer that is gone is noticed within
// pingAfter and pingTimeout, and Envoys may ping as often as their bootstrap says.
const (
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	pingMin     = 5 * time.Second
	maxRequest  = 16 << 20 // bytes of one request: names of a very large mesh
)

func (s *server) newXDS() *deltaxds.Server {
	drain := s.options.Drain
	if drain == 0 {
		drain = -1 // not at all
	}
	return deltaxds.NewServer(deltaxds.Config{
		Registry: s.registry, Peer: xdsPeer, Observer: s.clients, Clients: s.clients, Log: s.log, Now: time.Now,
		Drain: drain, SendTimeout: s.options.SendTimeout, Warm: s.clients.warm,
	})
}

func (s *server) startXDS(svids *workloadapi.X509Source) error {
	listener, err := listenTCP(s.options.XDSAddress, "--xds-address")
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer(
		grpc.Creds(identity.ServerCredentials(svids, svids, time.Now)),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingMin, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(16),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.ConnectionTimeout(10*time.Second),
	)
	s.xds.Register(grpcServer)
	s.leases.Register(grpcServer)
	s.evidence.Register(grpcServer)
	s.group.run("xDS", func(ctx context.Context) error {
		// Streams last as long as Envoys: there is no end of them to wait for, and
		// Envoys serve on without.
		stop := context.AfterFunc(ctx, grpcServer.Stop)
		defer stop()
		err := grpcServer.Serve(listener)
		grpcServer.Stop()
		s.xds.Wait()
		s.clients.stop()
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	return nil
}

// newLeases makes the service that divides shared budgets. Envoys call it where they
// get their configuration, by the same identity.
func (s *server) newLeases() *lease.Service {
	return lease.NewService(lease.Config{Peer: leasePeer, Entitled: s.registry.Entitled, Observer: s.metrics, Now: time.Now})
}

func leasePeer(ctx context.Context) (lease.Peer, error) {
	p, err := identity.PeerFromContext(ctx)
	return lease.Peer{ID: p.ID, Renew: p.Renew, Leave: p.Leave}, err
}

// newEvidence makes the service that keeps records of decisions, and starts what forces
// them to the disk.
func (s *server) newEvidence() (*evidence.Service, error) {
	dir := filepath.Join(s.options.StateDir, "evidence")
	ring, err := evidence.MakeRing(filepath.Join(dir, "keys.json"), rand.Reader, time.Now())
	if err != nil {
		return nil, err
	}
	kept, err := evidence.OpenLog(dir, s.options.EvidenceFiles, ring.Chain)
	if err != nil {
		return nil, err
	}
	s.group.run("evidence", func(ctx context.Context) error {
		kept.Run(ctx, func(err error) {
			s.metrics.EvidenceLost()
			s.log.Error("evidence may be lost", "error", err)
		})
		return nil
	})
	return evidence.NewService(evidence.Config{
		Peer: evidencePeer, Entitled: s.registry.Entitled, Ring: ring, Log: kept,
		Observer: s.metrics, Logger: s.log, Now: time.Now,
	}), nil
}

func evidencePeer(ctx context.Context) (evidence.Peer, error) {
	p, err := identity.PeerFromContext(ctx)
	return evidence.Peer{ID: p.ID, Renew: p.Renew, Leave: p.Leave}, err
}

func xdsPeer(ctx context.Context) (deltaxds.Peer, error) {
	p, err := identity.PeerFromContext(ctx)
	return deltaxds.Peer(p), err
}
