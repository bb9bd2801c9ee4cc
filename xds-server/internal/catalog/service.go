package catalog

import (
	"fmt"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// Defaults of a rate limit service.
const (
	defaultDomain          = "weir"
	defaultQuestionTimeout = 100 * time.Millisecond
)

// rateLimit builds the service that keeps budgets for a gateway.
func (c *checker) rateLimit(u *unit, written *api.RateLimitService) *RateLimitService {
	const field = "spec.rateLimit"
	if written == nil {
		return nil
	}
	s := &RateLimitService{
		Endpoints: c.endpoints(u, field, written.Endpoints),
		Peer:      c.peer(u, field, written.TLS, written.Insecure),
		Domain:    defaultDomain,
		Timeout:   c.positive(u, field+".timeout", written.Timeout, defaultQuestionTimeout),
	}
	if written.Domain != nil {
		s.Domain = written.Domain.String()
	}
	return s
}

// tracing builds the collector of a gateway's spans.
func (c *checker) tracing(u *unit, written *api.Tracing) *Tracing {
	const field = "spec.tracing"
	if written == nil {
		return nil
	}
	return &Tracing{
		Endpoints: c.endpoints(u, field, written.Endpoints),
		Peer:      c.peer(u, field, written.TLS, written.Insecure),
		Percent:   c.inRange(u, field+".percent", written.Percent, 1, 0, 100),
	}
}

// servedLimits builds the limits of a TokenLimit whose budgets a service keeps: the
// filter is told how to count, the service how much there is.
func (c *checker) servedLimits(e entry[api.TokenLimit]) []*Limit {
	written := &e.value.Spec
	c.notServed(e)
	shared := c.counted(e)
	shared.Scope = spec.ScopeService
	var limits []*Limit
	if r := written.Requests; r != nil {
		l := &Limit{Limit: shared, Window: c.window(e.unit, "spec.requests", r), Origin: e.origin()}
		l.Name, l.Mode = e.name+suffixRequests, spec.LimitRequests
		limits = append(limits, l)
	}
	if t := written.Tokens; t != nil {
		l := &Limit{Limit: shared, Window: c.window(e.unit, "spec.tokens", t.Rate()), Origin: e.origin()}
		l.Name, l.Mode, l.Tokens = e.name, spec.LimitTokens, c.weights(e.unit, t)
		limits = append(limits, l)
	}
	if len(limits) == 0 && !e.doc.Failed("spec.tokens") && !e.doc.Failed("spec.requests") {
		c.at(e.unit, "spec.backend", "neither tokens nor requests is set: there is nothing to count", "tokens: {} counts tokens, and the service's configuration says how many there are")
	}
	return limits
}

// notServed refuses what a service cannot do, and gateways that name none.
func (c *checker) notServed(e entry[api.TokenLimit]) {
	written := &e.value.Spec
	for _, f := range []struct {
		name string
		set  bool
		why  string
	}{
		{"semantic", written.Semantic != nil, "its units have no meaning for a service"},
		{"inFlight", written.InFlight != nil, "a service does not count what is under way"},
		{"quota", written.Quota != nil, "a service has windows for tokens and requests, and no other quotas"},
		{"overrides", len(written.Overrides) > 0, "a service has numbers for single keys in its own configuration"},
		{"scope", written.Scope != nil, "a service's budget is one over all that ask it"},
		{"shortage", written.Shortage != nil, "a service does not say what is left before the answer"},
	} {
		if f.set {
			c.at(e.unit, "spec."+f.name, "it is not for backend: ratelimit: "+f.why, "remove it, or put it into a TokenLimit of its own with backend: weir")
		}
	}
	for i, part := range written.Key {
		if part.Source == spec.KeyAPIKey {
			c.at(e.unit, fmt.Sprintf("spec.key[%d]", i), "no service is told of API keys", "use another part, or backend: weir")
		}
	}
	for _, u := range c.all(api.KindGateway) {
		gateway := as[api.Gateway](u)
		if !gateway.broken() && gateway.value.Spec.RateLimit == nil {
			c.at(e.unit, "spec.backend", fmt.Sprintf("Gateway/%s names no service that could keep the budget", gateway.name), "set spec.rateLimit there", gateway.key)
		}
	}
}

// window builds what a service is told that there is; zero: its own configuration says it.
func (c *checker) window(u *unit, field string, written *api.Rate) Window {
	if written.Burst != nil {
		c.at(u, field+".burst", "it is not for backend: ratelimit: a service has windows, and no buckets", "remove it")
	}
	set := c.periods(u, field, written)
	if len(set) == 0 {
		return Window{}
	}
	p := set[0]
	amount := p.amount.Milli()
	if amount < 1000 || amount%1000 != 0 {
		c.at(u, field+"."+p.name, "a window of a service holds a whole number, and at least 1", "use such a number, or a longer time")
		return Window{}
	}
	return Window{Hits: uint32(amount / 1000), Seconds: max(p.seconds, 1)}
}
