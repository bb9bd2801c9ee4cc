package api

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// choose finds text among the words of a choice.
func choose(what, text string, words []string) (int, error) {
	for i, word := range words {
		if word == text {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is not %s: use %s", text, what, strings.Join(words, ", "))
}

// Overflow is what happens to a body above the hold limit: refuse or stream.
type Overflow struct{ spec.Overflow }

// ParseString reads refuse or stream.
func (o *Overflow) ParseString(text string) (err error) {
	o.Overflow, err = spec.ParseOverflow(text)
	return err
}

// Failure is what happens when a policy cannot do its work: closed refuses the
// request, open lets it go on and records that.
type Failure struct{ spec.Failure }

// ParseString reads closed or open.
func (f *Failure) ParseString(text string) (err error) {
	f.Failure, err = spec.ParseFailure(text)
	return err
}

// Scope says how many Envoys a budget is for: with local each has it whole, with
// shared all of them together have it.
type Scope struct{ spec.Scope }

// ParseString reads local or shared.
func (s *Scope) ParseString(text string) error {
	i, err := choose("a scope", text, []string{spec.ScopeLocal.String(), spec.ScopeShared.String()})
	s.Scope = spec.Scope(i)
	return err
}

// Backend is what keeps a budget.
type Backend int

// Backends.
const (
	BackendWeir      Backend = iota // weir: the filter, in Envoy's memory
	BackendRateLimit                // ratelimit: the service of the Gateway's rateLimit
)

// ParseString reads weir or ratelimit.
func (b *Backend) ParseString(text string) error {
	i, err := choose("a backend", text, []string{"weir", "ratelimit"})
	*b = Backend(i)
	return err
}

// KeyPart is one part of a bucket's key.
type KeyPart struct{ spec.KeyPart }

// ParseString reads model, tenant, user, peer, apiKey, clientIP, header:NAME or
// claim:PATH.
func (k *KeyPart) ParseString(text string) (err error) {
	if k.KeyPart, err = spec.ParseKeyPart(text); err != nil {
		return err
	}
	switch k.Source {
	case spec.KeyHeader:
		var name HeaderName
		err = name.ParseString(k.Name)
		k.Name = name.String()
	case spec.KeyClaim:
		if len(spec.ClaimPath(k.Name)) == 0 || len(k.Name) > spec.MaxClaimBytes {
			err = fmt.Errorf("%q is not a claim: write its name, of nested ones with dots between them; a dot in a name is written \\., in at most %d bytes",
				k.Name, spec.MaxClaimBytes)
		}
	}
	return err
}

// Missing is what becomes of a request without a value for a part of a key.
type Missing struct{ spec.Missing }

// ParseString reads share or refuse.
func (m *Missing) ParseString(text string) (err error) {
	m.Missing, err = spec.ParseMissing(text)
	return err
}

// Period is how long a quota lasts: an hour of the clock, or a day, both in UTC.
type Period struct{ seconds int64 }

// ParseString reads minute, hour or day.
func (p *Period) ParseString(text string) error {
	i, err := choose("a period", text, []string{"minute", "hour", "day"})
	if err == nil {
		p.seconds = []int64{60, 3600, 86_400}[i]
	}
	return err
}

// Seconds is the length of the period.
func (p Period) Seconds() int64 { return p.seconds }

// IdentitySource is where SVIDs come from.
type IdentitySource int

// Identity sources.
const (
	SourceDevelopment IdentitySource = iota // development: the embedded CA
	SourceSPIRE                             // spire: the agent at SPIFFE_ENDPOINT_SOCKET
)

// ParseString reads development or spire.
func (s *IdentitySource) ParseString(text string) error {
	i, err := choose("an identity source", text, []string{"development", "spire"})
	*s = IdentitySource(i)
	return err
}

// WhenAbsent is what a new configuration does while no canary is connected.
type WhenAbsent int

// What there is to do without a canary.
const (
	AbsentWait    WhenAbsent = iota // wait: until one comes, at most for the canary's timeout
	AbsentProceed                   // proceed: to all others at once
)

// ParseString reads wait or proceed.
func (w *WhenAbsent) ParseString(text string) error {
	i, err := choose("what to do without a canary", text, []string{"wait", "proceed"})
	*w = WhenAbsent(i)
	return err
}

// RetryCondition is a condition of Envoy's retry policy.
type RetryCondition struct{ text string }

// retryConditions are those that make sense for requests with a body and a
// price; see Envoy's x-envoy-retry-on.
var retryConditions = []string{
	"connect-failure", "refused-stream", "reset-before-request", "reset", "gateway-error", "5xx", "retriable-4xx",
}

// ParseString reads one of Envoy's conditions.
func (c *RetryCondition) ParseString(text string) error {
	i, err := choose("a retry condition", text, retryConditions)
	if err == nil {
		c.text = retryConditions[i]
	}
	return err
}

// String is the condition as Envoy names it.
func (c RetryCondition) String() string { return c.text }
