package catalog

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// Defaults of a gateway.
const (
	defaultHoldLimit           = 1 << 20
	defaultWorkerHoldLimit     = 16 << 20
	defaultMaxDepth            = 64
	defaultMaxRequestHeadersKB = 96
	defaultStreamIdleTimeout   = 5 * time.Minute
	defaultConnectionBuffer    = 1 << 20
	defaultCanaryTimeout       = time.Minute
)

// maxEnvoyHeadersKB is Envoy's own limit of max_request_headers_kb.
const maxEnvoyHeadersKB = 8192

// gateways builds the gateways, in the order in which they are written.
func (c *checker) gateways() []*Gateway {
	if len(c.units[api.KindGateway]) == 0 {
		c.whole(api.KindGateway, "there is no Gateway: no Envoy would get a configuration", "add a resource of kind Gateway")
	}
	var gateways []*Gateway
	for _, u := range c.all(api.KindGateway) {
		e := as[api.Gateway](u)
		gateway := &Gateway{Name: e.name, Origin: e.origin(), Envoys: c.members(e.unit, "spec.envoys", e.value.Spec.Envoys)}
		gateway.Listeners = c.listeners(e)
		gateway.Tokens = c.tokenProviders(e)
		gateway.Settings = c.settings(e)
		gateway.AccessLog = e.value.Spec.AccessLog != nil && *e.value.Spec.AccessLog
		gateway.ModuleFile = c.moduleFile(e)
		gateway.Canary = c.canary(e)
		gateway.RateLimit = c.rateLimit(e.unit, e.value.Spec.RateLimit)
		gateway.Tracing = c.tracing(e.unit, e.value.Spec.Tracing)
		c.sockets(e, gateway, gateways)
		gateways = append(gateways, gateway)
	}
	return gateways
}

func (c *checker) listeners(e entry[api.Gateway]) []Listener {
	var listeners []Listener
	for i, written := range e.value.Spec.Listeners {
		field := fmt.Sprintf("spec.listeners[%d]", i)
		if slices.ContainsFunc(listeners, func(l Listener) bool { return l.Name == written.Name.String() }) {
			c.at(e.unit, field+".name", fmt.Sprintf("listener %q is defined twice", written.Name), "rename or remove one of the two")
		}
		listener := Listener{
			Name:              written.Name.String(),
			Address:           netip.AddrPortFrom(written.Address.Addr(), written.Port.Number()),
			TLS:               c.listenerTLS(e.unit, field+".tls", written.TLS),
			StreamIdleTimeout: defaultStreamIdleTimeout,
			ConnectionBuffer:  uint32(c.amount(e.unit, field+".connectionBuffer", written.ConnectionBuffer, defaultConnectionBuffer, 16<<10, 1<<30)),
		}
		listener.MaxRequestHeadersKB = uint32(c.inRange(e.unit, field+".maxRequestHeadersKB",
			written.MaxRequestHeadersKB, defaultMaxRequestHeadersKB, 1, maxEnvoyHeadersKB))
		if written.StreamIdleTimeout != nil {
			listener.StreamIdleTimeout = written.StreamIdleTimeout.Span()
		}
		listeners = append(listeners, listener)
	}
	return listeners
}

func (c *checker) listenerTLS(u *unit, field string, written *api.ListenerTLS) *ListenerTLS {
	if written == nil {
		return nil
	}
	tls := &ListenerTLS{
		Certificate:              c.certificate(u, field+".certificate", written.Certificate),
		RequireClientCertificate: !optionalClient(written),
		AllowedClients:           c.members(u, field+".allowedClients", written.AllowedClients),
	}
	if !tls.RequireClientCertificate && len(tls.AllowedClients) > 0 {
		c.at(u, field+".allowedClients", "list has no effect: clients are not asked for a certificate", "remove it, or set requireClientCertificate: true")
	}
	return tls
}

