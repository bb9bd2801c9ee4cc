package dryrun

import (
	"fmt"
	"strconv"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/filter/wasmhost"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Destination is where Envoy's route leads a request.
type Destination struct {
	Route   string // the route's name
	Cluster string
	Version string // what the route sets x-weir-version to
}

// Follow finds the destination of request headers as Envoy does: the scope by
// x-weir-model, the first route that matches, and in weighted clusters the one
// that x-weir-bucket modulo the whole weight falls into.
func Follow(s *snapshot.Snapshot, headers wasmhost.Headers) (*Destination, error) {
	model, _ := headers.Get("x-weir-model")
	config, err := routesOf(s, model)
	if err != nil {
		return nil, err
	}
	for _, host := range config.GetVirtualHosts() { // one, for every domain
		for _, route := range host.GetRoutes() {
			if matches(route, headers) {
				return follow(route, headers)
			}
		}
	}
	return nil, fmt.Errorf("no route of model %q matches", model)
}

func routesOf(s *snapshot.Snapshot, model string) (*routev3.RouteConfiguration, error) {
	for r := range s.All(snapshot.ScopedRouteType) {
		scope := &routev3.ScopedRouteConfiguration{}
		if err := r.Body.UnmarshalTo(scope); err != nil {
			return nil, fmt.Errorf("decode scope %q: %w", r.Name, err)
		}
		if fragments := scope.GetKey().GetFragments(); len(fragments) != 1 || fragments[0].GetStringKey() != model {
			continue
		}
		found := s.Get(snapshot.RouteType, scope.GetRouteConfigurationName())
		if found == nil {
			break
		}
		config := &routev3.RouteConfiguration{}
		if err := found.Body.UnmarshalTo(config); err != nil {
			return nil, fmt.Errorf("decode routes of model %q: %w", model, err)
		}
		return config, nil
	}
	return nil, fmt.Errorf("there are no routes for model %q", model)
}

// matches compares exact headers, which is all that our routes match on.
func matches(route *routev3.Route, headers wasmhost.Headers) bool {
	for _, matcher := range route.GetMatch().GetHeaders() {
		value, set := headers.Get(matcher.GetName())
		if !set || value != matcher.GetStringMatch().GetExact() {
			return false
		}
	}
	return true
}

func follow(route *routev3.Route, headers wasmhost.Headers) (*Destination, error) {
	destination := &Destination{Route: route.GetName(), Cluster: route.GetRoute().GetCluster()}
	if destination.Cluster != "" {
		destination.Version = route.GetRequestHeadersToAdd()[0].GetHeader().GetValue()
		return destination, nil
	}
	text, _ := headers.Get("x-weir-bucket")
	bucket, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("the filter set x-weir-bucket to %q, which is not a number", text)
	}
	clusters := route.GetRoute().GetWeightedClusters().GetClusters()
	weights := make([]uint32, len(clusters))
	for i, c := range clusters {
		weights[i] = c.GetWeight().GetValue()
	}
	picked := split.Pick(weights, uint16(bucket))
	if picked < 0 {
		return nil, fmt.Errorf("route %q has no weight", route.GetName())
	}
	destination.Cluster = clusters[picked].GetName()
	destination.Version = clusters[picked].GetRequestHeadersToAdd()[0].GetHeader().GetValue()
	return destination, nil
}
