package deltaxds

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// leadsTo reports whether a route configuration sends requests to one of
// clusters. It decodes the resource: it is asked only while a client refuses a
// cluster.
func leadsTo(resource *snapshot.Resource, clusters set) bool {
	config := &routev3.RouteConfiguration{}
	if err := resource.Body.UnmarshalTo(config); err != nil {
		return false // the snapshot decoded it before it was published
	}
	for _, host := range config.GetVirtualHosts() {
		for _, route := range host.GetRoutes() {
			if actionLeadsTo(route.GetRoute(), clusters) {
				return true
			}
		}
	}
	return false
}

func actionLeadsTo(action *routev3.RouteAction, clusters set) bool {
	if _, hit := clusters[action.GetCluster()]; hit {
		return true
	}
	for _, weighted := range action.GetWeightedClusters().GetClusters() {
		if _, hit := clusters[weighted.GetName()]; hit {
			return true
		}
	}
	return false
}

// resourcesOf returns the resources of a type by name.
func resourcesOf(s *snapshot.Snapshot, typeURL string) map[string]*snapshot.Resource {
	named := make(map[string]*snapshot.Resource, s.Len(typeURL))
	for r := range s.All(typeURL) {
		named[r.Name] = r
	}
	return named
}
