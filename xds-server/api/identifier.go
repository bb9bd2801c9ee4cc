package api

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Name is the name of a resource or of a part of one: a DNS-1123 subdomain of
// at most 63 bytes, as in Kubernetes. It is safe in xDS names and header values.
type Name struct{ text string }

var nameSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// ParseString accepts lower-case letters, digits, '-' and '.'.
func (n *Name) ParseString(text string) error {
	if !nameSyntax.MatchString(text) {
		return fmt.Errorf("%q is not a name: use 1 to 63 of a-z, 0-9, '-' and '.', with a letter or digit at both ends", text)
	}
	n.text = text
	return nil
}

// String is the name.
func (n Name) String() string { return n.text }

// VersionName is the name of a model's version: it may hold upper-case letters
// and '_', and is safe in xDS names and header values.
type VersionName struct{ text string }

var versionSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ParseString accepts letters, digits, '.', '_' and '-'.
func (v *VersionName) ParseString(text string) error {
	if !versionSyntax.MatchString(text) {
		return fmt.Errorf("%q is not a version: use 1 to 63 letters, digits, '.', '_' and '-', with a letter or digit first", text)
	}
	v.text = text
	return nil
}

// String is the version.
func (v VersionName) String() string { return v.text }

// RateLimitDomain is the name of a part of a rate limit service's configuration.
type RateLimitDomain struct{ text string }

// ParseString reads the domain.
func (d *RateLimitDomain) ParseString(text string) error {
	if !aliasSyntax.MatchString(text) {
		return fmt.Errorf("%q is not the domain of a rate limit service: use 1 to 128 letters, digits and . _ : / + - with a letter or digit first", text)
	}
	d.text = text
	return nil
}

// String is the domain as it is written.
func (d RateLimitDomain) String() string { return d.text }

// Alias is a name by which clients ask for a model, such as meta-llama/Llama-3.
type Alias struct{ text string }

var aliasSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}$`)

// ParseString accepts letters, digits and the characters . _ : / + and -.
func (a *Alias) ParseString(text string) error {
	if !aliasSyntax.MatchString(text) {
		return fmt.Errorf("%q is not a model name: use 1 to 128 letters, digits and . _ : / + - with a letter or digit first", text)
	}
	a.text = text
	return nil
}

// String is the alias.
func (a Alias) String() string { return a.text }

// ModelRef refers to a Model by its name. It reads aliases too, so that whoever
// wrote one can be told what to write instead.
type ModelRef struct{ Alias }

// FileName is the name of a file in a folder that is known: without a path, so
// that it leads nowhere else.
type FileName struct{ text string }

var fileSyntax = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// ParseString accepts letters, digits, '.', '_' and '-'.
func (f *FileName) ParseString(text string) error {
	if !fileSyntax.MatchString(text) {
		return fmt.Errorf("%q is not the name of a file: use 1 to 128 letters, digits, '.', '_' and '-', without a folder, and no '.' first", text)
	}
	f.text = text
	return nil
}

// String is the name.
func (f FileName) String() string { return f.text }

// SPIFFEID is the identity of a workload: an ID with a path.
type SPIFFEID struct{ id spiffeid.ID }

// ParseString reads spiffe://trust-domain/path.
func (s *SPIFFEID) ParseString(text string) error {
	id, err := spiffeid.FromString(text)
	if err != nil {
		return fmt.Errorf("%q is not a SPIFFE ID: %w", text, err)
	}
	if id.Path() == "" {
		return fmt.Errorf("%q names a trust domain, not a workload: add a path", text)
	}
	s.id = id
	return nil
}

// ID is the parsed identity.
func (s SPIFFEID) ID() spiffeid.ID { return s.id }

// TrustDomainName is the name of a trust domain.
type TrustDomainName struct{ domain spiffeid.TrustDomain }

// ParseString reads a trust domain without spiffe://.
func (t *TrustDomainName) ParseString(text string) error {
	if strings.Contains(text, ":") {
		return fmt.Errorf("%q is not the name of a trust domain: write it without spiffe://", text)
	}
	domain, err := spiffeid.TrustDomainFromString(text)
	if err != nil {
		return fmt.Errorf("%q is not the name of a trust domain: %w", text, err)
	}
	t.domain = domain
	return nil
}

// TrustDomain is the parsed trust domain.
func (t TrustDomainName) TrustDomain() spiffeid.TrustDomain { return t.domain }

// Selector is a property of a process, in SPIRE's notation: unix:uid:1000.
type Selector struct{ text string }

// selectorTypes are the properties that the development CA can attest.
var selectorTypes = []string{"unix:uid:", "unix:gid:", "unix:path:", "unix:sha256:"}

// ParseString reads unix:uid:, unix:gid:, unix:path: or unix:sha256: and a value.
func (s *Selector) ParseString(text string) error {
	for _, prefix := range selectorTypes {
		if value, ok := strings.CutPrefix(text, prefix); ok {
			if err := checkSelector(prefix, value); err != nil {
				return fmt.Errorf("selector %q: %w", text, err)
			}
			s.text = text
			return nil
		}
	}
	return fmt.Errorf("%q is not a selector: it starts with one of %s", text, strings.Join(selectorTypes, ", "))
}

// String is the selector as written.
func (s Selector) String() string { return s.text }

var (
	numericID = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)
	hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func checkSelector(prefix, value string) error {
	switch {
	case prefix == "unix:path:" && !strings.HasPrefix(value, "/"):
		return errors.New("the path must be absolute")
	case prefix == "unix:sha256:" && !hexDigest.MatchString(value):
		return errors.New("the digest must be 64 lower-case hexadecimal digits")
	case strings.HasSuffix(prefix, "id:") && !numericID.MatchString(value):
		return errors.New("the ID must be a number")
	default:
		return nil
	}
}
