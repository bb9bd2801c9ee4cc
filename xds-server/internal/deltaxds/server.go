package deltaxds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Peer is the proved identity of a client, and the connection that proved it.
type Peer struct {
	ID      spiffeid.ID
	Expires time.Time // end of the certificate that proves ID
	Renew   time.Time // when to come back with a fresh certificate; not after Expires
	Address string    // for logs
	Leave   func()    // has the client open its next stream on another connection
}

// Observer is told of what happens on the streams. Its methods must not block
// and are called from many goroutines. A version without a type is that of a
// whole snapshot.
type Observer interface {
	StreamOpened()
	// StreamClosed gives the reason in a few words of a small set.
	StreamClosed(reason string)
	ResponseSent(typeURL string, updated, removed, bytes int)
	Acked(typeURL string, took time.Duration)
	Nacked(typeURL string)
	// Suppressed counts refused resources that would have gone out once more,
	// unchanged, had they not been parked.
	Suppressed(typeURL string, resources int)
	// Parked names the resources of a snapshot that a client refused.
	Parked(id spiffeid.ID, node, version, typeURL string, names []string, message string)
	// Pushed is the first response of a snapshot to a client; took counts from its
	// publication, or from the opening of the stream if that was later.
	Pushed(id spiffeid.ID, node, version string, took time.Duration)
	// Converged is the ACK by which a client has all additions and changes of a
	// snapshot, none refused or held back; took counts as for Pushed. What the
	// snapshot no longer has may still be there, until the drain delay is over.
	Converged(id spiffeid.ID, node, version string, took time.Duration)
}

// Defaults of a Config.
const (
	DefaultDrain       = 5 * time.Second
	DefaultSendTimeout = 30 * time.Second
)

// Config is what a Server needs. Fields are required unless they say otherwise.
type Config struct {
	Registry *Registry
	// Peer returns the identity that the client of a stream proved. An error
	// refuses the stream.
	Peer     func(context.Context) (Peer, error)
	Observer Observer
	// Clients follows the clients of streams one by one. Nil: nobody does.
	Clients Clients
	Log     *slog.Logger
	Now     func() time.Time
	// Timer returns a channel on which a value comes after d, and what releases
	// it before. Nil: the clock of the machine.
	Timer func(d time.Duration) (fired <-chan time.Time, stop func())
	// Drain is how long what a snapshot no longer has stays with a client after
	// the client acknowledged what replaces it. Zero: DefaultDrain; negative: not
	// at all.
	Drain time.Duration
	// SendTimeout is how long a client may take to read one response before it is
	// dropped. Zero: DefaultSendTimeout.
	SendTimeout time.Duration
	// Warm is asked when a client that serves has acknowledged new or changed
	// clusters which are not ready by that alone: those with health checks or
	// DNS. What leads to them waits until the channel yields or is closed. An
	// error is logged and shown, and the wait ends all the same: the hook bounds
	// it. The context ends with the stream. Nil: nothing waits.
	Warm func(ctx context.Context, peer Peer, node string, clusters []string) <-chan error
}

// Server is the aggregated discovery service. The stream's snapshot is chosen by
// the proved SPIFFE ID alone.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	config Config

	parking *parking
	running sync.WaitGroup // goroutines of sessions, besides their handlers
	turns   chan struct{}  // holds one for each client that begins

	mu       sync.Mutex
	sessions map[uint64]*session
	last     uint64
}

// NewServer returns a server that serves what config's registry holds.
func NewServer(config Config) *Server {
	if config.Drain == 0 {
		config.Drain = DefaultDrain
	}
	if config.SendTimeout == 0 {
		config.SendTimeout = DefaultSendTimeout
	}
	if config.Clients == nil {
		config.Clients = nobody{}
	}
	return &Server{config: config, parking: newParking(), turns: make(chan struct{}, turns), sessions: make(map[uint64]*session)}
}

// timer is the configured one, or the machine's.
func (s *Server) timer(d time.Duration) (fired <-chan time.Time, stop func()) {
	if s.config.Timer != nil {
		return s.config.Timer(d)
	}
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// Register adds the service to s.
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(registrar, s)
}

