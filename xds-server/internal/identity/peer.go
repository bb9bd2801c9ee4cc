package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Peer is what a client proved over mTLS.
type Peer struct {
	ID      spiffeid.ID
	Expires time.Time // end of its SVID
	Address string
}

// ServerCredentials prove the server by its SVID and demand one of every
// client. A connection is cut when the client's SVID ends: a client that has a
// fresh one connects again.
func ServerCredentials(svid x509svid.Source, bundle x509bundle.Source, now func() time.Time) credentials.TransportCredentials {
	config := tlsconfig.MTLSServerConfig(svid, bundle, tlsconfig.AuthorizeAny())
	config.MinVersion = tls.VersionTLS13
	// A resumed session would not be verified against the bundle of today.
	config.SessionTicketsDisabled = true
	return expiring{TransportCredentials: credentials.NewTLS(config), now: now}
}

// PeerFromContext returns what the client of a call proved to ServerCredentials.
func PeerFromContext(ctx context.Context) (Peer, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, errors.New("the call has no peer")
	}
	proved, err := provedBy(p.AuthInfo)
	if err != nil {
		return Peer{}, err
	}
	proved.Address = p.Addr.String()
	return proved, nil
}

func provedBy(info credentials.AuthInfo) (Peer, error) {
	tlsInfo, ok := info.(credentials.TLSInfo)
	if !ok || len(tlsInfo.State.PeerCertificates) == 0 {
		return Peer{}, errors.New("the client proved no identity")
	}
	leaf := tlsInfo.State.PeerCertificates[0]
	id, err := x509svid.IDFromCert(leaf)
	if err != nil {
		return Peer{}, fmt.Errorf("the client's certificate is no SVID: %w", err)
	}
	return Peer{ID: id, Expires: leaf.NotAfter}, nil
}

// expiring cuts connections at the end of the client's SVID.
type expiring struct {
	credentials.TransportCredentials
	now func() time.Time
}

func (e expiring) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := e.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	proved, err := provedBy(info)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	limited := &limitedConn{Conn: conn}
	limited.timer = time.AfterFunc(proved.Expires.Sub(e.now())+grace, func() { _ = conn.Close() })
	return limited, info, nil
}

// grace lets streams say why they end before the connection is cut.
const grace = time.Second

func (e expiring) Clone() credentials.TransportCredentials {
	return expiring{TransportCredentials: e.TransportCredentials.Clone(), now: e.now}
}

// limitedConn is a connection with an end.
type limitedConn struct {
	net.Conn
	timer *time.Timer
}

func (c *limitedConn) Close() error {
	c.timer.Stop()
	return c.Conn.Close()
}
