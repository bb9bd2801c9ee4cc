// Package up runs a whole Weir on one machine: the xds-server, the
// inference-sidecar and one Envoy as child processes, over one folder of
// resources. What they are told follows from the resources and the options
// alone (Plan, which is pure); starting, watching and stopping them is Run's.
package up

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// Ports are the addresses that do not come from the resources.
type Ports struct {
	XDS            netip.AddrPort // delta ADS
	Admin          netip.AddrPort // the xds-server's admin interface and metrics
	EnvoyAdmin     netip.AddrPort
	SidecarHTTP    netip.AddrPort // must be an endpoint of the models that the sidecar serves
	SidecarMetrics netip.AddrPort
}

// Plan is who runs on this machine under which identity, and where.
type Plan struct {
	Envoy, XDSServer, Sidecar spiffeid.ID
	Cluster                   string // the first gateway that Envoy serves
	Listeners                 []Listener
}

// Listener is a socket that Envoy will open.
type Listener struct {
	Name    string // gateway/listener
	Address netip.AddrPort
	TLS     bool
}

// NewPlan reads from the catalog what the programs on this machine are. The
// Envoy takes the first identity of the first gateway; the sidecar takes the
// one that the models expect behind its address.
func NewPlan(c *catalog.Catalog, ports Ports) (Plan, error) {
	first := c.Gateways[0]
	plan := Plan{Envoy: first.Envoys[0], XDSServer: c.TrustDomain.XDSServer, Cluster: first.Name}
	for _, gateway := range c.Gateways {
		if !slices.Contains(gateway.Envoys, plan.Envoy) {
			continue
		}
		for _, l := range gateway.Listeners {
			plan.Listeners = append(plan.Listeners, Listener{Name: gateway.Name + "/" + l.Name, Address: l.Address, TLS: l.TLS != nil})
		}
	}
	var err error
	plan.Sidecar, err = sidecarIdentity(c, ports.SidecarHTTP)
	return plan, err
}

// sidecarIdentity is what the model versions served at address expect there.
func sidecarIdentity(c *catalog.Catalog, address netip.AddrPort) (spiffeid.ID, error) {
	var id spiffeid.ID
	var owner string
	for _, model := range c.Models {
		for _, version := range model.Versions {
			if !servedAt(version, address) {
				continue
			}
			name := model.Name + "@" + version.Name
			switch {
			case version.Peer.IsZero():
				return id, fmt.Errorf("model version %s expects plaintext at %s, where the inference-sidecar speaks mTLS: set its tls.spiffeID", name, address)
			case !id.IsZero() && version.Peer != id:
				return id, fmt.Errorf("model versions %s and %s expect %s and %s at %s, but a process has one identity", owner, name, id, version.Peer, address)
			}
			id, owner = version.Peer, name
		}
	}
	if id.IsZero() {
		return id, fmt.Errorf("no model version has the endpoint %s, so the inference-sidecar would get no request: set --sidecar-http to an endpoint of a Model", address)
	}
	return id, nil
}

func servedAt(version catalog.Version, address netip.AddrPort) bool {
	for _, endpoint := range version.Endpoints {
		host, err := netip.ParseAddr(endpoint.Host())
		switch {
		case endpoint.Port() != address.Port():
		case err == nil && host == address.Addr(), endpoint.Host() == "localhost" && address.Addr().IsLoopback():
			return true
		}
	}
	return false
}

// dialAddress is where a listener is reached from this machine: one that
// listens everywhere is reached on loopback.
func (l Listener) dialAddress() string {
	host := l.Address.Addr()
	switch {
	case host.IsUnspecified() && host.Is4():
		host = netip.MustParseAddr("127.0.0.1")
	case host.IsUnspecified():
		host = netip.IPv6Loopback()
	}
	return net.JoinHostPort(host.String(), strconv.Itoa(int(l.Address.Port())))
}

// URL is where clients on this machine reach the listener.
func (l Listener) URL() string {
	if l.TLS {
		return "https://" + l.dialAddress()
	}
	return "http://" + l.dialAddress()
}
