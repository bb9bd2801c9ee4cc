package api

// GatewaySpec says where Envoys listen and what holds for every request there.
type GatewaySpec struct {
	// Envoys are the SPIFFE IDs that get this configuration.
	Envoys    []SPIFFEID `yaml:"envoys"`
	Listeners []Listener `yaml:"listeners"`
	// JWT has tokens verified; default: nobody looks at them.
	JWT      *JWT      `yaml:"jwt,optional"`
	Identity *Identity `yaml:"identity,optional"`
	Body     *Body     `yaml:"body,optional"`
	// Record publishes each decision as filter state wasm.weir; default: as accessLog.
	Record *bool `yaml:"record,optional"`
	// AccessLog writes one JSON line per request to Envoy's standard output; default false.
	AccessLog *bool `yaml:"accessLog,optional"`
	// Evidence seals each decision and keeps it with the xds-server; default: none is kept.
	Evidence *Evidence `yaml:"evidence,optional"`
	Filter   *Filter   `yaml:"filter,optional"`
	// Canary lets some of the Envoys try each new configuration before the others; default: none.
	Canary *Canary `yaml:"canary,optional"`
	// RateLimit is the service that keeps the budgets of TokenLimits with backend:
	// ratelimit; default: none.
	RateLimit *RateLimitService `yaml:"rateLimit,optional"`
	// Tracing sends spans of requests to a collector; default: nothing is traced.
	Tracing *Tracing `yaml:"tracing,optional"`
}

// Tracing says where spans go: to a collector of OpenTelemetry's protocol (OTLP) over gRPC.
type Tracing struct {
	// Endpoints are host:port; addresses are used as they are, names are looked up in DNS by Envoy.
	Endpoints []Endpoint `yaml:"endpoints"`
	// TLS is mutual TLS with SVIDs. Either it is set, or Insecure is true.
	TLS *UpstreamTLS `yaml:"tls,optional"`
	// Insecure sends plaintext.
	Insecure bool `yaml:"insecure,optional"`
	// Percent is how many of the requests are traced that belong to no trace yet; default 1.
	Percent *int `yaml:"percent,optional"`
}

// RateLimitService is an envoyproxy/ratelimit, or another server of Envoy's rate limit
// protocol v3 (envoy.service.ratelimit.v3) over gRPC.
type RateLimitService struct {
	// Endpoints are host:port; addresses are used as they are, names are looked up in DNS by Envoy.
	Endpoints []Endpoint `yaml:"endpoints"`
	// TLS is mutual TLS with SVIDs. Either it is set, or Insecure is true.
	TLS *UpstreamTLS `yaml:"tls,optional"`
	// Insecure sends plaintext.
	Insecure bool `yaml:"insecure,optional"`
	// Domain is the part of the service's configuration that the budgets belong to; default weir.
	Domain *RateLimitDomain `yaml:"domain,optional"`
	// Timeout bounds each question; default 100ms. After it the TokenLimit's onFailure holds.
	Timeout *Duration `yaml:"timeout,optional"`
}

// Canary says which Envoys get a new configuration first, and when the others
// follow: when every one of them has taken it without an objection.
type Canary struct {
	// Envoys are some of the gateway's envoys, but not all.
	Envoys []SPIFFEID `yaml:"envoys"`
	// WhenAbsent is what happens while none of them is connected; default wait.
	WhenAbsent *WhenAbsent `yaml:"whenAbsent,optional"`
	// Timeout is how long they may take; after it the new configuration is held back and shown; default 1m.
	Timeout *Duration `yaml:"timeout,optional"`
}

// Listener is one socket.
type Listener struct {
	Name    Name `yaml:"name"`
	Address IP   `yaml:"address"`
	Port    Port `yaml:"port"`
	// TLS makes the listener speak TLS, with the Envoy's own SVID or with a certificate; default: plaintext.
	TLS *ListenerTLS `yaml:"tls,optional"`
	// MaxRequestHeadersKB bounds all request headers together, in KiB; default 96.
	MaxRequestHeadersKB *int `yaml:"maxRequestHeadersKB,optional"`
	// StreamIdleTimeout ends a stream on which nothing moves; default 5m, 0s never.
	StreamIdleTimeout *Duration `yaml:"streamIdleTimeout,optional"`
	// ConnectionBuffer bounds what Envoy itself buffers per connection; default 1MiB.
	ConnectionBuffer *Bytes `yaml:"connectionBuffer,optional"`
}

// ListenerTLS is how a listener proves itself and whom it lets in.
type ListenerTLS struct {
	// Certificate is shown to clients that have no SVIDs; default: the Envoy's own SVID.
	Certificate *ServerCertificate `yaml:"certificate,optional"`
	// RequireClientCertificate refuses peers without an SVID; default true, with a Certificate false.
	// False: no peer is asked for one, so none is known by its identity.
	RequireClientCertificate *bool `yaml:"requireClientCertificate,optional"`
	// AllowedClients are the SPIFFE IDs that may connect; default: the whole trust domain.
	AllowedClients []SPIFFEID `yaml:"allowedClients,optional"`
}

// ServerCertificate is a certificate for the public: files of the folder that
// the xds-server is given with --certificates. A change of them is followed.
type ServerCertificate struct {
	CertificateFile FileName `yaml:"certificateFile"` // PEM: the leaf first, then its issuers
	KeyFile         FileName `yaml:"keyFile"`         // PEM: the leaf's private key
}

// Identity says how a request names its tenant and its user.
type Identity struct {
	Tenant *HeaderSource `yaml:"tenant,optional"`
	User   *HeaderSource `yaml:"user,optional"`
	// TrustedPeers are the SPIFFE IDs whose x-model, x-max-tokens and x-temperature are honoured.
	TrustedPeers []SPIFFEID `yaml:"trustedPeers,optional"`
}

// HeaderSource is a request header that carries a value.
type HeaderSource struct {
	Header HeaderName `yaml:"header"`
}

// Body bounds what the filter holds and reads.
type Body struct {
	// HoldLimit is what one stream may hold; default 1MiB.
	HoldLimit *Bytes `yaml:"holdLimit,optional"`
	// WorkerHoldLimit is what all streams of a worker may hold; default 16MiB.
	WorkerHoldLimit *Bytes `yaml:"workerHoldLimit,optional"`
	// Overflow is what happens above HoldLimit; default refuse.
	Overflow *Overflow `yaml:"overflow,optional"`
	// MaxDepth is how deep JSON may nest; default 64.
	MaxDepth *int `yaml:"maxDepth,optional"`
}

// Evidence says how decisions are sealed.
type Evidence struct {
	// OnFailure is what happens to requests while an Envoy has no key to seal with; default closed.
	OnFailure *Failure `yaml:"onFailure,optional"`
}

// Filter says where Envoy gets the module from.
type Filter struct {
	Module Module `yaml:"module"`
}

// Module is the source of filter.wasm: exactly one field is set.
type Module struct {
	// Inline sends the xds-server's own module with the configuration; the default.
	Inline *bool `yaml:"inline,optional"`
	// File is a path on the Envoy's machine.
	File *string `yaml:"file,optional"`
}