// Wait returns when no goroutine of the server runs any more. Stop the gRPC
// server first.
func (s *Server) Wait() { s.running.Wait() }

// StreamAggregatedResources refuses the state-of-the-world protocol: it cannot
// take a resource away in order, nor say which one was refused.
func (s *Server) StreamAggregatedResources(discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return status.Error(codes.Unimplemented, "state-of-the-world ADS is not served: set ads_config.api_type to DELTA_GRPC in Envoy's bootstrap")
}

// DeltaAggregatedResources serves one client until it leaves, is to come back
// with a fresh SVID, or its entitlement ends.
func (s *Server) DeltaAggregatedResources(grpcStream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	peer, err := s.config.Peer(grpcStream.Context())
	if err != nil {
		s.config.Log.Warn("refused an xDS stream", "error", err)
		return status.Errorf(codes.Unauthenticated, "no SPIFFE ID was proved: %v", err)
	}
	if !s.config.Now().Before(peer.Renew) {
		return renew(peer)
	}
	granted := s.config.Registry.lookup(peer.ID)
	if granted == nil {
		s.config.Log.Warn("refused an xDS stream: identity is not entitled", "spiffe_id", peer.ID.String(), "address", peer.Address)
		return notEntitled(peer.ID)
	}
	c := s.open(peer, granted, grpcStream)
	c.log.Info("xDS stream opened", "address", peer.Address)
	s.config.Observer.StreamOpened()
	reason, err := c.run()
	s.close(c)
	s.config.Clients.Left(c.client(c.node))
	s.config.Observer.StreamClosed(reason)
	c.log.Info("xDS stream closed", "reason", reason)
	return err
}

func notEntitled(id spiffeid.ID) error {
	return status.Errorf(codes.PermissionDenied, "no configuration for %s: list it under spec.envoys of a Gateway", id)
}

func notEntitledTo(id spiffeid.ID, typeURL string) error {
	return status.Errorf(codes.PermissionDenied, "%s is not entitled to resources of the type %s", id, typeURL)
}

// renew sends the client away from the connection, which its next stream would
// use otherwise: it proved itself with the old SVID.
func renew(peer Peer) error {
	peer.Leave()
	return status.Errorf(codes.Unavailable, "the SVID that proved this connection ends at %s: connect again with a fresh one", peer.Expires.UTC().Format(time.RFC3339))
}

// Status describes every open stream, ordered by number.
func (s *Server) Status() []StreamStatus {
	s.mu.Lock()
	sessions := make([]*session, 0, len(s.sessions))
	for _, c := range s.sessions {
		sessions = append(sessions, c)
	}
	s.mu.Unlock()
	reports := make([]StreamStatus, 0, len(sessions))
	for _, c := range sessions {
		reports = append(reports, c.status())
	}
	slices.SortFunc(reports, byStream)
	return reports
}

func (s *Server) open(peer Peer, e *grant, g deltaStream) *session {
	now := s.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	c := &session{
		server: s, grpc: g, number: s.last, peer: peer, connected: now,
		log:   s.config.Log.With("spiffe_id", peer.ID.String(), "stream", s.last),
		grant: e, warmed: make(chan warmth),
		turn:  turn{server: s, begun: e.Snapshot.Size() < turnSize},
		state: newStream(e.Snapshot, options{drain: s.config.Drain, warm: s.config.Warm != nil, allows: e.allows}),
		// What was published before is late only since the client is there.
		published: map[string]time.Time{e.Snapshot.Version(): now},
	}
	s.sessions[c.number] = c
	return c
}

func (s *Server) close(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c.number)
	s.parking.retain(func(id spiffeid.ID) bool { return s.config.Registry.lookup(id) != nil })
}

// ending says why a receive failed, for logs and metrics.
func ending(err error) string {
	switch {
	case errors.Is(err, io.EOF), status.Code(err) == codes.Canceled:
		return "client left"
	default:
		return fmt.Sprintf("connection: %s", status.Code(err))
	}
}
