// Package attest proves which process is at the other end of a Unix socket, in
// the terms of SPIRE's unix workload attestor: unix:uid, unix:gid, unix:path
// and unix:sha256. What it says comes from the kernel, never from the peer.
//
// It imports nothing of this repository.
package attest

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Caller is the process that opened a connection. It stays bound to that very
// process: when it has ended, selectors are an error, even if its number was
// given to another one.
type Caller struct {
	credentials.CommonAuthInfo
	PID      int32
	UID, GID uint32
	process  process
}

// AuthType names the proof, for gRPC.
func (*Caller) AuthType() string { return "unix-peer" }

// Selectors describes the process: its user, its group and the path of its
// program; with digest also the program's SHA-256. A property that the kernel
// does not let us see is left out, so that no entry which needs it matches.
func (c *Caller) Selectors(digest bool) ([]string, error) {
	selectors := []string{fmt.Sprintf("unix:uid:%d", c.UID), fmt.Sprintf("unix:gid:%d", c.GID)}
	path, err := c.process.program()
	if err != nil {
		return nil, fmt.Errorf("attest process %d: %w", c.PID, err)
	}
	if path != "" {
		selectors = append(selectors, "unix:path:"+path)
	}
	if digest {
		sum, err := c.process.digest()
		if err != nil {
			return nil, fmt.Errorf("attest process %d: %w", c.PID, err)
		}
		if sum != "" {
			selectors = append(selectors, "unix:sha256:"+sum)
		}
	}
	return selectors, nil
}

// FromContext returns the caller of an RPC on a server with Credentials.
func FromContext(ctx context.Context) (*Caller, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, errors.New("the call has no peer")
	}
	caller, ok := p.AuthInfo.(*Caller)
	if !ok {
		return nil, errors.New("the call did not come over the Unix socket")
	}
	return caller, nil
}

// Credentials are gRPC transport credentials for servers on Unix sockets: there
// is no encryption, and every connection carries its Caller.
type Credentials struct{}

// ServerHandshake asks the kernel who opened the connection.
func (Credentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, fmt.Errorf("attest: %T is not a Unix socket", conn)
	}
	caller, err := identify(unixConn)
	if err != nil {
		return nil, nil, fmt.Errorf("attest: %w", err)
	}
	return &boundConn{Conn: conn, caller: caller}, caller, nil
}

// ClientHandshake is refused: these credentials are a server's.
func (Credentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("attest: these credentials are for servers")
}

// Info describes the protocol, for gRPC.
func (Credentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "unix-peer"}
}

// Clone returns the credentials, which have no state.
func (c Credentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName does nothing: there are no names.
func (Credentials) OverrideServerName(string) error { return nil }

// boundConn lets go of the process when the connection ends.
type boundConn struct {
	net.Conn
	caller *Caller
}

func (b *boundConn) Close() error { return errors.Join(b.Conn.Close(), b.caller.process.release()) }
