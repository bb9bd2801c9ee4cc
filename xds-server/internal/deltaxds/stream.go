package deltaxds

import (
	"iter"
	"slices"
	"strconv"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// options are what a stream is told of the server around it.
type options struct {
	drain  time.Duration             // between the last ACK and removals
	warm   bool                      // somebody finds out when clusters are warm
	allows func(typeURL string) bool // which of the ordered types the client may have
	parked map[string][]Parked       // by type: what the client refused on earlier streams
}

// stream is the protocol state of one client: pure, without clock or I/O. It
// takes requests and snapshots, and next says what to send.
//
// A client is brought to one snapshot at a time, its target. What is published
// meanwhile waits, the newest only, until the client has answered all additions
// of the target; so however fast changes come, each gets through.
type stream struct {
	options options
	target  *snapshot.Snapshot
	newest  hop
	types   map[string]*subscription
	others  []string // types that take no part in make-before-break, as they came
	nonce   uint64
	gate    gate
	drain   drain
	base    *snapshot.Snapshot // of the books that have one
	hops    int                // taken since base was the target
	settled bool               // the client has the additions of the target, as far as it takes them
	counts  counts
}

// hop is a snapshot and how it came from the one before it.
type hop struct {
	to, from *snapshot.Snapshot
	changes  []snapshot.Change
}

// counts gathers what happened since they were last taken.
type counts struct {
	suppressed map[string]int // resends, by type
	converged  string         // version of the target that the client just got all of
}

// takeCounts returns what happened since it was last called.
func (s *stream) takeCounts() counts {
	taken := s.counts
	s.counts = counts{}
	return taken
}

func newStream(snap *snapshot.Snapshot, o options) *stream {
	return &stream{
		options: o, target: snap, newest: hop{to: snap}, types: make(map[string]*subscription),
		gate: newGate(), drain: drain{delay: max(o.drain, 0)},
	}
}

// reply says what a request answered.
type reply struct {
	typeURL string
	acked   bool
	nacked  bool
	took    time.Duration // from the response to its answer
	version string        // of the snapshot that was answered
	message string        // of a NACK
	parked  []Parked      // by a NACK, sorted by name
	changed bool          // what is parked may differ from before
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
	}
	if err := checkNames(req, sub.bound()); err != nil {
		return reply{}, err
	}
	if !known {
		s.begin(sub, req)
	}
	answered := s.take(sub, req, now)
	s.subscriptionChanged(sub, req, !known)
	return answered, nil
}

func (s *stream) begin(sub *subscription, req *discoveryv3.DeltaDiscoveryRequest) {
	s.types[sub.typeURL] = sub
	s.settled = false
	s.undate(func(string, string) bool { return true })
	if !ordered(sub.typeURL) {
		s.others = append(s.others, sub.typeURL)
	}
	sub.begin(req, s.target)
}

// take matches a request with the response that it answers. A nonce that is not
// of the response in flight is stale and answers nothing, though the names in
// the request count (they are changes, not a state).
func (s *stream) take(sub *subscription, req *discoveryv3.DeltaDiscoveryRequest, now time.Time) reply {
	r := reply{typeURL: sub.typeURL}
	if sub.inflight == nil || req.GetResponseNonce() != sub.inflight.nonce {
		return r
	}
	r.version, r.took = sub.inflight.version, now.Sub(sub.inflight.sent)
	r.changed = len(sub.parked) > 0
	var accepted map[string]delivery
	if detail := req.GetErrorDetail(); detail != nil {
		r.nacked, r.message = true, clip(detail.GetMessage())
		r.parked, accepted = sub.refuse(detail.GetMessage(), s.target, now)
		r.changed = r.changed || len(r.parked) > 0
	} else {
		r.acked = true
		accepted = sub.accept(now)
	}
	if sub.typeURL == snapshot.ClusterType {
		s.acknowledged(accepted)
	}
	return r
}

