package api

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// JWT has Envoy verify the token of each request (RFC 7519) before anything else of
// it is looked at. Limits and routes read the claims of a token that was verified.
type JWT struct {
	// Requirement is what becomes of a request without a token; default required.
	// A token that is not good is refused in either case.
	Requirement *TokenRequirement `yaml:"requirement,optional"`
	// Providers are those whose tokens are taken: at least one.
	Providers []JWTProvider `yaml:"providers"`
}

// JWTProvider makes tokens. Tokens without exp are refused.
type JWTProvider struct {
	Name Name `yaml:"name"`
	// Issuer is the claim iss of its tokens.
	Issuer TokenClaim `yaml:"issuer"`
	// Audiences are the values of which the claim aud must have one. Either there are
	// some, or AnyAudience is true.
	Audiences []TokenClaim `yaml:"audiences,optional"`
	// AnyAudience takes tokens that were made for somebody else, too.
	AnyAudience bool `yaml:"anyAudience,optional"`
	// JWKS are the keys that its tokens are signed with.
	JWKS JWKS `yaml:"jwks"`
	// From is where tokens stand in a request; default bearer.
	From []TokenSource `yaml:"from,optional"`
	// Forward sends tokens on to the model's server; default false: a token that was
	// verified is removed, and what counts API keys does not see it either.
	Forward bool `yaml:"forward,optional"`
	// ClockSkew is how far its clock may be from Envoy's, in whole seconds; default 60s.
	ClockSkew *Duration `yaml:"clockSkew,optional"`
}

// JWKS are public keys as RFC 7517 writes them: exactly one field is set.
type JWKS struct {
	// Inline is the JSON document itself.
	Inline *string `yaml:"inline,optional"`
	// File is in the folder that the xds-server is given with --certificates. A change
	// of it is followed.
	File *FileName `yaml:"file,optional"`
	// Remote has Envoy fetch them.
	Remote *RemoteJWKS `yaml:"remote,optional"`
}

// RemoteJWKS is where Envoy fetches keys from, and how often.
type RemoteJWKS struct {
	// URI is https://, or http:// with Insecure.
	URI KeysURI `yaml:"uri"`
	// Endpoints are host:port; default: the URI's.
	Endpoints []Endpoint `yaml:"endpoints,optional"`
	// AuthorityFile are the certificates, in PEM, of those who may vouch for the
	// server: a file in the folder that the xds-server is given with --certificates.
	AuthorityFile *FileName `yaml:"authorityFile,optional"`
	// AuthorityPath is the same as a path on the Envoy's machine; default
	// /etc/ssl/certs/ca-certificates.crt.
	AuthorityPath *string `yaml:"authorityPath,optional"`
	// Insecure fetches keys in plaintext: whoever is in between can make tokens.
	Insecure bool `yaml:"insecure,optional"`
	// Timeout of one attempt; default 5s.
	Timeout *Duration `yaml:"timeout,optional"`
	// Refresh is how long keys are used before they are fetched anew; default 10m.
	Refresh *Duration `yaml:"refresh,optional"`
}

// TokenRequirement is what becomes of a request without a token.
type TokenRequirement int

// What becomes of requests without a token.
const (
	TokenRequired TokenRequirement = iota // required: they are refused
	TokenOptional                         // optional: they go on, without claims
)

// ParseString reads required or optional.
func (r *TokenRequirement) ParseString(text string) error {
	i, err := choose("a requirement", text, []string{"required", "optional"})
	*r = TokenRequirement(i)
	return err
}

// TokenClaim is the value of the claim iss or aud: a StringOrURI of RFC 7519.
type TokenClaim struct{ text string }

// ParseString accepts visible ASCII without spaces.
func (c *TokenClaim) ParseString(text string) error {
	if text == "" || len(text) > 256 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%q is not the name of an issuer or audience: use 1 to 256 visible ASCII characters without spaces", text)
	}
	c.text = text
	return nil
}

// String is the value.
func (c TokenClaim) String() string { return c.text }

// TokenSource is where a token stands in a request. At most one of Header and Query
// is set; without them it is what follows Bearer in authorization (RFC 6750).
type TokenSource struct {
	Header HeaderName
	Query  string
}

var querySyntax = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

// ParseString reads bearer, header:NAME or query:NAME.
func (s *TokenSource) ParseString(text string) error {
	kind, name, named := strings.Cut(text, ":")
	switch {
	case text == "bearer":
		return nil
	case kind == "header" && strings.EqualFold(name, "authorization"):
		return fmt.Errorf("%q is not where a token stands alone: use bearer", text)
	case kind == "header" && named:
		return s.Header.ParseString(name)
	case kind == "query" && querySyntax.MatchString(name):
		s.Query = name
		return nil
	default:
		return fmt.Errorf("%q is not where a token stands: use bearer, header:NAME or query:NAME", text)
	}
}

// String is the source as it is written.
func (s TokenSource) String() string {
	switch {
	case s.Query != "":
		return "query:" + s.Query
	case s.Header.String() != "":
		return "header:" + s.Header.String()
	default:
		return "bearer"
	}
}

// KeysURI is where keys are fetched from: an absolute http or https URI.
type KeysURI struct {
	text     string
	tls      bool
	endpoint Endpoint
}

// ParseString accepts a URI with a host, without user information and fragment.
func (u *KeysURI) ParseString(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"http", "https"}, parsed.Scheme) || parsed.User != nil || parsed.Fragment != "" ||
		parsed.Opaque != "" || len(text) > 1024 || strings.ContainsAny(text, " #") {
		return fmt.Errorf("%q is not a URI such as https://login.example/jwks.json", text)
	}
	u.text, u.tls = text, parsed.Scheme == "https"
	port := parsed.Port()
	if port == "" {
		port = strconv.Itoa(map[bool]int{false: 80, true: 443}[u.tls])
	}
	host := parsed.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if err := u.endpoint.ParseString(host + ":" + port); err != nil {
		return fmt.Errorf("in %q: %w", text, err)
	}
	return nil
}

// String is the URI as it is written.
func (u KeysURI) String() string { return u.text }

// TLS reports whether it is an https URI.
func (u KeysURI) TLS() bool { return u.tls }

// Endpoint is the URI's host and port.
func (u KeysURI) Endpoint() Endpoint { return u.endpoint }
