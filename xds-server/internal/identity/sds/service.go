package sds

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/identity/attest"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

// Observer is told of what did not go well. Its methods must not block.
type Observer interface {
	Refused()  // a process asked for what it may not have
	Rejected() // an Envoy refused a secret
}

// Service is the Secret Discovery Service.
type Service struct {
	secretv3.UnimplementedSecretDiscoveryServiceServer
	issuer   *issue.Issuer
	log      *slog.Logger
	now      func() time.Time
	observer Observer
	readers  sync.WaitGroup
}

// New returns the service.
func New(issuer *issue.Issuer, log *slog.Logger, now func() time.Time, observer Observer) *Service {
	return &Service{issuer: issuer, log: log, now: now, observer: observer}
}

// Register adds the service to a server with attest.Credentials.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	secretv3.RegisterSecretDiscoveryServiceServer(registrar, s)
}

// Wait returns when no goroutine of the service runs any more. Stop the gRPC
// server first.
func (s *Service) Wait() { s.readers.Wait() }

// DeltaSecrets is refused, as SPIRE's agent does.
func (s *Service) DeltaSecrets(secretv3.SecretDiscoveryService_DeltaSecretsServer) error {
	return status.Error(codes.Unimplemented, "secrets are served state of the world: set the sds_config's api_type to GRPC")
}

// FetchSecrets answers once.
func (s *Service) FetchSecrets(ctx context.Context, req *discoveryv3.DiscoveryRequest) (*discoveryv3.DiscoveryResponse, error) {
	if err := checkType(req); err != nil {
		return nil, err
	}
	session, err := s.attest(ctx)
	if err != nil {
		return nil, err
	}
	u, err := s.current(session)
	if err != nil {
		return nil, err
	}
	resp, err := response(u, req.GetResourceNames(), req.GetNode())
	return resp, s.explain(err, session)
}

// StreamSecrets answers every request and sends anew at every renewal, until
// the Envoy leaves or loses its identity.
func (s *Service) StreamSecrets(stream secretv3.SecretDiscoveryService_StreamSecretsServer) error {
	session, err := s.attest(stream.Context())
	if err != nil {
		return err
	}
	c := &connection{service: s, session: session, grpc: stream}
	return c.run()
}

func (s *Service) attest(ctx context.Context) (*issue.Session, error) {
	caller, err := attest.FromContext(ctx)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	session, err := s.issuer.Session(caller)
	if err != nil {
		s.observer.Refused()
		s.log.Warn("refused an SDS stream", "error", err)
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return session, nil
}

func (s *Service) current(session *issue.Session) (issue.Update, error) {
	u, err := session.Current()
	if err != nil {
		s.log.Error("cannot issue", "error", err)
		return u, status.Error(codes.Unavailable, err.Error())
	}
	if len(u.SVIDs) == 0 {
		s.observer.Refused()
		s.log.Warn("no identity for a process: no entry's selectors all match", "selectors", strings.Join(session.Selectors(), " "))
		return u, status.Errorf(codes.PermissionDenied, "no identity issued: no entry matches %s", strings.Join(session.Selectors(), " "))
	}
	return u, nil
}

// explain makes a status of an error of response.
func (s *Service) explain(err error, session *issue.Session) error {
	if err == nil {
		return nil
	}
	if refused := (refusal{}); errors.As(err, &refused) {
		s.observer.Refused()
		s.log.Warn("refused secrets", "names", strings.Join(refused.names, " "), "selectors", strings.Join(session.Selectors(), " "))
		return status.Error(codes.PermissionDenied, err.Error())
	}
	return status.Error(codes.InvalidArgument, err.Error())
}

func checkType(req *discoveryv3.DiscoveryRequest) error {
	if url := req.GetTypeUrl(); url != "" && url != secretType {
		return status.Errorf(codes.InvalidArgument, "type %q is not served here, only %s", url, secretType)
	}
	return nil
}

// connection is one open stream.
type connection struct {
	service *Service
	session *issue.Session
	grpc    secretv3.SecretDiscoveryService_StreamSecretsServer
	state   stream
}

type received struct {
	req *discoveryv3.DiscoveryRequest
	err error
}

func (c *connection) run() error {
	requests := c.receive()
	for {
		u, err := c.service.current(c.session)
		if err != nil {
			return err
		}
		resp, err := c.state.respond(u)
		if err != nil {
			return c.service.explain(err, c.session)
		}
		if resp != nil {
			if err := c.grpc.Send(resp); err != nil {
				return err
			}
		}
		if done, err := c.wait(requests, u); done {
			return err
		}
	}
}

// wait takes the next request, or returns when the update may be outdated.
func (c *connection) wait(requests <-chan received, u issue.Update) (done bool, err error) {
	timer := time.NewTimer(u.Until.Sub(c.service.now()))
	defer timer.Stop()
	select {
	case r := <-requests:
		if r.err != nil {
			return true, nil // the Envoy left
		}
		if err := checkType(r.req); err != nil {
			return true, err
		}
		if message, nack := c.state.request(r.req); nack {
			c.service.observer.Rejected()
			c.service.log.Error("Envoy refused a secret; it serves on with its last good one",
				"names", strings.Join(r.req.GetResourceNames(), " "), "message", message)
		}
	case <-u.Changed:
	case <-timer.C:
	}
	return false, nil
}

// receive reads requests until the stream ends, one at a time.
func (c *connection) receive() <-chan received {
	requests := make(chan received)
	done := c.grpc.Context().Done()
	c.service.readers.Add(1)
	go func() {
		defer c.service.readers.Done()
		for {
			req, err := c.grpc.Recv()
			select {
			case requests <- received{req, err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return requests
}
