package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/lease"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/serving"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/trace"
)

// server is the running whole.
type server struct {
	options Options
	log     *slog.Logger
	metrics *metrics.Metrics
	traces  *trace.Log
	group   *group

	configuration *configuration
	revisions     *revisions
	publisher     *publisher
	registry      *deltaxds.Registry
	clients       *clients
	xds           *deltaxds.Server
	leases        *lease.Service
	evidence      *evidence.Service
	admin         *admin.Server

	svids   atomic.Pointer[workloadapi.X509Source] // nil until the server has its identity
	serving atomic.Bool                            // Envoys can connect
	address string                                 // of the Workload API that identities come from
}

// maxTraces is how many changes the status shows the way of.
const maxTraces = 32

// Run serves until ctx ends. It fails if it cannot start (the resources have
// problems and there is no earlier configuration, an address is taken, no
// identity is to be had) or if a part breaks.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	s := &server{
		options: o, log: log, metrics: metrics.New(), traces: trace.New(maxTraces), group: newGroup(ctx),
		registry: deltaxds.NewRegistry(time.Now),
	}
	asker := serving.NewAsker()
	defer asker.Close()
	defer s.group.stop()
	if err := s.assemble(asker); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return s.unlessStopped(err)
	}
	s.serving.Store(true)
	log.Info("xds-server is ready", "xds", o.XDSAddress, "admin", "http://"+o.AdminAddress)
	err := s.group.wait(ctx)
	log.Info("xds-server has stopped")
	return err
}

// assemble makes the parts that need nothing of the world but the state folder.
func (s *server) assemble(asker *serving.Asker) error {
	o := s.options
	kept, err := history.Open(filepath.Join(o.StateDir, "history"), o.History)
	if err != nil {
		return err
	}
	for _, problem := range kept.Problems() {
		s.log.Error("a part of the history is damaged", "error", problem)
	}
	s.revisions = newRevisions(kept, s.log)
	s.group.run("history", s.revisions.run)
	base, err := openBase(filepath.Join(o.StateDir, "waits-for-canaries"), s.log)
	if err != nil {
		return err
	}
	s.publisher = newPublisher(s.registry, s.traces, base, s.canaries, s.log, time.Now)
	s.clients = newClients(metrics.Follow(s.metrics, s.traces, time.Now), asker, o.gateTimes(), s.publisher, time.Now)
	s.configuration = &configuration{
		loader: newLoader(o.FilterModule, o.IdentityEntries), publisher: s.publisher, revisions: s.revisions,
		traces: s.traces, metrics: s.metrics, log: s.log, now: time.Now,
	}
	s.xds, s.leases = s.newXDS(), s.newLeases()
	if s.evidence, err = s.newEvidence(); err != nil {
		return err
	}
	s.admin = admin.New(admin.Config{Backend: operate{s}, Metrics: s.metrics.Handler(), Log: s.log, Now: time.Now})
	s.metrics.Ask(func() metrics.State { return admin.Gauges(operate{s}) })
	return nil
}

// start brings up the parts, each when what it needs is there.
func (s *server) start() error {
	first, begun, err := s.watch()
	if err != nil {
		return err
	}
	if err := s.configuration.begin(first); err != nil {
		return err
	}
	if err := s.startAdmin(); err != nil {
		return err
	}
	if err := s.startIdentity(); err != nil {
		return err
	}
	svids, err := ownIdentity(s.group.ctx, s.address, s.configuration.state().domain.XDSServer, s.log)
	if err != nil {
		return err
	}
	s.group.run("own identity", func(ctx context.Context) error {
		<-ctx.Done()
		return svids.Close()
	})
	s.svids.Store(svids)
	if err := s.startXDS(svids); err != nil {
		return err
	}
	if err := s.startAdminTLS(svids); err != nil {
		return err
	}
	s.group.run("canaries", s.publisher.run)
	close(begun)
	return nil
}

// watch starts to watch the sources and returns what they hold first. What comes
// later is put in force when begun is closed.
func (s *server) watch() (first source.Update, begun chan<- struct{}, err error) {
	started, updates := make(chan struct{}), make(chan source.Update, 1)
	s.group.run("watch resources", func(ctx context.Context) error {
		heard := false
		return source.Watch(ctx, s.options.Sources, source.DefaultTiming(), func(u source.Update) {
			if !heard {
				heard = true
				updates <- u
				return
			}
			select {
			case <-started:
				s.configuration.take(u)
			case <-ctx.Done():
			}
		})
	})
	select {
	case first = <-updates:
		return first, started, nil
	case <-s.group.ctx.Done():
		return first, nil, context.Cause(s.group.ctx)
	}
}

// unlessStopped prefers the reason for which a part broke, or the wish to stop,
// to the error that followed from it.
func (s *server) unlessStopped(err error) error {
	if cause := context.Cause(s.group.ctx); cause != nil {
		return cause
	}
	return err
}

// canaries is what the Envoys of canaries say.
func (s *server) canaries(ids map[spiffeid.ID]bool) []stage.Node {
	return s.clients.nodes(s.xds.Status(), ids)
}

// startIdentity opens the development CA, unless identities come from elsewhere.
func (s *server) startIdentity() error {
	domain := s.configuration.state().domain
	if s.options.WorkloadAPI != "" {
		s.address = s.options.WorkloadAPI
		if len(domain.Entries) > 0 {
			s.log.Warn("entries of the TrustDomain have no effect: SPIFFE_ENDPOINT_SOCKET is set", "address", s.address)
		}
		return nil
	}
	endpoint, err := developmentCA(s.options, domain, s.metrics, s.log)
	if err != nil {
		return err
	}
	socket, err := filepath.Abs(s.options.Socket)
	if err != nil {
		return fmt.Errorf("identity socket: %w", err)
	}
	s.address = "unix://" + socket
	s.group.run("identity", endpoint.Serve)
	return s.configuration.entitle(endpoint.SetEntries)
}

func (s *server) startAdmin() error {
	listener, err := listenTCP(s.options.AdminAddress, "--admin-address")
	if err != nil {
		return err
	}
	if bound, err := netip.ParseAddrPort(listener.Addr().String()); err != nil || !bound.Addr().IsLoopback() {
		s.log.Warn("the admin interface is not on loopback and asks nobody who they are: keep it behind a firewall", "address", listener.Addr().String())
	}
	s.group.run("admin", func(ctx context.Context) error { return s.admin.ServeLoopback(ctx, listener) })
	return nil
}

// startAdminTLS serves operators from elsewhere, if it is asked for.
func (s *server) startAdminTLS(svids *workloadapi.X509Source) error {
	if s.options.AdminTLSAddress == "" {
		return nil
	}
	listener, err := listenTCP(s.options.AdminTLSAddress, "--admin-tls-address")
	if err != nil {
		return err
	}
	s.group.run("admin over mTLS", func(ctx context.Context) error { return s.admin.ServeTLS(ctx, listener, svids, svids) })
	return nil
}

func listenTCP(address, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: free the address or choose another with %s", err, flag)
	}
	return listener, nil
}
