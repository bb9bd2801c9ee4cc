package admin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

// right is what a call needs.
type right int

const (
	none right = iota // nobody has it
	read
	write
)

func (r right) String() string { return [...]string{"none", "read", "write"}[r] }

// rights are what the methods of the API need. A method that is not here cannot
// be called.
var rights = map[string]right{
	adminv1.Admin_ListNodes_FullMethodName:     read,
	adminv1.Admin_ListResources_FullMethodName: read,
	adminv1.Admin_ListSnapshots_FullMethodName: read,
	adminv1.Admin_Diff_FullMethodName:          read,
	adminv1.Admin_GetStatus_FullMethodName:     read,
	adminv1.Admin_Watch_FullMethodName:         read,
	adminv1.Admin_Rollback_FullMethodName:      write,
	adminv1.Admin_Resume_FullMethodName:        write,
}

// may reports whether an identity has a right.
func (o Operators) may(id spiffeid.ID, r right) bool {
	switch r {
	case read:
		return slices.Contains(o.Read, id) || slices.Contains(o.Write, id)
	case write:
		return slices.Contains(o.Write, id)
	default:
		return false
	}
}

// caller is who makes a request: a SPIFFE ID that was proved over mTLS, or
// somebody on this machine.
type caller struct {
	id       spiffeid.ID // zero without mTLS
	loopback bool
	denied   string // why the caller may do nothing

	// until is the end of the SVID that proves id; zero: no end.
	until time.Time
	ended bool // until is past
}

// String names the caller in the history.
func (c caller) String() string {
	if c.loopback {
		return "loopback"
	}
	return c.id.String()
}

type callerKey struct{}

func callerFrom(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return caller{denied: "who asks is not known"}
	}
	return c
}

// authorize fails unless the caller of ctx may call a method.
func authorize(ctx context.Context, operators func() Operators, method string) error {
	c, needs := callerFrom(ctx), rights[method]
	switch {
	case c.ended:
		return errEnded
	case c.denied != "":
		return status.Error(codes.PermissionDenied, c.denied)
	case needs == none:
		return status.Errorf(codes.PermissionDenied, "nobody may call %s", method)
	case c.loopback || operators().may(c.id, needs):
		return nil
	default:
		return status.Errorf(codes.PermissionDenied, "%s may not %s: list it under spec.operators.%s of the TrustDomain", c.id, needs, needs)
	}
}

// unauthenticated is the caller on a listener that asks nobody who they are. It
// may do everything on loopback, and nothing from elsewhere. Only requests that
// name this machine by an address or as localhost count as local: other names
// may be those of a web page that had a browser come here.
func unauthenticated(r *http.Request) caller {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || !isLoopback(local.String()) {
		return caller{denied: "without mTLS the admin API is there on loopback only: use the listener of --admin-tls-address"}
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	_, err = netip.ParseAddr(strings.Trim(host, "[]"))
	if name := strings.ToLower(host); err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost") {
		return caller{denied: "the admin API answers to an address or localhost, not to the name " + host}
	}
	return caller{loopback: true}
}

func isLoopback(address string) bool {
	bound, err := netip.ParseAddrPort(address)
	return err == nil && bound.Addr().Unmap().IsLoopback()
}

// errEnded tells a caller to come again.
var errEnded = status.Error(codes.Unauthenticated, "the SVID that proved this connection has ended: connect again with a fresh one")

// proved is the caller on the mTLS listener.
func proved(r *http.Request, now time.Time) caller {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return caller{denied: "no SPIFFE ID was proved"}
	}
	leaf := r.TLS.PeerCertificates[0]
	id, err := x509svid.IDFromCert(leaf)
	if err != nil {
		return caller{denied: "the client's certificate is no SVID: " + err.Error()}
	}
	return caller{id: id, until: leaf.NotAfter, ended: !now.Before(leaf.NotAfter)}
}
