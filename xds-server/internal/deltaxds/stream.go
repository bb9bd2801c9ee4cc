package deltaxds

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Bounds on what one stream may make the server remember.
const (
	maxTypes = 32
	maxNames = 1 << 17
	maxName  = 4096 // bytes
)

// stream is the protocol state of one client: pure, without clock or I/O. It
// takes requests and snapshots, and next says what to send.
type stream struct {
	snap   *snapshot.Snapshot
	types  map[string]*subscription
	others []string // types that take no part in make-before-break, as they came
	nonce  uint64
}

func newStream(snap *snapshot.Snapshot) *stream {
	return &stream{snap: snap, types: make(map[string]*subscription)}
}

// reply says what a request answered.
type reply struct {
	typeURL string
	acked   bool
	nacked  bool
	took    time.Duration // from the response to its answer
	version string        // of the snapshot that was answered
	message string        // of a NACK
}

// request takes one request of the client. An error ends the stream: the client
// is beyond the bounds of the server.
func (s *stream) request(req *discoveryv3.DeltaDiscoveryRequest, now time.Time) (reply, error) {
	sub, known := s.types[req.GetTypeUrl()]
	if !known {
		if err := s.admit(req); err != nil {
			return reply{}, err
		}
		sub = newSubscription(req.GetTypeUrl())
		s.types[sub.typeURL] = sub
		if !ordered(sub.typeURL) {
			s.others = append(s.others, sub.typeURL)
		}
		sub.begin(req)
	}
	if err := checkNames(req, len(sub.names)+len(sub.told)); err != nil {
		return reply{}, err
	}
	answered := sub.take(req, now)
	s.subscriptionChanged(sub, req, !known)
	return answered, nil
}

// take matches a request with the response that it answers. A nonce that is not
// of the response in flight is stale and answers nothing, though the names in
// the request count (they are changes, not a state).
func (s *subscription) take(req *discoveryv3.DeltaDiscoveryRequest, now time.Time) reply {
	r := reply{typeURL: s.typeURL}
	if s.inflight == nil || req.GetResponseNonce() != s.inflight.nonce {
		return r
	}
	r.version = s.inflight.version
	if detail := req.GetErrorDetail(); detail != nil {
		r.nacked, r.message = true, clip(detail.GetMessage())
		r.took = now.Sub(s.inflight.sent)
		s.refuse(detail.GetMessage(), now)
		return r
	}
	r.acked, r.took = true, s.accept(now)
	return r
}

func (s *stream) subscriptionChanged(sub *subscription, req *discoveryv3.DeltaDiscoveryRequest, first bool) {
	had := sub.wildcard && !first
	sub.unsubscribe(req.GetResourceNamesUnsubscribe())
	sub.subscribe(req.GetResourceNamesSubscribe(), first)
	again := had && slices.Contains(req.GetResourceNamesSubscribe(), wildcard)
	if first {
		sub.forgetUnwanted()
	}
	if first || again || sub.wildcard != had {
		sub.markAll(resourcesOf(s.snap, sub.typeURL))
	}
	if again {
		maps.Copy(sub.force, sub.dirty)
	}
}

func (s *stream) admit(req *discoveryv3.DeltaDiscoveryRequest) error {
	switch {
	case req.GetTypeUrl() == "":
		return errors.New("a request on an aggregated stream must name its type_url")
	case len(req.GetTypeUrl()) > maxName:
		return fmt.Errorf("type_url of %d bytes is above the limit of %d", len(req.GetTypeUrl()), maxName)
	case len(s.types) >= maxTypes:
		return fmt.Errorf("more than %d resource types on one stream", maxTypes)
	case len(req.GetInitialResourceVersions()) > maxNames:
		return fmt.Errorf("more than %d initial resource versions", maxNames)
	}
	for name := range req.GetInitialResourceVersions() {
		if len(name) > maxName {
			return fmt.Errorf("resource name of %d bytes is above the limit of %d", len(name), maxName)
		}
	}
	return nil
}

func checkNames(req *discoveryv3.DeltaDiscoveryRequest, held int) error {
	if held+len(req.GetResourceNamesSubscribe()) > 2*maxNames {
		return fmt.Errorf("subscriptions to more than %d resources on one stream", maxNames)
	}
	for _, name := range req.GetResourceNamesSubscribe() {
		if len(name) > maxName {
			return fmt.Errorf("resource name of %d bytes is above the limit of %d", len(name), maxName)
		}
	}
	return nil
}

