package dryrun

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// largeBodies are the routes that have one attempt alone for bodies which a gateway
// lets through: more than their limit is not kept for another.
func largeBodies(c *catalog.Catalog) []string {
	var notes []string
	for _, model := range c.Models {
		notes = append(notes, heldBodies(c, model)...)
		if model.Route.Retries == nil {
			continue
		}
		limit, what := model.Route.Retries.BodyLimit, "retry"
		if len(model.Route.Fallback) > 0 {
			what = "fallback"
		}
		for _, gateway := range c.Gateways {
			larger := "up to " + bytesText(uint64(gateway.Settings.HoldLimit))
			if gateway.Settings.Overflow == spec.OverflowStream && !model.Renames() {
				larger = "of any size"
			} else if uint64(gateway.Settings.HoldLimit) <= limit {
				continue
			}
			notes = append(notes, fmt.Sprintf("Model/%s: bodies above %s have no %s, and Gateway/%s lets bodies %s through (spec.retries.bodyLimit of %s)",
				model.Name, bytesText(limit), what, gateway.Name, larger, model.RouteOrigin))
		}
	}
	return notes
}

// servedLimits are the limits whose budgets a service keeps, and what follows from that.
func servedLimits(c *catalog.Catalog) []string {
	var notes []string
	for _, l := range c.Limits {
		if l.Scope != spec.ScopeService {
			continue
		}
		when := "before a request it is asked whether the budget is exceeded, and after it told the cost: what is under way at the same time may exceed it"
		if l.Mode == spec.LimitRequests {
			when = "it counts requests when they come, refused ones too"
		}
		for _, gateway := range c.Gateways {
			unsure := "refuses requests while it does not answer"
			if l.OnFailure == spec.FailOpen {
				unsure = "lets requests through while it does not answer"
			}
			notes = append(notes, fmt.Sprintf("TokenLimit %s (%s): kept by the rate limit service of Gateway/%s, domain %s, which %s; %s",
				l.Name, l.Origin, gateway.Name, gateway.RateLimit.Domain, unsure, when))
			if gateway.Settings.Overflow == spec.OverflowStream {
				notes = append(notes, fmt.Sprintf("TokenLimit %s: bodies above the holdLimit of Gateway/%s are refused, not streamed: their cost would not be known when the service is asked",
					l.Name, gateway.Name))
			}
		}
	}
	return notes
}

// heldBodies are the gateways that would stream what has to be held.
func heldBodies(c *catalog.Catalog, model *catalog.Model) []string {
	var notes []string
	for _, gateway := range c.Gateways {
		if model.Renames() && gateway.Settings.Overflow == spec.OverflowStream {
			notes = append(notes, fmt.Sprintf("Model/%s: bodies above the holdLimit of Gateway/%s are refused, not streamed: the model's name in them has to be replaced",
				model.Name, gateway.Name))
		}
	}
	return notes
}

// lostClaims are the routes that look at claims where nobody verifies tokens, so that
// no claim ever has a value.
func lostClaims(c *catalog.Catalog) []string {
	var notes []string
	for _, model := range c.Models {
		if model.Route.Tree == nil || !slices.ContainsFunc(model.Route.Tree.Attributes, func(a spec.Attribute) bool { return a.Source == spec.FromClaim }) {
			continue
		}
		for _, gateway := range c.Gateways {
			if gateway.Tokens == nil {
				notes = append(notes, fmt.Sprintf("Model/%s: the route looks at claims, and Gateway/%s verifies no tokens (spec.jwt): claims are absent there", model.Name, gateway.Name))
			}
		}
	}
	return notes
}
