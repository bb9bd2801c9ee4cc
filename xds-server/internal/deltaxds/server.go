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
// and are called from many goroutines.
type Observer interface {
	StreamOpened()
	StreamClosed(reason string)
	ResponseSent(typeURL string, updated, removed, bytes int)
	Acked(typeURL string, took time.Duration)
	Nacked(typeURL string)
}

// Config is what a Server needs. All fields are required.
type Config struct {
	Registry *Registry
	// Peer returns the identity that the client of a stream proved. An error
	// refuses the stream.
	Peer     func(context.Context) (Peer, error)
	Observer Observer
	Log      *slog.Logger
	Now      func() time.Time
}

// Server is the aggregated discovery service. The stream's snapshot is chosen by
// the proved SPIFFE ID alone.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	config Config

	mu       sync.Mutex
	sessions map[uint64]*session
	last     uint64
	readers  sync.WaitGroup
}

// NewServer returns a server that serves what config's registry holds.
func NewServer(config Config) *Server {
	return &Server{config: config, sessions: make(map[uint64]*session)}
}

// Register adds the service to s.
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(registrar, s)
}

// Wait returns when no goroutine of the server runs any more. Stop the gRPC
// server first.
func (s *Server) Wait() { s.readers.Wait() }

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
	entry, entitled, changed := s.config.Registry.lookup(peer.ID)
	if !entitled {
		s.config.Log.Warn("refused an xDS stream: identity is not entitled", "spiffe_id", peer.ID.String(), "address", peer.Address)
		return notEntitled(peer.ID)
	}
	c := s.open(peer, entry, changed, grpcStream)
	log := s.config.Log.With("spiffe_id", peer.ID.String(), "stream", c.number)
	log.Info("xDS stream opened", "address", peer.Address)
	s.config.Observer.StreamOpened()
	reason, err := c.run(log)
	s.close(c)
	s.config.Observer.StreamClosed(reason)
	log.Info("xDS stream closed", "reason", reason)
	return err
}

func notEntitled(id spiffeid.ID) error {
	return status.Errorf(codes.PermissionDenied, "no configuration for %s: list it under spec.envoys of a Gateway", id)
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

func (s *Server) open(peer Peer, e entry, changed <-chan struct{}, g discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	c := &session{
		server: s, grpc: g, number: s.last, peer: peer, connected: s.config.Now(),
		state: newStream(e.snap), changed: changed,
	}
	s.sessions[c.number] = c
	return c
}

func (s *Server) close(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c.number)
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
