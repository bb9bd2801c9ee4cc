package translate

import (
	_ "embed"
	"slices"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// Filters that run in each attempt, because only there it is known which version
// it goes to.
const (
	filterTell   = "weir.tell"   // says which version it is
	filterRename = "weir.rename" // calls the model by that version's name
)

// clusterMetadata is where a cluster says which version it is.
const clusterMetadata = "dev.weir"

// metadata of a cluster, for the filters of an attempt; nil: they do not run for it.
func metadata(model *catalog.Model, version *catalog.Version) *corev3.Metadata {
	if len(model.Route.Fallback) == 0 && !model.Renames() {
		return nil
	}
	said := map[string]*structpb.Value{
		"model":   structpb.NewStringValue(model.Name),
		"version": structpb.NewStringValue(version.Name),
	}
	if version.UpstreamModel != "" {
		said["upstreamModel"] = structpb.NewStringValue(version.UpstreamModel)
	}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{clusterMetadata: object(said)}}
}

// upstreamFilters belong to the router of a listener: one set for all clusters. Only
// the routes that need them turn them on, since they cost each attempt some
// microseconds.
func upstreamFilters(disabled bool) []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{
		httpFilter(filterTell, tell()),
		httpFilter(filterRename, &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: renameScript}}}),
	}
	for _, filter := range filters {
		filter.Disabled = disabled
	}
	return append(filters, httpFilter("envoy.filters.http.upstream_codec", &codecv3.UpstreamCodec{}))
}

// mirrorFilters are a cluster's own, which stand in for the router's: a copy of a
// request has no route that could turn those on. Their scripts cost memory in each
// worker, so only a mirror has them that calls the model by another name.
func mirrorFilters(model *catalog.Model, version *catalog.Version) []*hcmv3.HttpFilter {
	mirrored := slices.ContainsFunc(model.Route.Mirrors, func(m catalog.Mirror) bool { return m.Version == version.Name })
	if !mirrored || version.UpstreamModel == "" {
		return nil
	}
	return upstreamFilters(false)
}

// sameCluster reports whether what two models say beyond a version, which is the
// same in both, comes to the same in its cluster.
func sameCluster(a, b *catalog.Model, version *catalog.Version) bool {
	return proto.Equal(metadata(a, version), metadata(b, version)) &&
		(mirrorFilters(a, version) == nil) == (mirrorFilters(b, version) == nil)
}

//go:embed rename.lua
var renameScript string

func httpFilter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)}}
}

// enabled turns the filters of an attempt on for a route that needs them.
func enabled(model *catalog.Model, tries int) map[string]*anypb.Any {
	renames := model.Renames()
	if tries < 2 && !renames {
		return nil
	}
	on := map[string]*anypb.Any{filterTell: pack(&routev3.FilterConfig{Config: &anypb.Any{}})}
	if renames {
		on[filterRename] = pack(&routev3.FilterConfig{Config: &anypb.Any{}})
	}
	return on
}

// tell says which model and version it is, upstream and in the answer. What the
// attempt before said goes first: a cluster may have nothing to say in its place.
func tell() *headermutationv3.HeaderMutation {
	said := []*mutationv3.HeaderMutation{setHeader(headerModel, fromMetadata("model")), setHeader(headerVersion, fromMetadata("version"))}
	return &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{
		RequestMutations: append(slices.Clone(said),
			&mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: headerUpstreamModel}},
			setHeader(headerUpstreamModel, fromMetadata("upstreamModel"))),
		ResponseMutations: said,
	}}
}

func fromMetadata(field string) string {
	return "%CLUSTER_METADATA(" + clusterMetadata + ":" + field + ")%"
}

func setHeader(name, value string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}}
}
