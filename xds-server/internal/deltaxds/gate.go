package deltaxds

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// gate knows the clusters that a client has acknowledged and that may not be
// ready yet. It only knows names; somebody else finds out when they are ready.
type gate struct {
	fresh    set            // acknowledged, nobody was asked about them yet
	asked    map[string]int // number of the question about them
	question int            // number of the last
	failure  string         // of the last question that found no end
}

func newGate() gate { return gate{fresh: set{}, asked: map[string]int{}} }

func (g *gate) empty() bool { return len(g.fresh)+len(g.asked) == 0 }

// add has a cluster warm, whatever was asked about an older version of it.
func (g *gate) add(name string) {
	delete(g.asked, name)
	g.fresh[name] = struct{}{}
}

func (g *gate) drop(names []string) {
	for _, name := range names {
		delete(g.asked, name)
		delete(g.fresh, name)
	}
}

func (g *gate) holds(name string) bool {
	_, fresh := g.fresh[name]
	_, asked := g.asked[name]
	return fresh || asked
}

// ask returns the clusters to ask about now, sorted, and the question's number.
func (g *gate) ask() (names []string, question int) {
	if len(g.fresh) == 0 {
		return nil, 0
	}
	names = slices.Sorted(maps.Keys(g.fresh))
	g.question++
	for _, name := range names {
		g.asked[name] = g.question
	}
	clear(g.fresh)
	return names, g.question
}

// answer ends the wait for the clusters of a question, in good or with failure.
func (g *gate) answer(question int, failure string) {
	for name, asked := range g.asked {
		if asked == question {
			delete(g.asked, name)
		}
	}
	g.failure = failure
}

func (g *gate) names() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range g.fresh {
			if !yield(name) {
				return
			}
		}
		for name := range g.asked {
			if !yield(name) {
				return
			}
		}
	})
}

// Field numbers of envoy.config.cluster.v3.Cluster.
const (
	clusterTypeField  = 2  // DiscoveryType type
	healthChecksField = 8  // repeated core.v3.HealthCheck
	customTypeField   = 38 // CustomClusterType cluster_type
)

// warms reports whether a cluster takes time to be ready after its ACK: it has
// health checks, or resolves names. It reads the top level of the message only.
func warms(r *snapshot.Resource) bool {
	for rest := r.Body.GetValue(); len(rest) > 0; {
		number, wire, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return false // it was encoded by us
		}
		rest = rest[n:]
		if number == healthChecksField || number == customTypeField {
			return true
		}
		if number == clusterTypeField && wire == protowire.VarintType {
			discovery, _ := protowire.ConsumeVarint(rest)
			if discovery == 1 || discovery == 2 { // STRICT_DNS, LOGICAL_DNS
				return true
			}
		}
		if n = protowire.ConsumeFieldValue(number, wire, rest); n < 0 {
			return false
		}
		rest = rest[n:]
	}
	return false
}

// acknowledged takes the clusters that a client has accepted. A client without
// listeners serves nobody yet, and waits for its clusters by itself.
func (s *stream) acknowledged(accepted map[string]delivery) {
	listeners, ok := s.types[snapshot.ListenerType]
	if !s.options.warm || !ok || !listeners.holdsSomething() {
		return
	}
	for name, d := range accepted {
		changed := d.fresh || d.before == nil || d.before.Version != d.resource.Version
		if changed && warms(d.resource) {
			s.gate.add(name)
		}
	}
}

// question returns the clusters to ask about now: those that came since the last
// question, once the client has all that they are made of.
func (s *stream) question() (names []string, number int) {
	for _, url := range foundations {
		if sub, ok := s.types[url]; ok && (len(sub.updates) > 0 || sub.inflight != nil && !sub.inflight.removal) {
			return nil, 0
		}
	}
	return s.gate.ask()
}

// hold decides which updates of a type wait.
//
// What leads to a cluster that warms waits for it, unless the client asks for it
// by name; so does the filter's configuration, which says what may be asked for.
//
// A route that leads to a cluster which the client refused, and has no older
// version of, would answer 503, where the older route does not. One without an
// older route, or that asks for the route, gets it: some answers are better than
// none.
func (s *stream) hold(sub *subscription) {
	clear(sub.held)
	if len(sub.updates) == 0 {
		return
	}
	var missing set
	if clusters, ok := s.types[snapshot.ClusterType]; ok && sub.typeURL == snapshot.RouteType {
		missing = clusters.missing()
	}
	if s.gate.empty() && len(missing) == 0 {
		return
	}
	for name := range sub.updates {
		r, e := s.target.Get(sub.typeURL, name), sub.get(name)
		if r == nil || e.asked {
			continue
		}
		refused := func(cluster string) bool { _, hit := missing[cluster]; return hit }
		if !s.gate.empty() && (sub.typeURL == snapshot.ExtensionType || s.leadsTo(r, s.gate.holds)) ||
			e.has() && s.leadsTo(r, refused) {
			sub.held[name] = struct{}{}
		}
	}
}

// leadsTo reports whether a resource of the target sends requests to one of
// clusters, be it through a route configuration.
func (s *stream) leadsTo(r *snapshot.Resource, clusters func(string) bool) bool {
	for _, ref := range r.References() {
		switch ref.TypeURL {
		case snapshot.ClusterType:
			if clusters(ref.Name) {
				return true
			}
		case snapshot.RouteType:
			if route := s.target.Get(ref.TypeURL, ref.Name); route != nil && s.leadsTo(route, clusters) {
				return true
			}
		}
	}
	return false
}