// publish gives the stream a new snapshot. changes are those from before to
// snap; they spare a look at everything if the stream was at before.
func (s *stream) publish(snap, before *snapshot.Snapshot, changes []snapshot.Change) {
	incremental := s.snap == before
	s.snap = snap
	if !incremental {
		for url, sub := range s.types {
			sub.markAll(resourcesOf(snap, url))
		}
		return
	}
	for _, change := range changes {
		if sub, ok := s.types[change.TypeURL]; ok {
			sub.touch(change.Added)
			sub.touch(change.Changed)
			sub.touch(change.Removed)
		}
	}
}

func (s *subscription) touch(names []string) {
	for _, name := range names {
		_, named := s.names[name]
		_, told := s.told[name]
		if named || told || s.wildcard {
			s.dirty[name] = struct{}{}
		}
	}
}

// next returns the response to send now, or nil when the client has everything
// or has to answer first. Call it again until it returns nil.
func (s *stream) next(now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	for _, url := range s.others {
		if resp := s.unordered(s.types[url], now); resp != nil {
			return resp
		}
	}
	for _, url := range additions {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		if sub.inflight != nil {
			return nil
		}
		updates, _ := sub.plan(resourcesOf(s.snap, url))
		if url == snapshot.RouteType {
			updates = s.holdBack(sub, updates)
		}
		if len(updates) > 0 || sub.answer {
			return s.respond(sub, updates, now)
		}
	}
	return s.takeAway(now)
}

// unordered serves a type that no snapshot holds: every name is answered as absent.
func (s *stream) unordered(sub *subscription, now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	if sub.inflight != nil {
		return nil
	}
	updates, gone := sub.plan(nil)
	if len(updates)+len(gone) == 0 && !sub.answer {
		return nil
	}
	return s.respond(sub, append(updates, gone...), now)
}

// takeAway removes what the snapshot no longer has; every addition was answered.
func (s *stream) takeAway(now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	clinging := s.clinging()
	for _, url := range removals {
		sub, ok := s.types[url]
		if !ok || clinging && !refersToNothing(url) {
			continue
		}
		if _, gone := sub.plan(resourcesOf(s.snap, url)); len(gone) > 0 {
			return s.respond(sub, gone, now)
		}
	}
	return nil
}

// clinging reports whether the client stays with an older listener, scope or
// route, because it refused the newer or because that was held back.
func (s *stream) clinging() bool {
	for _, url := range referrers {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		if len(sub.held) > 0 {
			return true
		}
		for name := range sub.parked {
			if _, wanted := resourcesOf(s.snap, url)[name]; wanted {
				return true
			}
		}
	}
	return false
}

// holdBack keeps from updates the routes that lead to a cluster which the client
// refused and has no older version of: such a route would answer 503, and the
// client has an older route that does not. One without an older route, or that
// asks for the route, gets it: some answers are better than none.
func (s *stream) holdBack(routes *subscription, updates []string) []string {
	clusters, ok := s.types[snapshot.ClusterType]
	if !ok {
		return updates
	}
	missing := clusters.missing()
	clear(routes.held)
	if len(missing) == 0 {
		return updates
	}
	var ready []string
	for _, name := range updates {
		resource := resourcesOf(s.snap, snapshot.RouteType)[name]
		_, forced := routes.force[name]
		if resource != nil && routes.told[name] != absent && !forced && leadsTo(resource, missing) {
			routes.held[name] = struct{}{}
			continue
		}
		ready = append(ready, name)
	}
	return ready
}

func (s *stream) respond(sub *subscription, names []string, now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	s.nonce++
	resp := sub.respond(s.snap, names, strconv.FormatUint(s.nonce, 10), now)
	s.warm(resp)
	return resp
}

// warm has sent again what a client waits for after a new version of its
// parent: a cluster warms until its endpoints arrive, even unchanged, and a
// listener until its scopes do. Envoy does not ask for what it already watches.
func (s *stream) warm(resp *discoveryv3.DeltaDiscoveryResponse) {
	switch resp.GetTypeUrl() {
	case snapshot.ClusterType:
		endpoints, ok := s.types[snapshot.EndpointType]
		if !ok {
			return
		}
		for _, r := range resp.GetResources() {
			endpoints.again([]string{assignment(r)})
		}
	case snapshot.ListenerType:
		if scopes, ok := s.types[snapshot.ScopedRouteType]; ok && len(resp.GetResources()) > 0 {
			for name := range resourcesOf(s.snap, snapshot.ScopedRouteType) {
				scopes.again([]string{name})
			}
		}
	}
}

// assignment is the name under which a cluster asks for its endpoints.
func assignment(r *discoveryv3.Resource) string {
	cluster := &clusterv3.Cluster{}
	if err := r.GetResource().UnmarshalTo(cluster); err == nil && cluster.GetEdsClusterConfig().GetServiceName() != "" {
		return cluster.GetEdsClusterConfig().GetServiceName()
	}
	return r.GetName()
}