// optionalClient reports whether clients may connect without a certificate.
// Those of a public certificate seldom have one.
func optionalClient(written *api.ListenerTLS) bool {
	if written.RequireClientCertificate == nil {
		return written.Certificate != nil
	}
	return !*written.RequireClientCertificate
}

// sockets refuses two listeners of one Envoy on one socket.
func (c *checker) sockets(e entry[api.Gateway], gateway *Gateway, earlier []*Gateway) {
	type socket struct {
		by      string
		address netip.AddrPort
		gateway key
	}
	var taken []socket
	for _, other := range earlier {
		if slices.ContainsFunc(other.Envoys, func(id spiffeid.ID) bool { return slices.Contains(gateway.Envoys, id) }) {
			for _, l := range other.Listeners {
				taken = append(taken, socket{"Gateway/" + other.Name + "'s listener " + l.Name, l.Address, key{api.KindGateway, other.Name}})
			}
		}
	}
	for i, l := range gateway.Listeners {
		for _, other := range taken {
			if overlap(l.Address, other.address) {
				c.at(e.unit, fmt.Sprintf("spec.listeners[%d].port", i), fmt.Sprintf("%s is already taken by %s", l.Address, other.by), "use another port", other.gateway)
				break
			}
		}
		taken = append(taken, socket{"listener " + l.Name, l.Address, e.key})
	}
}

// overlap reports whether one process cannot listen on both.
func overlap(a, b netip.AddrPort) bool {
	wildcard := a.Addr().IsUnspecified() || b.Addr().IsUnspecified()
	return a.Port() == b.Port() && a.Addr().Is4() == b.Addr().Is4() && (wildcard || a.Addr() == b.Addr())
}

func (c *checker) settings(e entry[api.Gateway]) spec.Settings {
	written := e.value.Spec
	settings := spec.Settings{
		HoldLimit:       defaultHoldLimit,
		WorkerHoldLimit: defaultWorkerHoldLimit,
		MaxDepth:        defaultMaxDepth,
	}
	if body := written.Body; body != nil {
		settings.HoldLimit = c.amount(e.unit, "spec.body.holdLimit", body.HoldLimit, defaultHoldLimit, 1<<10, spec.MaxHoldLimit)
		settings.WorkerHoldLimit = c.amount(e.unit, "spec.body.workerHoldLimit", body.WorkerHoldLimit, max(defaultWorkerHoldLimit, settings.HoldLimit), 1<<10, spec.MaxWorkerHoldLimit)
		settings.MaxDepth = c.inRange(e.unit, "spec.body.maxDepth", body.MaxDepth, defaultMaxDepth, 1, spec.MaxDepthLimit)
		if body.Overflow != nil {
			settings.Overflow = body.Overflow.Overflow
		}
		if settings.WorkerHoldLimit < settings.HoldLimit {
			c.at(e.unit, "spec.body.workerHoldLimit", "a worker may hold less than one stream", "make it at least holdLimit")
		}
	}
	c.identity(e, &settings)
	accessLog := written.AccessLog != nil && *written.AccessLog
	settings.Evidence = evidencePolicy(written.Evidence)
	kept := settings.Evidence != spec.EvidenceNone
	settings.Record = accessLog || kept
	if written.Record != nil {
		settings.Record = *written.Record
		switch {
		case *written.Record && !accessLog && !kept:
			c.at(e.unit, "spec.record", "records have no reader", "set accessLog: true, or evidence")
		case !*written.Record && kept:
			c.at(e.unit, "spec.record", "evidence is made of records", "remove record, or evidence")
		}
	}
	return settings
}

func evidencePolicy(written *api.Evidence) spec.Evidence {
	switch {
	case written == nil:
		return spec.EvidenceNone
	case written.OnFailure != nil && written.OnFailure.Failure == spec.FailOpen:
		return spec.EvidenceOpen
	}
	return spec.EvidenceClosed
}

