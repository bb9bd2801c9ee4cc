package dryrun

import (
	"fmt"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// largeBodies are the routes that have one attempt alone for bodies which a gateway
// lets through: more than their limit is not kept for another.
func largeBodies(c *catalog.Catalog) []string {
	var notes []string
	for _, model := range c.Models {
		if model.Route.Retries == nil {
			continue
		}
		limit, what := model.Route.Retries.BodyLimit, "retry"
		if len(model.Route.Fallback) > 0 {
			what = "fallback"
		}
		for _, gateway := range c.Gateways {
			larger := "up to " + bytesText(uint64(gateway.Settings.HoldLimit))
			if gateway.Settings.Overflow == spec.OverflowStream {
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
