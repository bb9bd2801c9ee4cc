package translate

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// gatewayResources are the resources of one gateway.
type gatewayResources struct {
	gateway  *catalog.Gateway
	module   []byte // that the filter was made of
	document []byte
	filter   *snapshot.Resource
	secrets  []*snapshot.Resource
	tokens   []*snapshot.Resource // what verifies tokens, and the clusters of its keys
	asking   []*snapshot.Resource // filters that ask a rate limit service
	// decompress says that its listeners have filters that decompress.
	decompress bool
	// listeners are by Envoy, made when one needs them, and with them the clusters of
	// services.
	listeners map[spiffeid.ID][]*snapshot.Resource
}

// gateways makes the resources of all gateways; the same where nothing changed.
func (n *translation) gateways() error {
	for _, gateway := range n.catalog.Gateways {
		made, err := n.gateway(gateway, n.last.gateways[gateway.Name])
		if err != nil {
			return fmt.Errorf("resources of Gateway/%s: %w", gateway.Name, err)
		}
		n.byName[gateway.Name] = made
	}
	return nil
}

func (n *translation) gateway(gateway *catalog.Gateway, old *gatewayResources) (*gatewayResources, error) {
	document, err := n.catalog.PolicyDocument(gateway)
	if err != nil {
		return nil, err
	}
	if old == nil {
		old = &gatewayResources{gateway: &catalog.Gateway{}}
	}
	next := *old
	next.gateway, next.module, next.document, next.decompress = gateway, n.module, document, n.catalog.Decompresses()
	if old.gateway != gateway || old.decompress != next.decompress {
		next.listeners = make(map[spiffeid.ID][]*snapshot.Resource)
	}
	if old.gateway != gateway {
		if next.secrets, err = secrets(gateway); err != nil {
			return nil, err
		}
		if next.tokens, err = tokens(gateway, old.tokens); err != nil {
			return nil, err
		}
	}
	if next.asking, err = rateLimitFilters(gateway, n.catalog.Limits, old.asking); err != nil {
		return nil, err
	}
	sameModule := old.gateway.ModuleFile == gateway.ModuleFile && (gateway.ModuleFile != "" || bytes.Equal(old.module, n.module))
	if old.filter != nil && sameModule && bytes.Equal(old.document, document) {
		next.filter = from(old.filter, gateway.Origin)
		return &next, nil
	}
	next.filter, err = filterConfig(gateway, document, n.module)
	return &next, err
}

// secrets are the public certificates of a gateway's listeners.
func secrets(gateway *catalog.Gateway) ([]*snapshot.Resource, error) {
	var all []*snapshot.Resource
	var errs []error
	for _, l := range gateway.Listeners {
		if l.TLS == nil || l.TLS.Certificate == nil {
			continue
		}
		name := ListenerName(gateway.Name, l.Name)
		made, err := resource(nil, name, certificate(name, l.TLS.Certificate), gateway.Origin)
		all, errs = append(all, made), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// services are the clusters of what a gateway itself asks and tells, as this Envoy
// reaches them.
func (r *gatewayResources) services(envoy spiffeid.ID) (all []*snapshot.Resource, err error) {
	var clusters []*clusterv3.Cluster
	if s := r.gateway.RateLimit; s != nil {
		clusters = append(clusters, serviceCluster(RateLimitCluster(r.gateway.Name), s.Endpoints, s.Timeout, s.Peer, envoy))
	}
	if s := r.gateway.Tracing; s != nil {
		clusters = append(clusters, serviceCluster(TracingCluster(r.gateway.Name), s.Endpoints, collectorTimeout, s.Peer, envoy))
	}
	for _, c := range clusters {
		made, err := resource(nil, c.GetName(), c, r.gateway.Origin)
		if err != nil {
			return nil, err
		}
		all = append(all, made)
	}
	return all, nil
}

// forEnvoy are the resources of the gateway that an Envoy gets.
func (r *gatewayResources) forEnvoy(envoy spiffeid.ID) ([]*snapshot.Resource, error) {
	if r.listeners[envoy] == nil {
		for i := range r.gateway.Listeners {
			l := &r.gateway.Listeners[i]
			made, err := resource(nil, ListenerName(r.gateway.Name, l.Name), listener(r.gateway, l, r.decompress, envoy), r.gateway.Origin)
			if err != nil {
				return nil, err
			}
			r.listeners[envoy] = append(r.listeners[envoy], made)
		}
		services, err := r.services(envoy)
		if err != nil {
			return nil, err
		}
		r.listeners[envoy] = append(r.listeners[envoy], services...)
	}
	all := slices.Concat([]*snapshot.Resource{r.filter}, r.asking, r.secrets, r.tokens)
	return append(all, r.listeners[envoy]...), nil
}
