package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// Peer is what a client proved over mTLS, and its connection.
type Peer struct {
	ID      spiffeid.ID
	Expires time.Time // end of its SVID; the connection is cut then
	Renew   time.Time // when it is to come back with a fresh SVID; not after Expires
	Address string
	Leave   func() // tells the client to open its next stream on a new connection
}

// ServerCredentials prove the server by its SVID and demand one of every
// client. A connection is cut when the client's SVID ends; a client that leaves
// it when Peer says so, and has a fresh SVID by then, never notices.
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
	proof, ok := p.AuthInfo.(proof)
	if !ok {
		return Peer{}, errors.New("the client proved no identity")
	}
	return proof.peer, nil
}

// proof is what grpc-go keeps of a handshake for the calls on its connection.
type proof struct {
	credentials.TLSInfo
	peer Peer
}

func prove(info credentials.AuthInfo, now time.Time) (proof, error) {
	tlsInfo, ok := info.(credentials.TLSInfo)
	if !ok || len(tlsInfo.State.PeerCertificates) == 0 {
		return proof{}, errors.New("the client proved no identity")
	}
	leaf := tlsInfo.State.PeerCertificates[0]
	id, err := x509svid.IDFromCert(leaf)
	if err != nil {
		return proof{}, fmt.Errorf("the client's certificate is no SVID: %w", err)
	}
	return proof{TLSInfo: tlsInfo, peer: Peer{ID: id, Expires: leaf.NotAfter, Renew: renewal(leaf, now)}}, nil
}

// renewal is when nine tenths of an SVID's life are over: workloads are given
// the next one at about half of it. A client that connects later than that has
// no other, and may stay until the end.
func renewal(leaf *x509.Certificate, now time.Time) time.Time {
	at := leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 10)
	if now.Before(at) {
		return at
	}
	return leaf.NotAfter
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
	proved, err := prove(info, e.now())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	leaving := &leavingConn{Conn: conn}
	proved.peer.Address, proved.peer.Leave = conn.RemoteAddr().String(), leaving.leave
	limited := &limitedConn{Conn: leaving}
	limited.timer = time.AfterFunc(proved.peer.Expires.Sub(e.now())+grace, func() { _ = conn.Close() })
	return limited, proved, nil
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
