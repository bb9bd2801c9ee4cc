package api

import (
	"fmt"
	"strings"
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

// Overflow is what happens to a body above the hold limit.
type Overflow int

// Overflow policies.
const (
	OverflowRefuse Overflow = iota // refuse: 413
	OverflowStream                 // stream: redacted on the fly, charged at its end
)

// ParseString reads refuse or stream.
func (o *Overflow) ParseString(text string) error {
	i, err := choose("an overflow policy", text, []string{"refuse", "stream"})
	*o = Overflow(i)
	return err
}

// Failure is what happens when a policy cannot do its work.
type Failure int

// Failure policies.
const (
	FailClosed Failure = iota // closed: the request is refused
	FailOpen                  // open: the request goes on, and that is recorded
)

// ParseString reads closed or open.
func (f *Failure) ParseString(text string) error {
	i, err := choose("a failure policy", text, []string{"closed", "open"})
	*f = Failure(i)
	return err
}

// KeySource is one part of a bucket's key.
type KeySource int

// Sources of a bucket's key.
const (
	KeyModel KeySource = iota
	KeyTenant
	KeyUser
	KeyPeer
)

var keySources = []string{"model", "tenant", "user", "peer"}

// ParseString reads model, tenant, user or peer.
func (k *KeySource) ParseString(text string) error {
	i, err := choose("part of a bucket's key", text, keySources)
	*k = KeySource(i)
	return err
}

// String is the word for it.
func (k KeySource) String() string { return keySources[k] }

// EntityKind names a kind of personal data.
type EntityKind int

// Kinds of personal data.
const (
	EntityPhone EntityKind = iota
	EntityEmail
	EntityResidentID
	EntityBankCard
)

var entityKinds = []string{"phone", "email", "residentID", "bankCard"}

// ParseString reads phone, email, residentID or bankCard.
func (k *EntityKind) ParseString(text string) error {
	i, err := choose("a kind of personal data", text, entityKinds)
	*k = EntityKind(i)
	return err
}

// String is the word for it.
func (k EntityKind) String() string { return entityKinds[k] }

// RedactionMode is what replaces a value.
type RedactionMode int

// Redaction modes.
const (
	RedactMask RedactionMode = iota // mask: the shape is kept
	RedactTag                       // tag: <PHONE>
)

// ParseString reads mask or tag.
func (m *RedactionMode) ParseString(text string) error {
	i, err := choose("a redaction mode", text, []string{"mask", "tag"})
	*m = RedactionMode(i)
	return err
}

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
