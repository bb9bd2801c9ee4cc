package snapshot

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// Consistent states the invariant of a snapshot and checks it:
//
//   - each resource decodes, and its own name is the name it is served under;
//   - every reference resolves: scoped route -> route configuration, route ->
//     cluster, EDS cluster -> load assignment, listener -> ECDS configuration;
//   - nothing dangles: each route configuration, load assignment and ECDS
//     configuration is referred to;
//   - scopes exist only if a listener looks for them.
//
// Secrets are not part of a snapshot: they come over the Workload API socket.
func (s *Snapshot) Consistent() error {
	refs := references{needs: make(map[string]map[string]string)}
	for _, url := range Types() {
		named := s.Resources(url)
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if err := refs.collect(url, named[name]); err != nil {
				return err
			}
		}
	}
	var problems []error
	for _, url := range []string{ClusterType, EndpointType, RouteType, ExtensionType} {
		problems = append(problems, refs.check(url, s.Resources(url))...)
	}
	if scopes := len(s.Resources(ScopedRouteType)); scopes > 0 && !refs.scoped {
		problems = append(problems, fmt.Errorf("%d scoped routes, but no listener looks for scopes", scopes))
	}
	return errors.Join(problems...)
}

// references gathers who needs which resource: type -> name -> a referrer.
type references struct {
	needs  map[string]map[string]string
	scoped bool
}

func (r *references) need(typeURL, name, by string) {
	if r.needs[typeURL] == nil {
		r.needs[typeURL] = make(map[string]string)
	}
	r.needs[typeURL][name] = by
}

func (r *references) check(url string, have map[string]*Resource) []error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(r.needs[url])) {
		if _, ok := have[name]; !ok {
			problems = append(problems, fmt.Errorf("%s refers to %s %q, which is not there", r.needs[url][name], short(url), name))
		}
	}
	if url == ClusterType { // a cluster without a route is warm in advance: allowed
		return problems
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := r.needs[url][name]; !ok {
			problems = append(problems, fmt.Errorf("nothing refers to %s %q", short(url), name))
		}
	}
	return problems
}

func (r *references) collect(url string, resource *Resource) error {
	message, inner, err := decode(url, resource)
	if err != nil {
		return fmt.Errorf("decode %s %q: %w", short(url), resource.Name, err)
	}
	if inner != resource.Name {
		return fmt.Errorf("%s %q calls itself %q", short(url), resource.Name, inner)
	}
	by := fmt.Sprintf("%s %q", short(url), resource.Name)
	switch m := message.(type) {
	case *clusterv3.Cluster:
		if m.GetType() == clusterv3.Cluster_EDS {
			r.need(EndpointType, edsName(m), by)
		}
	case *routev3.ScopedRouteConfiguration:
		r.need(RouteType, m.GetRouteConfigurationName(), by)
	case *routev3.RouteConfiguration:
		for _, cluster := range routeClusters(m) {
			r.need(ClusterType, cluster, by)
		}
	case *listenerv3.Listener:
		return r.listener(m, by)
	}
	return nil
}

func (r *references) listener(l *listenerv3.Listener, by string) error {
	for _, chain := range l.GetFilterChains() {
		for _, filter := range chain.GetFilters() {
			manager := &hcmv3.HttpConnectionManager{}
			if !filter.GetTypedConfig().MessageIs(manager) {
				continue
			}
			if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
				return fmt.Errorf("decode the connection manager of %s: %w", by, err)
			}
			r.manager(manager, by)
		}
	}
	return nil
}

func (r *references) manager(m *hcmv3.HttpConnectionManager, by string) {
	if m.GetScopedRoutes().GetScopedRds() != nil {
		r.scoped = true
	}
	if rds := m.GetRds(); rds != nil {
		r.need(RouteType, rds.GetRouteConfigName(), by)
	}
	for _, cluster := range routeClusters(m.GetRouteConfig()) {
		r.need(ClusterType, cluster, by)
	}
	for _, filter := range m.GetHttpFilters() {
		if filter.GetConfigDiscovery() != nil {
			r.need(ExtensionType, filter.GetName(), by)
		}
	}
}

func edsName(c *clusterv3.Cluster) string {
	if name := c.GetEdsClusterConfig().GetServiceName(); name != "" {
		return name
	}
	return c.GetName()
}

func routeClusters(config *routev3.RouteConfiguration) []string {
	var names []string
	for _, host := range config.GetVirtualHosts() {
		for _, route := range host.GetRoutes() {
			action := route.GetRoute()
			if name := action.GetCluster(); name != "" {
				names = append(names, name)
			}
			for _, weighted := range action.GetWeightedClusters().GetClusters() {
				names = append(names, weighted.GetName())
			}
		}
	}
	return names
}

func decode(url string, resource *Resource) (message proto.Message, name string, err error) {
	switch url {
	case ClusterType:
		m := &clusterv3.Cluster{}
		err = resource.Body.UnmarshalTo(m)
		return m, m.GetName(), err
	case EndpointType:
		m := &endpointv3.ClusterLoadAssignment{}
		err = resource.Body.UnmarshalTo(m)
		return m, m.GetClusterName(), err
	case ListenerType:
		m := &listenerv3.Listener{}
		err = resource.Body.UnmarshalTo(m)
		return m, m.GetName(), err
	case ScopedRouteType:
		m := &routev3.ScopedRouteConfiguration{}
		err = resource.Body.UnmarshalTo(m)
		return m, m.GetName(), err
	case RouteType:
		m := &routev3.RouteConfiguration{}
		err = resource.Body.UnmarshalTo(m)
		return m, m.GetName(), err
	default:
		m := &corev3.TypedExtensionConfig{}
		err = resource.Body.UnmarshalTo(m)
		return m, m.GetName(), err
	}
}

// short is the message name of a type URL without its package.
func short(url string) string {
	for i := len(url) - 1; i >= 0; i-- {
		if url[i] == '.' {
			return url[i+1:]
		}
	}
	return url
}
