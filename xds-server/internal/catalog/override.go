package catalog

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// overrides builds the tables of the buckets that have numbers of their own. The
// filter looks a bucket up by its hash, so that the values are written nowhere else.
func (c *checker) overrides(e entry[api.TokenLimit], limits []*Limit) {
	key := e.value.Spec.Key
	seen := make(map[string]int, len(e.value.Spec.Overrides))
	for i := range e.value.Spec.Overrides {
		written := &e.value.Spec.Overrides[i]
		field := fmt.Sprintf("spec.overrides[%d]", i)
		if len(written.Key) != len(key) {
			c.at(e.unit, field+".key", fmt.Sprintf("key has %d values, but spec.key has %d parts", len(written.Key), len(key)), "give one value for each, in their order")
			continue
		}
		var parts []uint64
		for j, value := range written.Key {
			parts = append(parts, bucket.PartOf(c.keyPart(e.unit, fmt.Sprintf("%s.key[%d]", field, j), key[j].KeyPart, value)))
		}
		id := fmt.Sprint(parts)
		if first, again := seen[id]; again {
			c.at(e.unit, field+".key", fmt.Sprintf("spec.overrides[%d] has the same key", first), "remove one of the two")
			continue
		}
		seen[id] = i
		c.override(e, field, written, parts, limits)
	}
	for _, l := range limits {
		slices.SortFunc(l.Overrides, func(a, b spec.Override) int { return cmp.Compare(a.Key, b.Key) })
	}
}

// keyPart checks a value for a part of a key, and returns it as the filter will see it.
func (c *checker) keyPart(u *unit, field string, part spec.KeyPart, value string) []byte {
	switch part.Source {
	case spec.KeyModel:
		c.modelRef(u, field, value)
	case spec.KeyAPIKey:
		digest, err := hex.DecodeString(value)
		if err != nil || len(digest) != sha256.Size || hex.EncodeToString(digest) != value {
			c.at(u, field, "an API key is given by its SHA-256, in 64 lower-case hexadecimal digits", "printf %s \"$KEY\" | sha256sum")
		}
		return digest
	case spec.KeyPeer:
		var id api.SPIFFEID
		if err := id.ParseString(value); err != nil {
			c.at(u, field, err.Error(), "")
		}
	case spec.KeyClientIP:
		if address, err := netip.ParseAddr(value); err != nil || address.String() != value {
			c.at(u, field, fmt.Sprintf("%q is no address as Envoy writes it", value), "such as 192.0.2.1 or 2001:db8::1")
		}
	}
	if value == "" {
		c.at(u, field, "value is empty", "")
	}
	return []byte(value)
}

// override adds the numbers of one key to the limits that they are about.
func (c *checker) override(e entry[api.TokenLimit], field string, written *api.Override, parts []uint64, limits []*Limit) {
	set := 0
	add := func(name, suffix string, rate func() spec.Rate) {
		set++
		numbers := rate()
		i := slices.IndexFunc(limits, func(l *Limit) bool { return l.Name == e.name+suffix && l.Mode != spec.LimitSemantic })
		if i < 0 {
			c.at(e.unit, field+"."+name, "there is nothing to override: the limit has no "+name+" itself", "set spec."+name)
			return
		}
		k := bucket.LimitKey(limits[i].Name)
		for _, part := range parts {
			k = k.AddUint(part)
		}
		limits[i].Overrides = append(limits[i].Overrides, spec.Override{
			Key: k.Sum(), Capacity: numbers.Capacity, RefillMilli: numbers.RefillMilli, Per: numbers.Per,
		})
	}
	if written.Tokens != nil {
		add("tokens", "", func() spec.Rate { return c.rate(e.unit, field+".tokens", written.Tokens) })
	}
	if written.Requests != nil {
		add("requests", suffixRequests, func() spec.Rate { return c.rate(e.unit, field+".requests", written.Requests) })
	}
	if f := written.InFlight; f != nil {
		add("inFlight", suffixInFlight, func() spec.Rate {
			return spec.Rate{Capacity: int64(c.bounded(e.unit, field+".inFlight.max", f.Max, 1, spec.MaxInFlight))}
		})
	}
	if q := written.Quota; q != nil {
		c.amounts(e.unit, field+".quota", q.Tokens, q.Requests)
		if q.Tokens != nil {
			add("quota.tokens", suffixQuota, func() spec.Rate { return spec.Rate{Capacity: int64(*q.Tokens)} })
		}
		if q.Requests != nil {
			add("quota.requests", suffixQuotaRequests, func() spec.Rate { return spec.Rate{Capacity: int64(*q.Requests)} })
		}
	}
	if set == 0 {
		c.at(e.unit, field, "override overrides nothing", "set tokens, requests, inFlight or quota")
	}
}
