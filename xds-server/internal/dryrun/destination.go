package dryrun

import (
	"fmt"
	"slices"
	"strconv"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	groupv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/priority_group/v3"

	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/filter/wasmhost"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Destination is where Envoy's route leads a request.
type Destination struct {
	Route   string // the route's name
	Cluster string
	Version string // what the route sets x-weir-version to
	// Fallback are the clusters of further attempts, in this order.
	Fallback []string
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

// matches compares exact headers and ranges, which is all that our routes match on.
func matches(route *routev3.Route, headers wasmhost.Headers) bool {
	for _, matcher := range route.GetMatch().GetHeaders() {
		value, set := headers.Get(matcher.GetName())
		if !set {
			return false
		}
		if within := matcher.GetRangeMatch(); within != nil {
			number, err := strconv.ParseInt(value, 10, 64)
			if err != nil || number < within.GetStart() || number >= within.GetEnd() {
				return false
			}
		} else if value != matcher.GetStringMatch().GetExact() {
			return false
		}
	}
	return true
}

func follow(route *routev3.Route, headers wasmhost.Headers) (*Destination, error) {
	destination := &Destination{Route: route.GetName(), Cluster: route.GetRoute().GetCluster()}
	if plugin := route.GetRoute().GetInlineClusterSpecifierPlugin(); plugin != nil {
		groups := &groupv3.PriorityGroupClusterSpecifier{}
		if err := plugin.GetExtension().GetTypedConfig().UnmarshalTo(groups); err != nil {
			return nil, fmt.Errorf("decode the clusters of route %q: %w", route.GetName(), err)
		}
		for _, group := range groups.GetPriorityGroups() {
			destination.Fallback = append(destination.Fallback, group.GetName())
		}
		destination.Fallback = slices.Compact(destination.Fallback)
		destination.Cluster, destination.Fallback = destination.Fallback[0], destination.Fallback[1:]
	}
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
