package translate

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previousv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// scope leads requests for a model to its route configuration.
func scope(model *catalog.Model) *routev3.ScopedRouteConfiguration {
	return &routev3.ScopedRouteConfiguration{
		Name:                   model.Name,
		RouteConfigurationName: model.Name,
		Key: &routev3.ScopedRouteConfiguration_Key{
			Fragments: []*routev3.ScopedRouteConfiguration_Key_Fragment{{
				Type: &routev3.ScopedRouteConfiguration_Key_Fragment_StringKey{StringKey: model.Name},
			}},
		},
	}
}

// routes are one route for each version that the filter forced, and the split.
// One small configuration a model: a weight step resends nothing else.
func routes(model *catalog.Model) *routev3.RouteConfiguration {
	var all []*routev3.Route
	for _, version := range model.Versions {
		all = append(all, forcedRoute(model, version.Name))
	}
	switch {
	case len(model.Route.Fallback) > 0:
		all = append(all, shareRoutes(model)...)
	case len(model.Route.Split) > 0:
		all = append(all, splitRoute(model))
	}
	return &routev3.RouteConfiguration{
		Name: model.Name,
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    model.Name,
			Domains: []string{"*"},
			Routes:  all,
		}},
	}
}

func forcedRoute(model *catalog.Model, version string) *routev3.Route {
	return versionRoute(model, "version "+version, version, &routev3.HeaderMatcher{
		Name: headerVersion,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Exact{Exact: version},
		}},
	})
}

// versionRoute leads what matches to a version, and from there on to the fallback.
func versionRoute(model *catalog.Model, name, version string, match *routev3.HeaderMatcher) *routev3.Route {
	action := routeAction(model, version)
	route := &routev3.Route{
		Name:                   name,
		Match:                  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: []*routev3.HeaderMatcher{match}},
		Action:                 &routev3.Route_Route{Route: action},
		RequestHeadersToAdd:    setVersion(version),
		RequestBodyBufferLimit: bodyLimit(model),
	}
	tries := chain(model, version)
	route.TypedPerFilterConfig = enabled(model, len(tries))
	if len(tries) > 1 {
		fallBack(action, tries, model.Route.Retries)
		return route // each attempt's cluster says in the answer which version it was
	}
	action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: ClusterName(model.Name, version)}
	if retries := model.Route.Retries; retries != nil && retries.Attempts == 0 {
		action.RetryPolicy = nil
	}
	route.ResponseHeadersToAdd = setVersion(version)
	return route
}

// splitRoute takes the user's bucket modulo the whole weight, so that a user
// stays, and a version that is listed first keeps its users while it grows.
func splitRoute(model *catalog.Model) *routev3.Route {
	weighted := &routev3.WeightedCluster{
		RandomValueSpecifier: &routev3.WeightedCluster_HeaderName{HeaderName: headerBucket},
	}
	for _, share := range model.Route.Split {
		weighted.Clusters = append(weighted.Clusters, &routev3.WeightedCluster_ClusterWeight{
			Name:                 ClusterName(model.Name, share.Version),
			Weight:               wrapperspb.UInt32(share.Weight),
			RequestHeadersToAdd:  setVersion(share.Version),
			ResponseHeadersToAdd: setVersion(share.Version),
		})
	}
	action := routeAction(model, "")
	action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: weighted}
	return &routev3.Route{
		Name:                   "split",
		Match:                  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action:                 &routev3.Route_Route{Route: action},
		RequestBodyBufferLimit: bodyLimit(model),
		TypedPerFilterConfig:   enabled(model, 1),
	}
}

// routeAction is of a route to a version, or to all of the split if version is empty.
func routeAction(model *catalog.Model, version string) *routev3.RouteAction {
	return &routev3.RouteAction{
		Timeout:               durationpb.New(model.Route.Timeout),
		RetryPolicy:           retryPolicy(model.Route.Retries),
		RequestMirrorPolicies: mirrorPolicies(model, version),
	}
}

// hostAttempts is how often Envoy looks for an endpoint that it did not try yet.
const hostAttempts = 3

func retryPolicy(r *catalog.Retries) *routev3.RetryPolicy {
	if r == nil {
		return nil
	}
	policy := &routev3.RetryPolicy{
		RetryOn:    strings.Join(r.On, ","),
		NumRetries: wrapperspb.UInt32(r.Attempts),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: pack(&previousv3.PreviousHostsPredicate{}),
			},
		}},
		HostSelectionRetryMaxAttempts: hostAttempts,
	}
	if r.PerTryTimeout > 0 {
		policy.PerTryTimeout = durationpb.New(r.PerTryTimeout)
	}
	return policy
}

// setVersion tells the version, whatever the other side said.
func setVersion(version string) []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{{
		Header:       &corev3.HeaderValue{Key: headerVersion, Value: version},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}
}
