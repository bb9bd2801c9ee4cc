// Package catalog turns resources, as people write them, into values that are
// known to be right: every default applied, every reference resolved, every
// rule able to match. It is pure: the same documents give the same catalog or
// the same problems. A Builder makes one catalog after the other at the price of
// what changed, and keeps single resources at their last good version.
package catalog

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// Problem is one thing that is wrong, and where.
type Problem = strictyaml.Problem

// Catalog is a complete, consistent configuration. It must not be changed.
type Catalog struct {
	TrustDomain TrustDomain
	Gateways    []*Gateway   // sorted by Name; at least one
	Models      []*Model     // sorted by Name; at least one
	Limits      []*Limit     // sorted by Name, in which order they are charged
	Redactions  []*Redaction // sorted by Name; at most one for each model

	policies map[string]policy // by gateway
}

// Limit is one of the budgets of a TokenLimit. Its name is the TokenLimit's, with what it
// counts behind a slash if that is not tokens at a rate.
type Limit struct {
	spec.Limit
	Overrides []spec.Override // sorted by Key
	// Window is how much there is, where a service keeps the budget; zero: the service's
	// own configuration says it.
	Window Window
	Origin string // of the TokenLimit: "document:line"
}

// Window is an amount for a time. What is left of it is gone when the next one begins.
type Window struct {
	Hits    uint32 // tokens or requests
	Seconds int64  // 1, 60, 3,600 or 86,400
}

// Redaction is a rule set for personal data.
type Redaction struct {
	spec.Redaction
	Origin string // of the RedactionPolicy: "document:line"
}

// TrustDomain is where identities come from.
type TrustDomain struct {
	Name      spiffeid.TrustDomain
	Source    api.IdentitySource
	XDSServer spiffeid.ID
	Entries   []Entry
	Operators Operators
}

// Operators may use the admin API from elsewhere than the server's own machine.
type Operators struct {
	Read  []spiffeid.ID // may see everything; who may write may read
	Write []spiffeid.ID // may roll back and resume
}

// Entry gives ID to processes that all Selectors match.
type Entry struct {
	ID        spiffeid.ID
	Selectors []string
}

// Gateway is a set of listeners with one policy, and the Envoys that run it.
type Gateway struct {
	Name      string
	Envoys    []spiffeid.ID // at least one
	Listeners []Listener    // at least one
	Tokens    *Tokens       // nil: nobody looks at them
	Settings  spec.Settings
	AccessLog bool
	// ModuleFile is the path of filter.wasm on the Envoy's machine; empty: it is
	// sent with the configuration.
	ModuleFile string
	Canary     *Canary // nil: every Envoy gets a new configuration at once
	// RateLimit keeps the budgets of the limits with spec.ScopeService; nil: there is no such limit.
	RateLimit *RateLimitService
	Tracing   *Tracing // nil: nothing is traced
	Origin    string   // of the Gateway: "document:line"
}

// Tracing is where spans go.
type Tracing struct {
	Endpoints []api.Endpoint // at least one
	Peer      spiffeid.ID    // what the endpoints prove; zero: plaintext
	Percent   int            // of requests that belong to no trace yet
}

// RateLimitService keeps budgets, and is asked by Envoy.
type RateLimitService struct {
	Endpoints []api.Endpoint // at least one
	Peer      spiffeid.ID    // what the endpoints prove; zero: plaintext
	Domain    string
	Timeout   time.Duration // above 0
}

// Canary says which Envoys get a new configuration first.
type Canary struct {
	Envoys     []spiffeid.ID // some of the gateway's, never all
	WhenAbsent api.WhenAbsent
	Timeout    time.Duration // above 0
}

// Listener is one socket.
type Listener struct {
	Name                string
	Address             netip.AddrPort
	TLS                 *ListenerTLS // nil: plaintext
	MaxRequestHeadersKB uint32
	StreamIdleTimeout   time.Duration // 0: none
	ConnectionBuffer    uint32        // bytes
}

// ListenerTLS is mutual TLS, with the Envoy's own SVID or a certificate for the
// public.
type ListenerTLS struct {
	Certificate              *Certificate // nil: the SVID
	RequireClientCertificate bool
	AllowedClients           []spiffeid.ID // empty: every member of the trust domain
}

// Tokens are the tokens that Envoy verifies for each request.
type Tokens struct {
	Optional  bool            // a request without one goes on, too
	Providers []TokenProvider // at least one, each with an issuer of its own
}

