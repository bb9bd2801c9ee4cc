package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/identity"
	"github.com/weirmesh/weir/xds-server/internal/identity/devca"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
)

// identityTimeout bounds the wait for the server's own first SVID. SPIRE may
// need some seconds to hear of a new entry.
const identityTimeout = 30 * time.Second

// developmentCA opens the embedded CA and its socket.
func developmentCA(o Options, td catalog.TrustDomain, m *metrics.Metrics, log *slog.Logger) (*identity.Endpoint, error) {
	if td.Source == api.SourceSPIRE {
		return nil, fmt.Errorf("TrustDomain/%s takes its identities from SPIRE: set SPIFFE_ENDPOINT_SOCKET to the socket of its agent, or source to development", td.Name)
	}
	authority, err := devca.Open(devca.Config{
		TrustDomain: td.Name, Dir: o.StateDir, RootTTL: o.RootTTL, SVIDTTL: o.SVIDTTL, Force: o.ForceCA, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	endpoint, err := identity.NewEndpoint(identity.Config{Socket: o.Socket, Authority: authority, Observer: m, Log: log, Now: time.Now})
	if err != nil {
		return nil, err
	}
	log.Warn("THE DEVELOPMENT CA IS RUNNING: its root key is a file on this machine. Do not use it in production: run SPIRE and set SPIFFE_ENDPOINT_SOCKET",
		"trust_domain", td.Name.Name(), "root", filepath.Join(o.StateDir, "development-ca.pem"), "socket", o.Socket)
	return endpoint, nil
}

// ownIdentity gets the server's SVID from a Workload API and keeps it fresh. The
// same code serves for the development CA and for SPIRE.
func ownIdentity(ctx context.Context, address string, id spiffeid.ID, log *slog.Logger) (*workloadapi.X509Source, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx,
		workloadapi.WithClientOptions(workloadapi.WithAddr(address), workloadapi.WithLogger(apiLog{log})),
		workloadapi.WithDefaultX509SVIDPicker(func(svids []*x509svid.SVID) *x509svid.SVID { return pick(svids, id) }))
	if err != nil {
		return nil, fmt.Errorf("get an SVID from the Workload API at %s: %w: is it there, and is %s registered for this program?", address, err, id)
	}
	svid, err := source.GetX509SVID()
	if err == nil && svid.ID != id {
		err = fmt.Errorf("it is %s, but spec.xdsServer of the TrustDomain is %s: register that identity for this program", svid.ID, id)
	}
	if err != nil {
		_ = source.Close() // the error before it matters more
		return nil, fmt.Errorf("own SVID: %w", err)
	}
	return source, nil
}

// pick chooses the SVID of id, or the first.
func pick(svids []*x509svid.SVID, id spiffeid.ID) *x509svid.SVID {
	for _, svid := range svids {
		if svid.ID == id {
			return svid
		}
	}
	return svids[0]
}

// apiLog passes on what go-spiffe's client has to say.
type apiLog struct{ log *slog.Logger }

func (l apiLog) Debugf(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l apiLog) Infof(format string, args ...any)  { l.log.Debug(fmt.Sprintf(format, args...)) }
func (l apiLog) Warnf(format string, args ...any)  { l.log.Warn(fmt.Sprintf(format, args...)) }
func (l apiLog) Errorf(format string, args ...any) { l.log.Warn(fmt.Sprintf(format, args...)) }
