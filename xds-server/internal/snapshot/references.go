package snapshot

import (
	"cmp"
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	groupv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/priority_group/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// need is a Ref by kind.
type need struct {
	kind kind
	name string
}

// finder gathers what one resource refers to.
type finder struct {
	needs       []need
	readsScopes bool
}

func (f *finder) need(k kind, name string) {
	f.needs = append(f.needs, need{k, name})
}

// sorted returns each need once, in a slice of its own size.
func (f *finder) sorted() []need {
	slices.SortFunc(f.needs, func(a, b need) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	return slices.Clone(slices.Compact(f.needs))
}

// resource returns the name by which a message of one of Types calls itself.
func (f *finder) resource(message proto.Message) (name string, err error) {
	switch m := message.(type) {
	case *clusterv3.Cluster:
		return m.GetName(), f.cluster(m)
	case *endpointv3.ClusterLoadAssignment:
		return m.GetClusterName(), nil
	case *tlsv3.Secret:
		return m.GetName(), nil
	case *corev3.TypedExtensionConfig:
		return m.GetName(), f.extension(m)
	case *routev3.RouteConfiguration:
		return m.GetName(), f.routes(m)
	case *routev3.ScopedRouteConfiguration:
		if name := m.GetRouteConfigurationName(); name != "" {
			f.need(routeKind, name)
		}
		return m.GetName(), f.routes(m.GetRouteConfiguration())
	case *listenerv3.Listener:
		return m.GetName(), f.listener(m)
	}
	return "", fmt.Errorf("%T is not Envoy's Go type of that message", message)
}

func (f *finder) cluster(c *clusterv3.Cluster) error {
	if c.GetType() == clusterv3.Cluster_EDS {
		f.need(endpointKind, cmp.Or(c.GetEdsClusterConfig().GetServiceName(), c.GetName()))
	}
	if err := f.transport(c.GetTransportSocket()); err != nil {
		return err
	}
	for _, match := range c.GetTransportSocketMatches() {
		if err := f.transport(match.GetTransportSocket()); err != nil {
			return err
		}
	}
	return nil
}

// extension finds the clusters that filters use by themselves.
func (f *finder) extension(e *corev3.TypedExtensionConfig) error {
	if err := f.asks(e.GetTypedConfig()); err != nil {
		return err
	}
	return f.keys(e.GetTypedConfig())
}

// keys finds the clusters that keys of tokens are fetched from.
func (f *finder) keys(filter *anypb.Any) error {
	tokens := &jwtv3.JwtAuthentication{}
	if !filter.MessageIs(tokens) {
		return nil
	}
	if err := filter.UnmarshalTo(tokens); err != nil {
		return fmt.Errorf("decode the providers of tokens: %w", err)
	}
	for _, provider := range tokens.GetProviders() {
		if name := provider.GetRemoteJwks().GetHttpUri().GetCluster(); name != "" {
			f.need(clusterKind, name)
		}
	}
	return nil
}

// asks finds the service that a filter asks.
func (f *finder) asks(filter *anypb.Any) error {
	asking := &ratelimitv3.RateLimit{}
	if !filter.MessageIs(asking) {
		return nil
	}
	if err := filter.UnmarshalTo(asking); err != nil {
		return fmt.Errorf("decode the rate limit filter: %w", err)
	}
	f.need(clusterKind, asking.GetRateLimitService().GetGrpcService().GetEnvoyGrpc().GetClusterName())
	return nil
}

func (f *finder) routes(config *routev3.RouteConfiguration) error {
	f.mirrors(config.GetRequestMirrorPolicies())
	for _, host := range config.GetVirtualHosts() {
		f.mirrors(host.GetRequestMirrorPolicies())
		for _, route := range host.GetRoutes() {
			action := route.GetRoute()
			if name := action.GetCluster(); name != "" {
				f.need(clusterKind, name)
			}
			for _, weighted := range action.GetWeightedClusters().GetClusters() {
				if name := weighted.GetName(); name != "" { // else a header names it
					f.need(clusterKind, name)
				}
			}
			if err := f.groups(action.GetInlineClusterSpecifierPlugin().GetExtension().GetTypedConfig()); err != nil {
				return err
			}
			f.mirrors(action.GetRequestMirrorPolicies())
		}
	}
	return nil
}

// groups finds the clusters that are tried one after the other.
func (f *finder) groups(plugin *anypb.Any) error {
	groups := &groupv3.PriorityGroupClusterSpecifier{}
	if !plugin.MessageIs(groups) {
		return nil
	}
	if err := plugin.UnmarshalTo(groups); err != nil {
		return fmt.Errorf("decode the priority groups: %w", err)
	}
	for _, group := range groups.GetPriorityGroups() {
		for _, cluster := range group.GetClusters() {
			f.need(clusterKind, cluster.GetClusterName())
		}
	}
	return nil
}

func (f *finder) mirrors(policies []*routev3.RouteAction_RequestMirrorPolicy) {
	for _, policy := range policies {
		if name := policy.GetCluster(); name != "" { // else a header names it
			f.need(clusterKind, name)
		}
	}
}

func (f *finder) listener(l *listenerv3.Listener) error {
	for _, filter := range l.GetListenerFilters() {
		if filter.GetConfigDiscovery() != nil {
			f.need(extensionKind, filter.GetName())
		}
	}
	chains := l.GetFilterChains()
	if last := l.GetDefaultFilterChain(); last != nil {
		chains = append(slices.Clone(chains), last)
	}
	for _, chain := range chains {
		if err := f.chain(chain); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) chain(chain *listenerv3.FilterChain) error {
	if err := f.transport(chain.GetTransportSocket()); err != nil {
		return err
	}
	for _, filter := range chain.GetFilters() {
		if filter.GetConfigDiscovery() != nil {
			f.need(extensionKind, filter.GetName())
		}
		manager := &hcmv3.HttpConnectionManager{}
		if !filter.GetTypedConfig().MessageIs(manager) {
			continue
		}
		if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
			return fmt.Errorf("decode the connection manager: %w", err)
		}
		if err := f.manager(manager); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) manager(m *hcmv3.HttpConnectionManager) error {
	if spans := m.GetTracing().GetProvider().GetTypedConfig(); spans != nil {
		collector := &tracev3.OpenTelemetryConfig{}
		if err := spans.UnmarshalTo(collector); err != nil {
			return fmt.Errorf("decode what sends spans: %w", err)
		}
		f.need(clusterKind, collector.GetGrpcService().GetEnvoyGrpc().GetClusterName())
	}
	if m.GetScopedRoutes().GetScopedRds() != nil {
		f.readsScopes = true
	}
	if rds := m.GetRds(); rds != nil {
		f.need(routeKind, rds.GetRouteConfigName())
	}
	for _, filter := range m.GetHttpFilters() {
		if filter.GetConfigDiscovery() != nil {
			f.need(extensionKind, filter.GetName())
		}
	}
	return f.routes(m.GetRouteConfig())
}

// transport finds the secrets of TLS, in either direction.
func (f *finder) transport(socket *corev3.TransportSocket) error {
	config := socket.GetTypedConfig()
	down, up := &tlsv3.DownstreamTlsContext{}, &tlsv3.UpstreamTlsContext{}
	switch {
	case config.MessageIs(down):
		if err := config.UnmarshalTo(down); err != nil {
			return fmt.Errorf("decode the TLS context: %w", err)
		}
		f.tls(down.GetCommonTlsContext())
		f.secret(down.GetSessionTicketKeysSdsSecretConfig())
	case config.MessageIs(up):
		if err := config.UnmarshalTo(up); err != nil {
			return fmt.Errorf("decode the TLS context: %w", err)
		}
		f.tls(up.GetCommonTlsContext())
	}
	return nil
}

func (f *finder) tls(c *tlsv3.CommonTlsContext) {
	for _, config := range c.GetTlsCertificateSdsSecretConfigs() {
		f.secret(config)
	}
	f.secret(c.GetValidationContextSdsSecretConfig())
	f.secret(c.GetCombinedValidationContext().GetValidationContextSdsSecretConfig())
}

func (f *finder) secret(config *tlsv3.SdsSecretConfig) {
	if config.GetSdsConfig().GetAds() != nil {
		f.need(secretKind, config.GetName())
	}
}