func (c *checker) identity(e entry[api.Gateway], settings *spec.Settings) {
	written := e.value.Spec.Identity
	if written == nil {
		return
	}
	if written.Tenant != nil {
		settings.TenantHeader = written.Tenant.Header.String()
	}
	if written.User != nil {
		settings.UserHeader = written.User.Header.String()
	}
	for i, id := range c.members(e.unit, "spec.identity.trustedPeers", written.TrustedPeers) {
		settings.TrustedPeers = append(settings.TrustedPeers, id.String())
		if !e.broken() && !mayConnect(e.value.Spec.Listeners, id) {
			c.at(e.unit, fmt.Sprintf("spec.identity.trustedPeers[%d]", i), "no listener lets this peer in with a certificate, so it can never be trusted",
				"set tls with requireClientCertificate: true on a listener, and add the peer to its allowedClients if it has any")
		}
	}
	slices.Sort(settings.TrustedPeers)
}

// mayConnect reports whether a listener lets a peer in that proves id.
func mayConnect(listeners []api.Listener, id spiffeid.ID) bool {
	return slices.ContainsFunc(listeners, func(l api.Listener) bool {
		if l.TLS == nil || optionalClient(l.TLS) {
			return false
		}
		return len(l.TLS.AllowedClients) == 0 ||
			slices.ContainsFunc(l.TLS.AllowedClients, func(allowed api.SPIFFEID) bool { return allowed.ID() == id })
	})
}

// amount is an amount of memory from low to high, or its default.
func (c *checker) amount(u *unit, field string, written *api.Bytes, otherwise, low, high int) int {
	if written == nil {
		return otherwise
	}
	if count := written.Count(); count < int64(low) || count > int64(high) {
		c.at(u, field, fmt.Sprintf("%d bytes are not from %dKiB to %dKiB", count, low>>10, high>>10), fmt.Sprintf("the default is %dKiB", otherwise>>10))
	}
	return int(written.Count())
}

// canary builds the group of Envoys that go first. They must be able to save
// somebody else from what they find out.
func (c *checker) canary(e entry[api.Gateway]) *Canary {
	written := e.value.Spec.Canary
	if written == nil {
		return nil
	}
	canary := &Canary{
		Envoys:  c.members(e.unit, "spec.canary.envoys", written.Envoys),
		Timeout: c.positive(e.unit, "spec.canary.timeout", written.Timeout, defaultCanaryTimeout),
	}
	if written.WhenAbsent != nil {
		canary.WhenAbsent = *written.WhenAbsent
	}
	if e.doc.Failed("spec.envoys") {
		return canary
	}
	others := len(e.value.Spec.Envoys)
	for i, id := range written.Envoys {
		if !slices.Contains(e.value.Spec.Envoys, id) {
			c.at(e.unit, fmt.Sprintf("spec.canary.envoys[%d]", i), id.ID().String()+" is not an Envoy of this gateway", "add it to spec.envoys")
			continue
		}
		others--
	}
	if others <= 0 {
		c.at(e.unit, "spec.canary.envoys", "every Envoy of the gateway is a canary: nobody is left to wait for them", "leave at least one of spec.envoys out")
	}
	return canary
}

// moduleFile is the path of the module on the Envoy's machine, or "".
func (c *checker) moduleFile(e entry[api.Gateway]) string {
	if e.value.Spec.Filter == nil {
		return ""
	}
	const field = "spec.filter.module"
	module := e.value.Spec.Filter.Module
	inline := module.Inline != nil && *module.Inline
	switch {
	case module.File != nil && inline:
		c.at(e.unit, field, "inline and file are both set", "remove one of the two")
	case module.File == nil && !inline:
		c.at(e.unit, field, "module has no source", "set inline: true, or file to a path on the Envoy's machine")
	case module.File != nil && !path.IsAbs(*module.File):
		c.at(e.unit, field+".file", fmt.Sprintf("%q is not an absolute path", *module.File), "Envoy's working folder is not known here")
	case module.File != nil:
		return *module.File
	}
	return ""
}
