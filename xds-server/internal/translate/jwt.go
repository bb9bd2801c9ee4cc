package translate

import (
	"errors"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// payload is the member of the metadata of Envoy's jwt_authn filter in which our
// filter reads claims.
const payload = "payload"

// tokens are the configuration of the filter that verifies a gateway's tokens, which
// stands in front of ours, and the clusters that keys are fetched from. What comes out
// as in old is the same.
func tokens(gateway *catalog.Gateway, old []*snapshot.Resource) ([]*snapshot.Resource, error) {
	if gateway.Tokens == nil {
		return nil, nil
	}
	known := make(map[string]*snapshot.Resource, len(old))
	for _, r := range old {
		known[r.Name] = r
	}
	name := TokensName(gateway.Name)
	filter, err := resource(known[name], name, &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(authentication(gateway))}, gateway.Origin)
	all, errs := []*snapshot.Resource{filter}, []error{err}
	for i := range gateway.Tokens.Providers {
		p := &gateway.Tokens.Providers[i]
		if p.Remote == nil {
			continue
		}
		name := KeysClusterName(gateway.Name, p.Name)
		made, err := resource(known[name], name, keysCluster(name, p.Remote), gateway.Origin)
		all, errs = append(all, made), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// openPaths are answered by our filter, to load balancers too, which have no tokens.
var openPaths = []string{"/v2/health/live", "/v2/health/ready"}

// authentication refuses every request whose token is not good.
func authentication(gateway *catalog.Gateway) *jwtv3.JwtAuthentication {
	config := &jwtv3.JwtAuthentication{Providers: make(map[string]*jwtv3.JwtProvider)}
	var accepted []*jwtv3.JwtRequirement
	for i := range gateway.Tokens.Providers {
		p := &gateway.Tokens.Providers[i]
		config.Providers[p.Name] = provider(gateway.Name, p)
		accepted = append(accepted, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: p.Name}})
	}
	if gateway.Tokens.Optional {
		accepted = append(accepted, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_AllowMissing{AllowMissing: &emptypb.Empty{}}})
	}
	requirement := accepted[0]
	if len(accepted) > 1 {
		requirement = &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAny{RequiresAny: &jwtv3.JwtRequirementOrList{Requirements: accepted}}}
	}
	for _, path := range openPaths { // the first rule that matches counts
		config.Rules = append(config.Rules, &jwtv3.RequirementRule{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: path}}})
	}
	config.Rules = append(config.Rules, &jwtv3.RequirementRule{
		Match:           &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		RequirementType: &jwtv3.RequirementRule_Requires{Requires: requirement},
	})
	return config
}

func provider(gateway string, p *catalog.TokenProvider) *jwtv3.JwtProvider {
	config := &jwtv3.JwtProvider{
		Issuer: p.Issuer, Audiences: p.Audiences,
		RequireExpiration: true,
		Forward:           p.Forward,
		PayloadInMetadata: payload,
		ClockSkewSeconds:  uint32(p.ClockSkew / time.Second),
	}
	for _, source := range p.Sources {
		switch {
		case source.Query != "":
			config.FromParams = append(config.FromParams, source.Query)
		case source.Header.String() != "":
			config.FromHeaders = append(config.FromHeaders, &jwtv3.JwtHeader{Name: source.Header.String()})
		default:
			config.FromHeaders = append(config.FromHeaders, &jwtv3.JwtHeader{Name: "authorization", ValuePrefix: "Bearer "})
		}
	}
	if p.Remote == nil {
		config.JwksSourceSpecifier = &jwtv3.JwtProvider_LocalJwks{LocalJwks: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: string(p.Keys)},
		}}
		return config
	}
	config.JwksSourceSpecifier = &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{
		HttpUri: &corev3.HttpUri{
			Uri:              p.Remote.URI.String(),
			HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: KeysClusterName(gateway, p.Name)},
			Timeout:          durationpb.New(p.Remote.Timeout),
		},
		CacheDuration: durationpb.New(p.Remote.Refresh),
		// Before the first request, and from then on by the clock: none waits for keys.
		AsyncFetch: &jwtv3.JwksAsyncFetch{},
	}}
	return config
}

// keysCluster is the server of a provider's keys.
func keysCluster(name string, remote *catalog.RemoteKeys) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 name,
		ConnectTimeout:       durationpb.New(remote.Timeout),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       loadAssignment(name, remote.Endpoints),
	}
	if areNames(remote.Endpoints) {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED
	}
	if remote.URI.TLS() {
		c.TransportSocket = tlsSocket(publicTLS(remote))
	}
	return c
}