// TokenProvider makes tokens.
type TokenProvider struct {
	Name, Issuer string
	Audiences    []string // empty: any
	Sources      []api.TokenSource
	Forward      bool
	ClockSkew    time.Duration // whole seconds, above 0
	Keys         []byte        // a JSON Web Key Set with a key that Envoy can use; nil: Remote
	Remote       *RemoteKeys
}

// RemoteKeys is where an Envoy fetches keys from.
type RemoteKeys struct {
	URI       api.KeysURI
	Endpoints []api.Endpoint // at least one
	// Authority are certificates in PEM, AuthorityPath a file with such on the Envoy's
	// machine: those that may vouch for the server. Both empty: plaintext.
	Authority        []byte
	AuthorityPath    string
	Timeout, Refresh time.Duration // above 0
}

// Certificate is a certificate chain and its private key, which belong together.
type Certificate struct {
	Chain, Key []byte // PEM
}

// Model is a model with its versions and the way to them.
type Model struct {
	Name     string
	Aliases  []string
	Versions []Version // at least one
	Route    Route
	Estimate *spec.Estimate // of tokens; nil: spec.DefaultEstimate
	// Origin is of the Model, RouteOrigin of its ModelRoute or, without one, of
	// the Model: "document:line".
	Origin, RouteOrigin string

	policy *spec.Model // what the filter is told
}

// Renames reports whether any version has a name of its own for the model, or a
// request for it may go to a model that has.
func (m *Model) Renames() bool {
	return slices.ContainsFunc(m.Versions, func(v Version) bool { return v.UpstreamModel != "" }) ||
		slices.ContainsFunc(m.Route.Fallback, func(t Target) bool { return t.Model != m.Name })
}

// Version is one version of a model, and where it is served.
type Version struct {
	Name           string
	Endpoints      []api.Endpoint // at least one
	Peer           spiffeid.ID    // what the endpoints prove; zero: plaintext
	GRPC           bool           // served over gRPC, so over HTTP/2
	ConnectTimeout time.Duration
	HealthCheck    *HealthCheck // nil: none
	// UpstreamModel is what the endpoints call the model; empty: what the client does.
	UpstreamModel   string
	CircuitBreakers CircuitBreakers
	Outliers        *OutlierDetection // nil: none
}

// CircuitBreakers bound what one Envoy has open to a version. Connections are
// bounded either for each endpoint or for all together; the other is 0.
type CircuitBreakers struct {
	MaxConnectionsPerEndpoint, MaxConnections   uint32
	MaxPendingRequests, MaxRequests, MaxRetries uint32
}

// OutlierDetection takes endpoints that fail out of use for a while.
type OutlierDetection struct {
	Consecutive5xx             uint32
	Interval, BaseEjectionTime time.Duration
	MaxEjectionPercent         uint32
}

// HealthCheck is an active check by HTTP.
type HealthCheck struct {
	Path               string
	Interval, Timeout  time.Duration
	UnhealthyThreshold uint32
	HealthyThreshold   uint32
}

// Route is how the requests for a model are spread over its versions.
type Route struct {
	VersionHeader string // lower-case; empty: clients may not choose
	Salt          string
	Rules         []spec.VersionRule
	Tree          *routetree.Tree // what decides after them; nil: nothing
	Split         []Share         // weights add up to api.WholeWeight; empty: the tree leaves it nothing
	Timeout       time.Duration
	Retries       *Retries // nil: none; there are some with a Fallback
	Fallback      []Target // what is tried after the version that was picked
	Mirrors       []Mirror
}

// Target is a version of any model.
type Target struct{ Model, Version string }

// String is model@version.
func (t Target) String() string { return t.Model + "@" + t.Version }

// Mirror gets copies of requests.
type Mirror struct {
	Version string
	Sample  uint32 // hundredths of a percent of the requests
}

// Share is a version's part of the requests that no rule forces.
type Share struct {
	Version string
	Weight  uint32 // hundredths of a percent
}

// Retries says when Envoy tries again.
type Retries struct {
	Attempts      uint32        // at each version after the first
	On            []string      // Envoy's conditions
	PerTryTimeout time.Duration // 0: none
	BodyLimit     uint64        // bytes that are kept for another attempt
}

// Model returns the model of a canonical name, or nil.
func (c *Catalog) Model(name string) *Model {
	at, found := slices.BinarySearchFunc(c.Models, name, func(m *Model, name string) int { return cmp.Compare(m.Name, name) })
	if !found {
		return nil
	}
	return c.Models[at]
}
