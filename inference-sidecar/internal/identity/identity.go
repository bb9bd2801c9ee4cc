// Package identity makes the server's side of mutual TLS from X.509-SVIDs of the SPIFFE Workload API.
package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// Options says who this server is and who may speak to it.
type Options struct {
	// WorkloadAPI is the address of the Workload API, such as unix:///run/spire/agent.sock; empty for what the
	// environment variable SPIFFE_ENDPOINT_SOCKET says.
	WorkloadAPI string
	// Peers are the SPIFFE IDs that may connect; at least one.
	Peers []spiffeid.ID
	// Wait bounds how long the first SVID may take.
	Wait time.Duration
}

// ParsePeer returns the SPIFFE ID of a peer.
func ParsePeer(s string) (spiffeid.ID, error) {
	id, err := spiffeid.FromString(s)
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("%q is not a SPIFFE ID such as spiffe://weir.test/envoy: %w", s, err)
	}
	return id, nil
}

// Server waits for an SVID and returns a TLS configuration that presents it, follows its rotation, and lets the peers in
// and nobody else. The caller closes the closer when it serves no more.
func Server(ctx context.Context, opt Options) (*tls.Config, io.Closer, error) {
	if len(opt.Peers) == 0 {
		return nil, nil, errors.New("no peer may connect: name at least one SPIFFE ID")
	}
	var client []workloadapi.ClientOption
	if opt.WorkloadAPI != "" {
		client = append(client, workloadapi.WithAddr(opt.WorkloadAPI))
	}
	wait, cancel := context.WithTimeout(ctx, opt.Wait)
	defer cancel()
	source, err := workloadapi.NewX509Source(wait, workloadapi.WithClientOptions(client...))
	if err != nil {
		return nil, nil, fmt.Errorf("getting an X.509-SVID from the Workload API: %w", err)
	}
	config := tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeOneOf(opt.Peers...))
	config.MinVersion = tls.VersionTLS12
	return config, source, nil
}
