package engine

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// keyPart is a part that keys of limits have, each kind of it once in a Program. A
// stream finds its value once, however many limits want it, and remembers a hash.
type keyPart struct {
	spec.KeyPart
	property string // path of the property that holds it, if one does
	told     string // property by which Envoy's ratelimit filter is told of it, if it is
	plain    bool   // a service has to be told of it, in whatever way
}

// maxParts bounds the parts of a program's limits: the sources without a name once
// each, and the headers and claims.
const maxParts = int(spec.KeyHeader) + spec.MaxKeyHeaders + spec.MaxKeyClaims

// keyValues is what a stream knows of its parts, by index in Program.parts.
type keyValues struct {
	known uint32 // bits of those that were looked for
	hash  [maxParts]uint64
}

// Properties of a stream as Envoy names them, their paths joined by zero bytes.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
const (
	propertyAddress = "source\x00address"
	propertyClaims  = "metadata\x00filter_metadata\x00envoy.filters.http.jwt_authn\x00payload"
)

// collectParts gathers the parts of all limits' keys.
func (p *Program) collectParts() {
	p.parts, p.readsKeys = nil, false
	for i := range p.doc.Limits {
		for _, k := range p.doc.Limits[i].Key {
			if n := p.findPart(k); n != none {
				p.parts[n].serve(p.doc.Limits[i].Scope)
				continue
			}
			part := keyPart{KeyPart: k}
			switch k.Source {
			case spec.KeyClientIP:
				part.property = propertyAddress
			case spec.KeyClaim:
				part.property = claimProperty(k.Name)
			case spec.KeyHeader, spec.KeyAPIKey:
				p.readsKeys = true
			}
			part.serve(p.doc.Limits[i].Scope)
			p.parts = append(p.parts, part)
		}
	}
}

// claimProperty is the property that holds a claim.
func claimProperty(path string) string {
	property := propertyClaims
	for _, name := range spec.ClaimPath(path) {
		property += "\x00" + name
	}
	return property
}

func (p *Program) findPart(k spec.KeyPart) int {
	for i := range p.parts {
		if p.parts[i].KeyPart == k {
			return i
		}
	}
	return none
}

// keyHeader remembers what a request header says of keys.
func (s *Stream) keyHeader(name string, value []byte) {
	for i := range s.program.parts {
		part := &s.program.parts[i]
		switch {
		case len(value) == 0 && part.plain && part.Source == spec.KeyHeader && part.Name == name:
			s.refuseParameter(name, "is empty") // Envoy would take it for a value
		case len(value) == 0:
		case part.Source == spec.KeyHeader && part.Name == name:
			s.keyValue(i, name, value)
		case part.Source == spec.KeyAPIKey && (name == headerAPIKey || name == headerAuthorization):
			if name == headerAuthorization {
				value = bearer(value)
			}
			if len(value) > 0 {
				var digest [sha256.Size]byte
				sha256.Sum(value, &digest)
				s.keyValue(i, "the API key", digest[:])
			}
		}
	}
}

// Headers in which clients send their API keys: OpenAI's and Anthropic's.
const (
	headerAuthorization = "authorization"
	headerAPIKey        = "x-api-key"
)

// bearer returns the token of an authorization header (RFC 6750 section 2.1), nil if
// it is of another scheme.
func bearer(value []byte) []byte {
	const scheme = "bearer "
	if len(value) < len(scheme) || !equalFold(view(value[:len(scheme)]), scheme) {
		return nil
	}
	value = value[len(scheme):]
	for len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return value
}

// keyValue remembers the value of a part. Of two different ones, upstream may believe
// the one that is not counted, so that is 400.
func (s *Stream) keyValue(i int, what string, value []byte) {
	hash, plain := bucket.PartOf(value), s.program.parts[i].plain
	if plain && !utf8.Valid(value) {
		s.refuseParameter(what, notText)
		return
	}
	// Envoy would tell a service of a value that stands there twice as of another one.
	if s.keys.known&(1<<i) != 0 && (s.keys.hash[i] != hash || plain) {
		s.refuseParameter(what, "has two values")
		return
	}
	s.keys.known |= 1 << i
	s.keys.hash[i] = hash
}

// part returns what a part counts for in this request's keys, 0 if it has none.
func (s *Stream) part(i int) uint64 {
	k := &s.keys
	if k.known&(1<<i) == 0 {
		k.known |= 1 << i
		k.hash[i] = 0
		if value := s.partValue(&s.program.parts[i]); len(value) > 0 {
			k.hash[i] = bucket.PartOf(value)
		}
	}
	return k.hash[i]
}

// partValue looks for the value of a part. Those from headers have been found.
func (s *Stream) partValue(part *keyPart) []byte {
	switch part.Source {
	case spec.KeyModel:
		return bytesOf(s.program.doc.Models[s.model].Name)
	case spec.KeyTenant:
		return s.tenant.bytes()
	case spec.KeyUser:
		return s.userName()
	case spec.KeyPeer:
		return s.host.Peer()
	case spec.KeyClaim:
		return s.host.Property(part.property)
	case spec.KeyClientIP:
		return withoutPort(s.host.Property(part.property))
	}
	return nil
}

// withoutPort returns the address of host:port, or of [host]:port.
func withoutPort(address []byte) []byte {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			address = address[:i]
			break
		}
	}
	if n := len(address); n > 1 && address[0] == '[' && address[n-1] == ']' {
		address = address[1 : n-1]
	}
	return address
}

// key names the bucket: the limit and the parts that its key asks for. A part that
// the request does not have is a part of its own, so that all such requests share
// a bucket; absent is one that the limit must have, none otherwise.
func (s *Stream) key(l *limit) (key uint64, absent int) {
	k := l.key
	for _, i := range l.parts {
		hash := s.part(int(i))
		if hash == 0 && l.missing == spec.MissingRefuse {
			return 0, int(i)
		}
		k = k.AddUint(hash)
	}
	return k.Sum(), none
}

// refuseKey answers a request without a part that a limit's key must have.
func (s *Stream) refuseKey(m modelLimit, part int) bool {
	return s.refuse(&noKey, "", "The budget ", s.program.doc.Limits[m.index].Name, " counts by ",
		s.program.parts[part].String(), ", which the request does not have.")
}

// override gives a bucket the numbers of its own that it has, if any.
func (p *Program) override(c *bucket.Charge) {
	all := p.doc.Overrides
	lo, hi := 0, len(all)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if all[mid].Key < c.Key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(all) || all[lo].Key != c.Key {
		return
	}
	o := &all[lo]
	own := bucket.RateParams(&spec.Rate{Capacity: o.Capacity, RefillMilli: o.RefillMilli, Per: o.Per})
	c.Params.CapacityMicro, c.Params.RefillMicroPerSec = own.CapacityMicro, own.RefillMicroPerSec
}
