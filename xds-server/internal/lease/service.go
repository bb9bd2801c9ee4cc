package lease

import (
	"context"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Method is the full name of the one method. Its messages are
// google.protobuf.BytesValue with the bytes that ParseRequest and AppendAnswer
// describe: the filter, which has no room for more, calls it by plain HTTP.
const Method = "/weir.lease.v1.Leases/Renew"

// Peer is the proved identity of a caller.
type Peer struct {
	ID    spiffeid.ID
	Renew time.Time // when it is to come back with a fresh certificate
	Leave func()    // has it make its next call on another connection
}

// Observer is told what the service does. It is called from many goroutines.
type Observer interface {
	// LeasesRenewed is told of every call that was answered, and of the Envoys that
	// hold leases and the buckets with shares of their own from then on.
	LeasesRenewed(holders, keys int)
	// LeaseRefused is told of every call that was not.
	LeaseRefused()
}

// Config is what a Service needs; all of it is required.
type Config struct {
	Peer     func(context.Context) (Peer, error) // who makes a call
	Entitled func(spiffeid.ID) bool              // whether it is an Envoy of this server
	Observer Observer
	Now      func() time.Time
}

// Service grants leases over gRPC.
type Service struct {
	config Config

	mu     sync.Mutex
	ledger *Ledger // guarded by mu
}

// NewService returns a service that has granted nothing.
func NewService(c Config) *Service { return &Service{config: c, ledger: New(c.Now())} }

// Register adds the service to a server.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	registrar.RegisterService(&grpc.ServiceDesc{
		ServiceName: "weir.lease.v1.Leases", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Renew", Handler: s.handle}},
	}, s)
}

func (s *Service) handle(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // gRPC's order of arguments
	in := &wrapperspb.BytesValue{}
	if err := decode(in); err != nil {
		return nil, err
	}
	out, err := s.renew(ctx, in.GetValue())
	if err != nil {
		s.config.Observer.LeaseRefused()
		return nil, err
	}
	return wrapperspb.Bytes(out), nil
}

func (s *Service) renew(ctx context.Context, in []byte) ([]byte, error) {
	peer, err := s.config.Peer(ctx)
	if err != nil {
		return nil, status.Errorf(codes.Unauthenticated, "no SPIFFE ID was proved: %v", err)
	}
	if !s.config.Entitled(peer.ID) {
		return nil, status.Errorf(codes.PermissionDenied, "no leases for %s: list it under spec.envoys of a Gateway", peer.ID)
	}
	now := s.config.Now()
	if !now.Before(peer.Renew) {
		peer.Leave()
	}
	request, err := ParseRequest(in)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.ledger.Renew(Holder{ID: peer.ID, Instance: request.Instance}, request, now)
	if err != nil {
		return nil, status.Error(codes.ResourceExhausted, err.Error())
	}
	s.config.Observer.LeasesRenewed(len(s.ledger.holders), len(s.ledger.keys))
	return AppendAnswer(nil, answer), nil
}
