package catalog

import (
	"crypto/x509"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/weirmesh/weir/xds-server/api"
)

// Defaults of the providers of tokens.
const (
	defaultClockSkew     = time.Minute
	maxClockSkew         = time.Hour
	defaultKeysTimeout   = 5 * time.Second
	defaultKeysRefresh   = 10 * time.Minute
	minKeysRefresh       = time.Second
	defaultAuthorityPath = "/etc/ssl/certs/ca-certificates.crt" // of Debian, Alpine and Envoy's images
)

// tokenProviders builds whose tokens are taken; nil: tokens are not looked at.
func (c *checker) tokenProviders(e entry[api.Gateway]) *Tokens {
	written := e.value.Spec.JWT
	if written == nil {
		return nil
	}
	tokens := &Tokens{Optional: written.Requirement != nil && *written.Requirement == api.TokenOptional}
	for i := range written.Providers {
		p := &written.Providers[i]
		field := fmt.Sprintf("spec.jwt.providers[%d]", i)
		for _, other := range tokens.Providers {
			if other.Name == p.Name.String() {
				c.at(e.unit, field+".name", fmt.Sprintf("provider %q is defined twice", other.Name), "rename or remove one of the two")
			}
			if other.Issuer == p.Issuer.String() {
				c.at(e.unit, field+".issuer", fmt.Sprintf("provider %q has this issuer already", other.Name), "put the keys and audiences of both into one provider")
			}
		}
		tokens.Providers = append(tokens.Providers, c.tokenProvider(e.unit, field, p))
	}
	return tokens
}

func (c *checker) tokenProvider(u *unit, field string, written *api.JWTProvider) TokenProvider {
	provider := TokenProvider{
		Name: written.Name.String(), Issuer: written.Issuer.String(), Forward: written.Forward,
		Audiences: c.audiences(u, field, written),
		Sources:   written.From,
		ClockSkew: c.positive(u, field+".clockSkew", written.ClockSkew, defaultClockSkew),
	}
	if provider.ClockSkew%time.Second != 0 || provider.ClockSkew > maxClockSkew {
		c.at(u, field+".clockSkew", fmt.Sprintf("%s is not a whole number of seconds, at most %s", provider.ClockSkew, maxClockSkew), "")
	}
	if len(written.From) == 0 {
		provider.Sources = []api.TokenSource{{}}
	}
	for i, source := range written.From {
		if slices.Contains(written.From[:i], source) && !u.doc.Failed(field+".from") {
			c.at(u, fmt.Sprintf("%s.from[%d]", field, i), fmt.Sprintf("%q is listed twice", source), "remove one of the two")
		}
	}
	provider.Keys, provider.Remote = c.keySet(u, field+".jwks", &written.JWKS)
	return provider
}

func (c *checker) audiences(u *unit, field string, written *api.JWTProvider) []string {
	var all []string
	for i, audience := range written.Audiences {
		if slices.Contains(written.Audiences[:i], audience) {
			c.at(u, fmt.Sprintf("%s.audiences[%d]", field, i), fmt.Sprintf("audience %q is listed twice", audience), "remove one of the two")
		}
		all = append(all, audience.String())
	}
	switch {
	case len(all) > 0 && written.AnyAudience:
		c.at(u, field+".anyAudience", "audiences and anyAudience are both set", "remove one of the two")
	case len(all) == 0 && !written.AnyAudience && !u.doc.Failed(field+".anyAudience"):
		c.at(u, field+".audiences", "there is no audience: tokens that were made for others would be taken",
			"list what the claim aud says of tokens that are made for this gateway, or set anyAudience: true")
	}
	return all
}

// keySet is a provider's keys, or where an Envoy gets them.
func (c *checker) keySet(u *unit, field string, written *api.JWKS) ([]byte, *RemoteKeys) {
	set := 0
	for _, is := range []bool{written.Inline != nil, written.File != nil, written.Remote != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		if !u.doc.Failed(field+".file") && !u.doc.Failed(field+".remote") && !u.doc.Failed(field+".inline") {
			c.at(u, field, "keys have no source, or more than one", "set one of inline, file and remote")
		}
	case written.Remote != nil:
		return nil, c.remoteKeys(u, field+".remote", written.Remote)
	case written.Inline != nil:
		c.usableKeys(u, field+".inline", []byte(*written.Inline))
		return []byte(*written.Inline), nil
	default:
		content, found := c.certificateFile(u, field+".file", *written.File)
		if found {
			c.usableKeys(u, field+".file", content, key{certificateFile, written.File.String()})
		}
		return content, nil
	}
	return nil, nil
}

func (c *checker) usableKeys(u *unit, field string, document []byte, involves ...key) {
	if err := checkKeySet(document); err != nil {
		c.at(u, field, "not a JSON Web Key Set that Envoy can use: "+err.Error(),
			`it looks like {"keys": [{"kty": "RSA", "kid": ..., "n": ..., "e": ...}]}`, involves...)
	}
}

func (c *checker) remoteKeys(u *unit, field string, written *api.RemoteJWKS) *RemoteKeys {
	remote := &RemoteKeys{
		URI: written.URI, Endpoints: c.endpoints(u, field, written.Endpoints),
		Timeout: c.positive(u, field+".timeout", written.Timeout, defaultKeysTimeout),
		Refresh: c.positive(u, field+".refresh", written.Refresh, defaultKeysRefresh),
	}
	if len(remote.Endpoints) == 0 {
		remote.Endpoints = []api.Endpoint{written.URI.Endpoint()}
	}
	if remote.Refresh < minKeysRefresh {
		c.at(u, field+".refresh", fmt.Sprintf("keys would be fetched every %s", remote.Refresh), "use "+minKeysRefresh.String()+" or more")
	}
	if u.doc.Failed(field + ".uri") {
		return remote
	}
	if written.URI.TLS() {
		c.authority(u, field, written, remote)
		return remote
	}
	switch {
	case !written.Insecure && !u.doc.Failed(field+".insecure"):
		c.at(u, field+".uri", "keys would be fetched in plaintext, so that whoever is in between can make tokens", "use https, or set insecure: true")
	case written.AuthorityFile != nil:
		c.at(u, field+".authorityFile", "there is no TLS in which anybody vouches for the server", "use https, or remove it")
	case written.AuthorityPath != nil:
		c.at(u, field+".authorityPath", "there is no TLS in which anybody vouches for the server", "use https, or remove it")
	}
	return remote
}

// authority is who may vouch for the server of an https URI.
func (c *checker) authority(u *unit, field string, written *api.RemoteJWKS, remote *RemoteKeys) {
	if written.Insecure {
		c.at(u, field+".insecure", "the URI is https", "remove insecure")
	}
	switch file := written.AuthorityFile; {
	case file != nil && written.AuthorityPath != nil:
		c.at(u, field+".authorityPath", "authorityFile and authorityPath are both set", "remove one of the two")
	case file != nil:
		content, found := c.certificateFile(u, field+".authorityFile", *file)
		if remote.Authority = content; found && !x509.NewCertPool().AppendCertsFromPEM(content) {
			c.at(u, field+".authorityFile", fmt.Sprintf("%s has no certificate in it", file), "it has the certificates of authorities in PEM", key{certificateFile, file.String()})
		}
	case written.AuthorityPath == nil:
		remote.AuthorityPath = defaultAuthorityPath
	case !path.IsAbs(*written.AuthorityPath):
		c.at(u, field+".authorityPath", fmt.Sprintf("%q is not an absolute path", *written.AuthorityPath), "Envoy's working folder is not known here")
	default:
		remote.AuthorityPath = *written.AuthorityPath
	}
}
