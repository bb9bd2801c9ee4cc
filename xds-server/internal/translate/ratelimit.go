package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	inputv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// failures are the kinds of limits that a filter of its own asks for: what happens
// without an answer is one setting of Envoy's for all that a filter asks.
var failures = []spec.Failure{spec.FailClosed, spec.FailOpen}

// keyLimit is the key of the first entry of each descriptor: its value is the limit's name.
const keyLimit = "limit"

// wasmState is before the names of properties that a wasm filter sets, where others
// find them.
const wasmState = "wasm."

// rateLimitFilters are the filters that ask a gateway's service, one for each of
// failures. What comes out as in old is the same.
func rateLimitFilters(gateway *catalog.Gateway, limits []*catalog.Limit, old []*snapshot.Resource) ([]*snapshot.Resource, error) {
	if gateway.RateLimit == nil {
		return nil, nil
	}
	var all []*snapshot.Resource
	for i, onFailure := range failures {
		var before *snapshot.Resource
		if i < len(old) {
			before = old[i]
		}
		name := RateLimitFilter(gateway.Name, onFailure)
		made, err := resource(before, name, &corev3.TypedExtensionConfig{
			Name: name, TypedConfig: pack(rateLimitFilter(gateway, limits, onFailure)),
		}, gateway.Origin)
		if err != nil {
			return nil, err
		}
		all = append(all, made)
	}
	return all, nil
}

// rateLimitFilter asks a service whether budgets are exceeded.
func rateLimitFilter(gateway *catalog.Gateway, limits []*catalog.Limit, onFailure spec.Failure) *filterv3.RateLimit {
	f := &filterv3.RateLimit{
		Domain:                         gateway.RateLimit.Domain,
		Timeout:                        durationpb.New(gateway.RateLimit.Timeout),
		FailureModeDeny:                onFailure == spec.FailClosed,
		StatusOnError:                  &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		RateLimitedAsResourceExhausted: true,
		EnableRetryAfterHeader:         true,
		DisableXEnvoyRatelimitedHeader: true,
		StatPrefix:                     onFailure.String(),
		RateLimitService: &ratelimitv3.RateLimitServiceConfig{
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcService: &corev3.GrpcService{
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: RateLimitCluster(gateway.Name)}},
			},
		},
	}
	for _, l := range limits {
		if l.Scope == spec.ScopeService && l.OnFailure == onFailure {
			f.RateLimits = append(f.RateLimits, questions(l)...)
		}
	}
	return f
}

// questions are what a service is asked about a limit, and told of it. The filter says
// of each request by which limits it is counted: where it says nothing, Envoy leaves
// the descriptor out. What tokens it costs is known in the end, so that before there
// is only asked whether the budget is exceeded.
func questions(l *catalog.Limit) []*routev3.RateLimit {
	ask := &routev3.RateLimit{Actions: descriptor(l), Limit: override(l.Window), HitsAddend: &routev3.RateLimit_HitsAddend{Number: wrapperspb.UInt64(0)}}
	if l.Mode != spec.LimitTokens {
		ask.HitsAddend.Number.Value = 1
		return []*routev3.RateLimit{ask}
	}
	cost := &routev3.RateLimit_HitsAddend{Format: "%FILTER_STATE(" + wasmState + engine.PropertyCost + l.Name + ":PLAIN)%"}
	return []*routev3.RateLimit{ask, {Actions: ask.GetActions(), Limit: ask.GetLimit(), HitsAddend: cost, ApplyOnStreamDone: true}}
}

// descriptor is the limit's name and the parts of its key.
func descriptor(l *catalog.Limit) []*routev3.RateLimit_Action {
	actions := []*routev3.RateLimit_Action{told(keyLimit, engine.PropertyLimit+l.Name)}
	for _, part := range l.Key {
		actions = append(actions, entry(part))
	}
	return actions
}

// entry is a part of a key. The filter says what it is, and a stand-in for what the
// request does not have, but for headers, of which one that is not there is left out.
func entry(part spec.KeyPart) *routev3.RateLimit_Action {
	if part.Source != spec.KeyHeader {
		return told(part.String(), engine.PropertyKey+part.String())
	}
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{
		RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{HeaderName: part.Name, DescriptorKey: part.String(), SkipIfAbsent: true},
	}}
}

// told is an entry whose value the filter says, in a property. Without it there is no descriptor.
func told(key, property string) *routev3.RateLimit_Action {
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_Extension{Extension: &corev3.TypedExtensionConfig{
		Name: key, TypedConfig: pack(&inputv3.FilterStateInput{Key: wasmState + property}),
	}}}
}

// override tells the service how much there is; nil: it knows.
func override(w catalog.Window) *routev3.RateLimit_Override {
	if w == (catalog.Window{}) {
		return nil
	}
	units := map[int64]typev3.RateLimitUnit{
		1: typev3.RateLimitUnit_SECOND, 60: typev3.RateLimitUnit_MINUTE, 3600: typev3.RateLimitUnit_HOUR, 86_400: typev3.RateLimitUnit_DAY,
	}
	return &routev3.RateLimit_Override{OverrideSpecifier: &routev3.RateLimit_Override_RateLimit{
		RateLimit: &routev3.RateLimit_Override_RateLimitOverride{RequestsPerUnit: w.Hits, Unit: units[w.Seconds]},
	}}
}
