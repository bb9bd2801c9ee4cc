package identity

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/weirmesh/weir/xds-server/internal/identity/attest"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/identity/sds"
	"github.com/weirmesh/weir/xds-server/internal/identity/workload"
)

// Observer is told of what the endpoint does. Its methods must not block and
// are called from many goroutines.
type Observer interface {
	sds.Observer
	Issued() // an SVID was made
}

// Config is what an Endpoint needs. All fields are required.
type Config struct {
	Socket    string // path of the Unix socket
	Authority issue.Authority
	Observer  Observer
	Log       *slog.Logger
	Now       func() time.Time
}

// Endpoint is the socket that serves the Workload API and SDS.
type Endpoint struct {
	issuer   *issue.Issuer
	secrets  *sds.Service
	server   *grpc.Server
	listener net.Listener
}

// NewEndpoint opens the socket, which then exists until Serve returns. Nobody
// gets an identity before SetEntries.
func NewEndpoint(config Config) (*Endpoint, error) {
	listener, err := listen(config.Socket)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		issuer:   issue.New(config.Authority, config.Now, config.Observer.Issued),
		listener: listener,
		server: grpc.NewServer(
			grpc.Creds(attest.Credentials{}),
			grpc.MaxConcurrentStreams(100),
			grpc.MaxRecvMsgSize(1<<20),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		),
	}
	e.secrets = sds.New(e.issuer, config.Log, config.Now, config.Observer)
	e.secrets.Register(e.server)
	workload.New(e.issuer, config.Log, config.Observer.Refused).Register(e.server)
	return e, nil
}

// SetEntries says who gets which identity, from now on. On an error the former
// entries stay.
func (e *Endpoint) SetEntries(entries []issue.Entry) error { return e.issuer.SetEntries(entries) }

// Serve answers until ctx ends, and removes the socket.
func (e *Endpoint) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, e.server.Stop)
	defer stop()
	err := e.server.Serve(e.listener)
	e.server.Stop() // waits for the streams
	e.secrets.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("identity socket: %w", err)
	}
	return nil
}
