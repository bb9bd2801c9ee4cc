// Package workload serves the X.509 part of the SPIFFE Workload API (SPIFFE
// Workload API specification, section 4) to processes that are known by their
// Unix socket.
package workload

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	workloadpb "github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/identity/attest"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
)

// header must be "true" on every call (SPIFFE Workload Endpoint, section 6): a
// browser or proxy that was tricked into calling does not send it.
const header = "workload.spiffe.io"

// Service is the Workload API.
type Service struct {
	workloadpb.UnimplementedSpiffeWorkloadAPIServer
	issuer  *issue.Issuer
	log     *slog.Logger
	refused func()
}

// New returns the service; refused is called for every call that got nothing.
func New(issuer *issue.Issuer, log *slog.Logger, refused func()) *Service {
	return &Service{issuer: issuer, log: log, refused: refused}
}

// Register adds the service to a server with attest.Credentials.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	workloadpb.RegisterSpiffeWorkloadAPIServer(registrar, s)
}

// FetchX509SVID streams the process's SVIDs with their keys and the bundle, the
// full set in each message, anew at every renewal.
func (s *Service) FetchX509SVID(_ *workloadpb.X509SVIDRequest, stream grpc.ServerStreamingServer[workloadpb.X509SVIDResponse]) error {
	return s.follow(stream.Context(), func(u issue.Update) error {
		resp, err := x509Response(u)
		if err != nil {
			return err
		}
		return stream.Send(resp)
	})
}

// FetchX509Bundles streams the bundle to processes that have an identity.
func (s *Service) FetchX509Bundles(_ *workloadpb.X509BundlesRequest, stream grpc.ServerStreamingServer[workloadpb.X509BundlesResponse]) error {
	return s.follow(stream.Context(), func(u issue.Update) error {
		return stream.Send(&workloadpb.X509BundlesResponse{
			Bundles: map[string][]byte{u.Bundle.TrustDomain().IDString(): der(u.Bundle)},
		})
	})
}

const noTokens = "the development CA issues X.509-SVIDs only: use SPIRE for %s (set SPIFFE_ENDPOINT_SOCKET)"

// FetchJWTSVID is not implemented by the development CA.
func (s *Service) FetchJWTSVID(context.Context, *workloadpb.JWTSVIDRequest) (*workloadpb.JWTSVIDResponse, error) {
	return nil, status.Errorf(codes.Unimplemented, noTokens, "JWT-SVIDs")
}

// FetchJWTBundles is not implemented by the development CA.
func (s *Service) FetchJWTBundles(*workloadpb.JWTBundlesRequest, grpc.ServerStreamingServer[workloadpb.JWTBundlesResponse]) error {
	return status.Errorf(codes.Unimplemented, noTokens, "JWT-SVIDs")
}

// ValidateJWTSVID is not implemented by the development CA.
func (s *Service) ValidateJWTSVID(context.Context, *workloadpb.ValidateJWTSVIDRequest) (*workloadpb.ValidateJWTSVIDResponse, error) {
	return nil, status.Errorf(codes.Unimplemented, noTokens, "JWT-SVIDs")
}

// follow sends every new update until the caller leaves or loses its identity.
func (s *Service) follow(ctx context.Context, send func(issue.Update) error) error {
	if err := checkHeader(ctx); err != nil {
		return err
	}
	session, err := s.attest(ctx)
	if err != nil {
		s.refused()
		s.log.Warn("refused a Workload API call", "error", err)
		return status.Error(codes.PermissionDenied, err.Error())
	}
	sent := ""
	for {
		u, err := session.Current()
		if err != nil {
			s.log.Error("cannot issue", "error", err)
			return status.Error(codes.Unavailable, err.Error())
		}
		if len(u.SVIDs) == 0 {
			s.refused()
			s.log.Warn("no identity for a process: no entry's selectors all match", "selectors", strings.Join(session.Selectors(), " "))
			return status.Errorf(codes.PermissionDenied, "no identity issued: no entry matches %s", strings.Join(session.Selectors(), " "))
		}
		if u.Version != sent {
			if err := send(u); err != nil {
				return err
			}
			sent = u.Version
		}
		if !session.Wait(ctx, u) {
			return nil // the caller left
		}
	}
}

func (s *Service) attest(ctx context.Context) (*issue.Session, error) {
	caller, err := attest.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	return s.issuer.Session(caller)
}

func checkHeader(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if values := md.Get(header); len(values) != 1 || values[0] != "true" {
		return status.Errorf(codes.InvalidArgument, "the metadata %s: true is missing", header)
	}
	return nil
}

func x509Response(u issue.Update) (*workloadpb.X509SVIDResponse, error) {
	resp := &workloadpb.X509SVIDResponse{}
	for _, svid := range u.SVIDs {
		key, err := x509.MarshalPKCS8PrivateKey(svid.Key)
		if err != nil {
			return nil, fmt.Errorf("encode the key of %s: %w", svid.ID, err)
		}
		var chain []byte
		for _, cert := range svid.Chain {
			chain = append(chain, cert.Raw...)
		}
		resp.Svids = append(resp.Svids, &workloadpb.X509SVID{
			SpiffeId: svid.ID.String(), X509Svid: chain, X509SvidKey: key, Bundle: der(u.Bundle),
		})
	}
	return resp, nil
}

// der is the bundle as the Workload API carries it: certificates one after another.
func der(bundle *x509bundle.Bundle) []byte {
	var all []byte
	for _, cert := range bundle.X509Authorities() {
		all = append(all, cert.Raw...)
	}
	return all
}
