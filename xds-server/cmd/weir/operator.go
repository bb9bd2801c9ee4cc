package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

// operatorFlags say which xds-server a command speaks with.
type operatorFlags struct {
	server   string
	serverID string
}

func (f *operatorFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.server, "server", "http://127.0.0.1:18001", "`URL` of the xds-server's admin interface: http:// on this machine, https:// for mTLS with an SVID from SPIFFE_ENDPOINT_SOCKET")
	flags.StringVar(&f.serverID, "server-id", "", "SPIFFE `ID` that the server must prove over https:// (default /xds-server of this program's own trust domain)")
}

// Bounds of a conversation with the server.
const (
	identityWait = 10 * time.Second
	callWait     = 30 * time.Second
	maxAnswer    = 64 << 20 // bytes
)

// connect opens the way to the server. The caller calls close.
func (f *operatorFlags) connect(ctx context.Context, i *invocation) (client adminv1.AdminClient, closeAll func(), err error) {
	target, err := url.Parse(f.server)
	if err != nil || target.Host == "" || target.Port() == "" || (target.Path != "" && target.Path != "/") || (target.Scheme != "http" && target.Scheme != "https") {
		return nil, nil, usagef("%s: --server %q: write http://HOST:PORT or https://HOST:PORT", i.flags.Name(), f.server)
	}
	creds, release := insecure.NewCredentials(), func() {}
	if target.Scheme == "https" {
		if creds, release, err = f.mutualTLS(ctx, i); err != nil {
			return nil, nil, err
		}
	}
	conn, err := grpc.NewClient("passthrough:///"+target.Host, grpc.WithTransportCredentials(creds), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("connect to %s: %w", f.server, err)
	}
	return adminv1.NewAdminClient(conn), func() {
		_ = conn.Close() // what was asked has been answered
		release()
	}, nil
}

// mutualTLS proves this program by its SVID, and demands the server's.
func (f *operatorFlags) mutualTLS(ctx context.Context, i *invocation) (credentials.TransportCredentials, func(), error) {
	address := i.getenv("SPIFFE_ENDPOINT_SOCKET")
	if address == "" {
		return nil, nil, usagef("%s: https:// needs an SVID: set SPIFFE_ENDPOINT_SOCKET to the socket of the Workload API", i.flags.Name())
	}
	wanted, err := f.wantedServer(i)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, identityWait)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(address)))
	if err != nil {
		return nil, nil, fmt.Errorf("get an SVID from %s: %w", address, err)
	}
	release := func() { _ = source.Close() } // nothing is left to be told
	if wanted.IsZero() {
		svid, err := source.GetX509SVID()
		if err == nil {
			wanted, err = spiffeid.FromPath(svid.ID.TrustDomain(), "/xds-server")
		}
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("own SVID: %w", err)
		}
	}
	return credentials.NewTLS(tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(wanted))), release, nil
}

func (f *operatorFlags) wantedServer(i *invocation) (spiffeid.ID, error) {
	if f.serverID == "" {
		return spiffeid.ID{}, nil
	}
	id, err := spiffeid.FromString(f.serverID)
	if err != nil {
		return spiffeid.ID{}, usagef("%s: --server-id %q: %v", i.flags.Name(), f.serverID, err)
	}
	return id, nil
}

// explain says of an error of the API what an operator can do about it.
func (f *operatorFlags) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) { // the user had enough
		return nil
	}
	s, ok := grpcstatus.FromError(err)
	switch {
	case !ok:
		return err
	case s.Code() == codes.Unavailable:
		return fmt.Errorf("%s does not answer: %s: is the xds-server there? Name another with --server", f.server, s.Message())
	case s.Code() == codes.DeadlineExceeded:
		return fmt.Errorf("%s gave no answer within %s", f.server, callWait)
	default:
		return errors.New(s.Message())
	}
}

// words parses the flags wherever they stand and returns what else there is.
func (i *invocation) words() ([]string, error) {
	var words []string
	for args := i.args; ; args = i.flags.Args()[1:] {
		if err := i.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{errSilent} // the flag set has said why, and printed the flags
		}
		if i.flags.NArg() == 0 {
			return words, nil
		}
		words = append(words, i.flags.Arg(0))
	}
}