func (s *stream) subscriptionChanged(sub *subscription, req *discoveryv3.DeltaDiscoveryRequest, first bool) {
	had := sub.wildcard && !first
	sub.unsubscribe(req.GetResourceNamesUnsubscribe(), s.target)
	sub.subscribe(req.GetResourceNamesSubscribe(), first, s.target)
	again := had && slices.Contains(req.GetResourceNamesSubscribe(), wildcard)
	if first {
		if !sub.wildcard {
			sub.keep(func(e entry) bool { return e.named })
		}
		s.recall(sub, len(req.GetInitialResourceVersions()) > 0)
	}
	if first || again || sub.wildcard != had {
		sub.classifyAll(s.target, again)
	}
}

// recall parks again what the client refused on an earlier stream, unless it
// has lost what it had of the type, or asks for what it does not have: such a
// client may be another program by now, and waits for an answer.
func (s *stream) recall(sub *subscription, kept bool) {
	earlier := s.options.parked[sub.typeURL]
	delete(s.options.parked, sub.typeURL)
	for _, p := range earlier {
		r, e := s.target.Get(sub.typeURL, p.Name), sub.get(p.Name)
		if r == nil || r.Version != p.Version || !kept || e.version == p.Version || !e.known && (e.named || !p.missing) {
			continue
		}
		sub.parked[p.Name] = p
		e.known, e.version, e.told = true, r.Version, r
		sub.put(r.Name, e)
		s.suppress(sub, 1)
	}
}

func (s *stream) suppress(sub *subscription, count int) {
	if count == 0 {
		return
	}
	if s.counts.suppressed == nil {
		s.counts.suppressed = make(map[string]int)
	}
	sub.status.Suppressed += uint64(count)
	s.counts.suppressed[sub.typeURL] += count
}

// publish gives the stream a new snapshot. changes are those from before to
// snap; they spare a comparison if before is the target.
func (s *stream) publish(snap, before *snapshot.Snapshot, changes []snapshot.Change) {
	s.newest = hop{to: snap, from: before, changes: changes}
}

// adopt makes the newest snapshot the target.
func (s *stream) adopt() {
	changes := s.newest.changes
	if s.newest.from != s.target {
		changes = snapshot.Diff(s.target, s.newest.to)
	}
	s.target, s.settled = s.newest.to, false
	s.newest = hop{to: s.target}
	s.hops++
	back := keeps{refs: make(map[snapshot.Ref]struct{}), types: set{}}
	for _, change := range changes {
		for _, names := range [][]string{change.Added, change.Changed, change.Removed} {
			s.look(change.TypeURL, names, &back)
		}
	}
	if len(back.refs)+len(back.types) > 0 {
		s.undate(back.has)
	}
	for _, sub := range s.types {
		s.suppress(sub, sub.stillRefused(s.target))
	}
}

// look compares what the client has with a new target. What came back before it
// was taken away is, at the client, what it was: back takes what it leads to.
func (s *stream) look(typeURL string, names []string, back *keeps) {
	sub, ok := s.types[typeURL]
	if !ok {
		return
	}
	for _, name := range names {
		_, leaving := sub.gone[name]
		sub.classify(name, s.target)
		if _, still := sub.gone[name]; leaving && !still {
			s.cling(back, sub, name)
		}
	}
}

// next returns the response to send now, or nil when the client has everything
// that it may have now, or has to answer first. Call it again until it returns
// nil, and anew at wake.
func (s *stream) next(now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	for {
		resp, answered := s.add(now)
		if resp != nil {
			return resp
		}
		if !answered {
			break
		}
		s.settle(now)
		if s.newest.to == s.target {
			break
		}
		s.adopt()
	}
	return s.takeAway(now)
}

// wake is when next may have something that it has not now; zero for never.
func (s *stream) wake() time.Time { return s.drain.wake() }

// add returns the next addition; answered says that there is none left, and that
// the client has answered all.
func (s *stream) add(now time.Time) (resp *discoveryv3.DeltaDiscoveryResponse, answered bool) {
	for _, url := range s.others {
		if resp := s.unordered(s.types[url], now); resp != nil {
			return resp, false
		}
	}
	waits := false
	for i, url := range additions {
		if i == len(foundations) && waits {
			return nil, false
		}
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		if i >= len(foundations) {
			s.hold(sub)
		}
		pending := sub.hasReady() || sub.answer
		if sub.inflight != nil && (pending || !sub.inflight.removal) {
			if waits = true; i < len(foundations) {
				continue
			}
			return nil, false
		}
		if pending {
			return s.respond(sub, sub.ready(), now), false
		}
	}
	return nil, !waits
}

