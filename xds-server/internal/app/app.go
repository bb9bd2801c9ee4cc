package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/identity"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// server is the running whole.
type server struct {
	options  Options
	log      *slog.Logger
	metrics  *metrics.Metrics
	group    *group
	registry *deltaxds.Registry
	reloads  *reloader
	svids    atomic.Pointer[workloadapi.X509Source] // nil until the server has its identity
	xds      *deltaxds.Server
	serving  atomic.Bool // Envoys can connect
	address  string      // of the Workload API that identities come from
}

// Run serves until ctx ends. It fails if it cannot start (the resources have
// problems, an address is taken, no identity is to be had) or if a part breaks.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	s := &server{options: o, log: log, metrics: metrics.New(), group: newGroup(ctx), registry: deltaxds.NewRegistry(time.Now)}
	defer s.group.stop()
	sources := []source.Source{file.NewFolder(o.Resources)}
	first, err := s.firstLoad(sources)
	if err != nil {
		return err
	}
	if err := s.start(first); err != nil {
		return err
	}
	s.group.run("watch resources", func(ctx context.Context) error {
		return source.Watch(ctx, sources, source.DefaultTiming(), s.reloads.take)
	})
	s.serving.Store(true)
	log.Info("xds-server is ready", "xds", o.XDSAddress, "admin", "http://"+o.AdminAddress)
	err = s.group.wait(ctx)
	log.Info("xds-server has stopped")
	return err
}

// firstLoad reads what is to be served at the start; there is nothing to fall
// back to.
func (s *server) firstLoad(sources []source.Source) (prepared, error) {
	s.reloads = &reloader{
		loader:  loader{modulePath: s.options.FilterModule, entriesPath: s.options.IdentityEntries},
		publish: s.publish, metrics: s.metrics, log: s.log, now: time.Now,
	}
	read, err := source.Read(s.group.ctx, sources)
	if err != nil {
		return prepared{}, err
	}
	if len(read.Problems) > 0 {
		return prepared{}, asError(s.options.Resources, sourceProblems(read))
	}
	first, problems := s.reloads.prepare(read.Documents)
	if problems != nil {
		return prepared{}, asError(s.options.Resources, problems)
	}
	return first, nil
}

// publish gives each identity its snapshot, of all types.
func (s *server) publish(snapshots map[spiffeid.ID]*snapshot.Snapshot) {
	entitlements := make(map[spiffeid.ID]deltaxds.Entitlement, len(snapshots))
	for id, snap := range snapshots {
		entitlements[id] = deltaxds.Entitlement{Snapshot: snap}
	}
	s.registry.Publish(entitlements)
}

// start brings up the parts, each when what it needs is there.
func (s *server) start(first prepared) error {
	if err := s.startAdmin(); err != nil {
		return err
	}
	if err := s.startIdentity(first); err != nil {
		return err
	}
	if err := s.reloads.put(first); err != nil {
		return err
	}
	source, err := ownIdentity(s.group.ctx, s.address, first.domain.XDSServer, s.log)
	if err != nil {
		return s.unlessStopped(err)
	}
	s.group.run("own identity", func(ctx context.Context) error {
		<-ctx.Done()
		return source.Close()
	})
	s.svids.Store(source)
	return s.startXDS(source)
}

// unlessStopped prefers the reason for which a part broke, or the wish to stop,
// to the error that followed from it.
func (s *server) unlessStopped(err error) error {
	if cause := context.Cause(s.group.ctx); cause != nil {
		return cause
	}
	return err
}

func (s *server) startIdentity(first prepared) error {
	if s.options.WorkloadAPI != "" {
		s.address = s.options.WorkloadAPI
		if len(first.domain.Entries) > 0 {
			s.log.Warn("entries of the TrustDomain have no effect: SPIFFE_ENDPOINT_SOCKET is set", "address", s.address)
		}
		return nil
	}
	endpoint, err := developmentCA(s.options, first.domain, s.metrics, s.log)
	if err != nil {
		return err
	}
	socket, err := filepath.Abs(s.options.Socket)
	if err != nil {
		return fmt.Errorf("identity socket: %w", err)
	}
	s.address = "unix://" + socket
	s.reloads.setEntries = endpoint.SetEntries
	s.group.run("identity", endpoint.Serve)
	return nil
}

// Keepalive of the xDS connections: a peer that is gone is noticed within
// pingAfter and pingTimeout, and Envoys may ping as often as their bootstrap says.
const (
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	pingMin     = 5 * time.Second
	maxRequest  = 16 << 20 // bytes of one request: names of a very large mesh
)

func (s *server) startXDS(source *workloadapi.X509Source) error {
	listener, err := listenTCP(s.options.XDSAddress, "--xds-address")
	if err != nil {
		return err
	}
	s.xds = deltaxds.NewServer(deltaxds.Config{
		Registry: s.registry, Peer: xdsPeer, Observer: s.metrics, Log: s.log, Now: time.Now,
	})
	grpcServer := grpc.NewServer(
		grpc.Creds(identity.ServerCredentials(source, source, time.Now)),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingMin, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(16),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.ConnectionTimeout(10*time.Second),
	)
	s.xds.Register(grpcServer)
	s.group.run("xDS", func(ctx context.Context) error {
		// Streams last as long as Envoys: there is no end of them to wait for, and
		// Envoys serve on without.
		stop := context.AfterFunc(ctx, grpcServer.Stop)
		defer stop()
		err := grpcServer.Serve(listener)
		grpcServer.Stop()
		s.xds.Wait()
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	return nil
}

func xdsPeer(ctx context.Context) (deltaxds.Peer, error) {
	p, err := identity.PeerFromContext(ctx)
	return deltaxds.Peer(p), err
}

func (s *server) startAdmin() error {
	listener, err := listenTCP(s.options.AdminAddress, "--admin-address")
	if err != nil {
		return err
	}
	if bound, err := netip.ParseAddrPort(listener.Addr().String()); err != nil || !bound.Addr().IsLoopback() {
		s.log.Warn("the admin interface is not on loopback and asks nobody who they are: keep it behind a firewall", "address", listener.Addr().String())
	}
	interfaces := admin.New(admin.Config{Backend: operate{s}, Metrics: s.metrics.Handler(), Log: s.log, Now: time.Now})
	s.metrics.Ask(func() metrics.State { return admin.Gauges(operate{s}) })
	s.group.run("admin", func(ctx context.Context) error { return interfaces.ServeLoopback(ctx, listener) })
	return nil
}

func listenTCP(address, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: free the address or choose another with %s", err, flag)
	}
	return listener, nil
}

// ready says why Envoys cannot be served yet.
func (s *server) ready() error {
	source := s.svids.Load()
	if source == nil || !s.serving.Load() {
		return errors.New("starting: the server has no identity yet")
	}
	if svid, err := source.GetX509SVID(); err != nil {
		return fmt.Errorf("own SVID: %w", err)
	} else if !time.Now().Before(svid.Certificates[0].NotAfter) {
		return errors.New("the server's own SVID has expired: is the Workload API there?")
	}
	return nil
}

func (s *server) status() admin.Status {
	status := admin.Status{Config: s.reloads.status(), Identity: admin.IdentityStatus{Source: s.address}}
	if source := s.svids.Load(); source != nil {
		if svid, err := source.GetX509SVID(); err == nil {
			status.Identity.SPIFFEID, status.Identity.Expires = svid.ID.String(), svid.Certificates[0].NotAfter
		}
	}
	if s.serving.Load() {
		status.Nodes = s.xds.Status()
	}
	return status
}
