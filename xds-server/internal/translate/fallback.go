package translate

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	groupv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/priority_group/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// shareRoutes are one route for each share of the split, by the range of users'
// buckets that the split gives to it: the same user gets the same version as from
// weighted clusters, and each version has a fallback of its own.
func shareRoutes(model *catalog.Model) []*routev3.Route {
	var all []*routev3.Route
	from := int64(0)
	for _, share := range model.Route.Split {
		if share.Weight == 0 {
			continue
		}
		to := from + int64(share.Weight)
		all = append(all, versionRoute(model, "split "+share.Version, share.Version, &routev3.HeaderMatcher{
			Name:                 headerBucket,
			HeaderMatchSpecifier: &routev3.HeaderMatcher_RangeMatch{RangeMatch: &typev3.Int64Range{Start: from, End: to}},
		}))
		from = to
	}
	return all
}

// chain are the clusters that a request for a version is tried at, in this order.
func chain(model *catalog.Model, version string) []string {
	first := catalog.Target{Model: model.Name, Version: version}
	tries := []string{ClusterName(first.Model, first.Version)}
	for _, target := range model.Route.Fallback {
		if target != first {
			tries = append(tries, ClusterName(target.Model, target.Version))
		}
	}
	return tries
}

// fallBack has Envoy take the next cluster with each attempt. An aggregate cluster
// would not do: the filters of what it consists of do not run.
func fallBack(action *routev3.RouteAction, tries []string, retries *catalog.Retries) {
	groups := &groupv3.PriorityGroupClusterSpecifier{}
	for _, cluster := range tries {
		for range retries.Attempts + 1 {
			groups.PriorityGroups = append(groups.PriorityGroups, &groupv3.PriorityGroup{
				Name:     cluster,
				Clusters: []*groupv3.ClusterWeight{{ClusterName: cluster, Weight: wrapperspb.UInt32(1)}},
			})
		}
	}
	action.ClusterSpecifier = &routev3.RouteAction_InlineClusterSpecifierPlugin{InlineClusterSpecifierPlugin: &routev3.ClusterSpecifierPlugin{
		Extension: &corev3.TypedExtensionConfig{Name: "envoy.router.cluster_specifier_plugin.priority_group", TypedConfig: pack(groups)},
	}}
	action.RetryPolicy.NumRetries = wrapperspb.UInt32(uint32(len(groups.GetPriorityGroups()) - 1))
	action.RetryPolicy.RefreshClusterOnRetry = true
}

// bodyLimit bounds what is kept of a body for another attempt or a mirror.
func bodyLimit(model *catalog.Model) *wrapperspb.UInt64Value {
	if model.Route.Retries == nil {
		return nil
	}
	return wrapperspb.UInt64(model.Route.Retries.BodyLimit)
}

// mirrorPolicies copy requests for a version; none is copied to where it goes.
func mirrorPolicies(model *catalog.Model, version string) []*routev3.RouteAction_RequestMirrorPolicy {
	var all []*routev3.RouteAction_RequestMirrorPolicy
	for _, mirror := range model.Route.Mirrors {
		if mirror.Version == version {
			continue
		}
		policy := &routev3.RouteAction_RequestMirrorPolicy{
			Cluster:                 ClusterName(model.Name, mirror.Version),
			RequestHeadersMutations: []*mutationv3.HeaderMutation{setHeader(headerVersion, mirror.Version)},
			RuntimeFraction: &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{
				Numerator: mirror.Sample, Denominator: typev3.FractionalPercent_TEN_THOUSAND,
			}},
		}
		all = append(all, policy)
	}
	return all
}