// awaits reports whether the client has to answer a response.
func (s *stream) awaits() bool {
	for _, sub := range s.types {
		if sub.inflight != nil {
			return true
		}
	}
	return false
}

// unordered serves a type that no snapshot holds: every name is answered as absent.
func (s *stream) unordered(sub *subscription, now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	if sub.inflight != nil || len(sub.updates)+len(sub.gone) == 0 && !sub.answer {
		return nil
	}
	return s.respond(sub, func(yield func(string) bool) {
		for name := range sub.updates {
			if !yield(name) {
				return
			}
		}
		for name := range sub.gone {
			if !yield(name) {
				return
			}
		}
	}, now)
}

// settle notes that the client has answered all additions of the target.
func (s *stream) settle(now time.Time) {
	s.date(now)
	if !s.settled && s.complete() {
		s.settled = true
		s.counts.converged = s.target.Version()
	}
	s.fold()
}

// complete reports whether the client has all that the target adds: it asked
// for every type of it, and nothing was refused or is held back.
func (s *stream) complete() bool {
	if !s.gate.empty() {
		return false
	}
	for _, url := range additions {
		sub, ok := s.types[url]
		if !ok {
			if s.target.Len(url) > 0 && s.allows(url) {
				return false
			}
			continue
		}
		if len(sub.updates) > 0 || sub.inflight != nil && !sub.inflight.removal || sub.stillRefused(s.target) > 0 {
			return false
		}
	}
	return len(s.types) > 0
}

func (s *stream) allows(typeURL string) bool {
	return s.options.allows == nil || s.options.allows(typeURL)
}

// maxHops is how many snapshots behind the target the base of the books may be:
// it keeps an old snapshot in memory.
const maxHops = 64

// fold moves the books to the target when they have grown, or their base is old.
// It costs what changed since it was last done.
func (s *stream) fold() {
	grown := s.base != nil && s.hops > maxHops
	for _, sub := range s.types {
		grown = grown || len(sub.over) > sub.limit
	}
	if !grown {
		return
	}
	changed := make(map[string][]string)
	if s.base != nil {
		for _, c := range snapshot.Diff(s.base, s.target) {
			changed[c.TypeURL] = slices.Concat(c.Added, c.Changed, c.Removed)
		}
	}
	s.base, s.hops = nil, 0
	for url, sub := range s.types {
		sub.rebase(s.target, changed[url])
		sub.shrink()
		if sub.base != nil {
			s.base = s.target
		}
	}
}

func (s *stream) respond(sub *subscription, names iter.Seq[string], now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	s.nonce++
	resp := sub.respond(s.target, names, strconv.FormatUint(s.nonce, 10), now)
	s.followUp(resp)
	return resp
}

// followUp has sent again what a client waits for after a new version of its
// parent: a cluster warms until its endpoints arrive, even unchanged, and a
// listener until its scopes do. Envoy does not ask for what it already watches.
func (s *stream) followUp(resp *discoveryv3.DeltaDiscoveryResponse) {
	switch resp.GetTypeUrl() {
	case snapshot.ClusterType:
		endpoints, ok := s.types[snapshot.EndpointType]
		if !ok {
			return
		}
		for _, r := range resp.GetResources() {
			for _, ref := range s.target.Get(snapshot.ClusterType, r.GetName()).References() {
				if ref.TypeURL == snapshot.EndpointType {
					endpoints.again(ref.Name, s.target)
				}
			}
		}
	case snapshot.ListenerType:
		if scopes, ok := s.types[snapshot.ScopedRouteType]; ok && len(resp.GetResources()) > 0 {
			for r := range s.target.All(snapshot.ScopedRouteType) {
				scopes.again(r.Name, s.target)
			}
		}
	}
}
