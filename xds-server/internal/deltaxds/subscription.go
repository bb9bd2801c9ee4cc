package deltaxds

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// wildcard is the name by which a client subscribes to all resources of a type.
const wildcard = "*"

// maxResponseBytes is where a response is cut; the rest follows after the ACK.
// One resource may be larger. It bounds what a client that does not read costs.
const maxResponseBytes = 512 << 10

type set = map[string]struct{}

// subscription is what one client wants of one type and what it was told. Every
// name whose entry is not as the target wants it is in updates or in gone.
type subscription struct {
	book
	wildcard bool
	updates  set            // to be sent, or to be answered as absent
	gone     map[string]int // to be taken away: the batch of the drain, or undated
	undated  bool           // some of gone may be
	held     set            // of updates: held back until what they lead to is there
	alone    set            // of updates: each in a response of its own
	answer   bool           // a response is owed, even an empty one
	inflight *inflight      // the response that waits for its ACK
	parked   map[string]Parked
	status   TypeStatus
}

// inflight is a response that was sent and not yet answered.
type inflight struct {
	nonce   string
	version string // of the snapshot
	sent    time.Time
	updated map[string]delivery
	removal bool // it is of the removal phase
}

// delivery is one resource of a response, and what the client had before.
type delivery struct {
	resource *snapshot.Resource
	before   *snapshot.Resource // nil: nothing, or something that is not known
	fresh    bool               // the client had nothing
}

func newSubscription(typeURL string) *subscription {
	return &subscription{
		book:    newBook(typeURL),
		updates: set{}, gone: map[string]int{}, held: set{}, alone: set{}, parked: map[string]Parked{},
		status: TypeStatus{TypeURL: typeURL},
	}
}

// begin takes the part of a request that only the first one of a type has: what
// the client kept from an earlier stream, and the wildcard by silence.
func (s *subscription) begin(req *discoveryv3.DeltaDiscoveryRequest, target *snapshot.Snapshot) {
	if len(req.GetResourceNamesSubscribe()) == 0 {
		s.wildcard = true
	}
	for name, version := range req.GetInitialResourceVersions() {
		e := entry{known: true, version: version}
		if r := target.Get(s.typeURL, name); r != nil && r.Version == version {
			name, e.version, e.told = r.Name, r.Version, r // the request's memory can go
		}
		s.put(name, e)
	}
	// A client that has something has passed its first, perhaps empty, answer.
	s.answer = s.wildcard && len(s.over) == 0
}

// subscribe adds names. Each is answered, whatever the client was told before:
// one that asks again may have forgotten. Only the first request of a type says
// what the client still has; that is believed except for endpoints, because a
// cluster that is warming waits for an answer even if nothing changed.
func (s *subscription) subscribe(names []string, first bool, target *snapshot.Snapshot) {
	believed := first && s.typeURL != snapshot.EndpointType
	for _, name := range names {
		if name == wildcard {
			s.wildcard = true
			s.answer = s.answer || !believed || !s.holdsSomething()
			s.recallInflight()
			continue
		}
		if r := target.Get(s.typeURL, name); r != nil {
			name = r.Name // the request's memory can go
		}
		s.change(name, func(e *entry) {
			e.named = true
			if !believed {
				e.force, e.asked = true, true
			}
		})
		s.classify(name, target)
	}
}

// recallInflight counts what is on its way as told. After the wildcard was given
// up and taken back, the client applies a response from before as if nothing
// had happened.
func (s *subscription) recallInflight() {
	if s.inflight == nil {
		return
	}
	for name, d := range s.inflight.updated {
		s.change(name, func(e *entry) {
			if !e.known {
				e.known, e.version, e.told = true, d.resource.Version, d.resource
			}
		})
	}
}

// unsubscribe takes names away. A client that still has the wildcard is told
// what became of the name, because it cannot know whether the wildcard covers it.
func (s *subscription) unsubscribe(names []string, target *snapshot.Snapshot) {
	for _, name := range names {
		if name == wildcard {
			s.giveUpWildcard()
			continue
		}
		e := s.get(name)
		switch {
		case !e.named:
		case s.wildcard:
			e.named, e.force, e.asked = false, true, true
			s.put(name, e)
			s.classify(name, target)
		default:
			s.forget(name)
		}
	}
}

// giveUpWildcard leaves the names that were also asked for one by one.
func (s *subscription) giveUpWildcard() {
	s.wildcard, s.answer = false, false
	s.keep(func(e entry) bool { return e.named })
	for name := range s.updates { // of what the client was never told
		if !s.get(name).named {
			s.done(name)
		}
	}
}

// keep forgets the entries that are not wanted.
func (s *subscription) keep(wanted func(entry) bool) {
	var unwanted []string
	for name, e := range s.all() {
		if !wanted(e) {
			unwanted = append(unwanted, name)
		}
	}
	for _, name := range unwanted {
		s.forget(name)
	}
}

func (s *subscription) forget(name string) {
	s.put(name, entry{})
	s.done(name)
	delete(s.parked, name)
}

func (s *subscription) done(name string) {
	delete(s.updates, name)
	delete(s.gone, name)
	delete(s.held, name)
	delete(s.alone, name)
}

// classify decides what is to be done about a name. An answer that it does not
// exist, where the client has nothing, belongs to the updates; what the client
// has is taken away in the removal phase only, even if it asks again.
func (s *subscription) classify(name string, target *snapshot.Snapshot) {
	e, r := s.get(name), target.Get(s.typeURL, name)
	if !e.named && !s.wildcard {
		s.done(name)
		return
	}
	switch {
	case r != nil && (e.force || !e.known || e.version != r.Version):
	case r == nil && e.has():
		delete(s.updates, name)
		delete(s.held, name)
		delete(s.alone, name)
		if _, was := s.gone[name]; !was {
			s.gone[name] = undated
			s.undated = true
		}
		return
	case r == nil && (e.force || e.named && !e.known):
	default:
		s.done(name)
		return
	}
	delete(s.gone, name)
	if r != nil {
		name = r.Name
	}
	s.updates[name] = struct{}{}
}

// classifyAll has every resource that the client wants or has looked at.
func (s *subscription) classifyAll(target *snapshot.Snapshot, force bool) {
	if s.wildcard && s.bound() == 0 { // a client that begins, with nothing
		s.updates = make(set, target.Len(s.typeURL))
		for r := range target.All(s.typeURL) {
			s.updates[r.Name] = struct{}{}
		}
		return
	}
	names := make(set, s.bound())
	for name := range s.all() {
		names[name] = struct{}{}
	}
	if s.wildcard {
		for r := range target.All(s.typeURL) {
			names[r.Name] = struct{}{}
		}
	}
	for name := range names {
		if force {
			s.change(name, func(e *entry) { e.force, e.asked = true, true })
		}
		s.classify(name, target)
	}
}

// again has a resource that the client wants and may already have sent once more.
func (s *subscription) again(name string, target *snapshot.Snapshot) {
	e := s.get(name)
	if e.named || s.wildcard && e.known {
		e.force = true
		s.put(name, e)
		s.classify(name, target)
	}
}

// ready yields the updates that are not held back, or the one that is to be
// sent alone.
func (s *subscription) ready() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.alone)) {
			_, held := s.held[name]
			if _, due := s.updates[name]; !due {
				delete(s.alone, name)
			} else if !held {
				yield(name)
				return
			}
		}
		for name := range s.updates {
			if _, held := s.held[name]; !held && !yield(name) {
				return
			}
		}
	}
}

func (s *subscription) hasReady() bool { return len(s.updates) > len(s.held) }

// respond makes the response for as many of names as fit, and notes what the
// client is told by it.
func (s *subscription) respond(target *snapshot.Snapshot, names iter.Seq[string], nonce string, now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	resp := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: s.typeURL, Nonce: nonce, SystemVersionInfo: target.Version()}
	s.inflight = &inflight{nonce: nonce, version: resp.GetSystemVersionInfo(), sent: now}
	s.answer = false
	size := 0
	for name := range names {
		r := target.Get(s.typeURL, name)
		if r == nil {
			resp.RemovedResources = append(resp.RemovedResources, name)
			s.remove(name)
			continue
		}
		size += len(r.Body.GetValue())
		if size > maxResponseBytes && len(resp.GetResources()) > 0 {
			break
		}
		resp.Resources = append(resp.Resources, &discoveryv3.Resource{Name: name, Version: r.Version, Resource: r.Body})
		s.update(r)
	}
	slices.SortFunc(resp.GetResources(), func(a, b *discoveryv3.Resource) int { return strings.Compare(a.GetName(), b.GetName()) })
	slices.Sort(resp.GetRemovedResources())
	s.status.Sent, s.status.SentAt = resp.GetSystemVersionInfo(), now
	return resp
}

func (s *subscription) update(r *snapshot.Resource) {
	if s.inflight.updated == nil {
		s.inflight.updated = make(map[string]delivery)
	}
	serving, missing := s.serving(r.Name)
	s.inflight.updated[r.Name] = delivery{resource: r, before: serving, fresh: missing}
	s.put(r.Name, entry{told: r, version: r.Version, known: true, named: s.get(r.Name).named})
	s.done(r.Name)
}

func (s *subscription) remove(name string) {
	e := entry{}
	if s.get(name).named {
		e = entry{known: true, version: absent, named: true}
	}
	s.put(name, e)
	s.done(name)
	delete(s.parked, name)
}

// serving is the resource with which the client works: the last told, or the
// one before those that it refused. It is nil if its content is not known;
// missing says that the client has none.
func (s *subscription) serving(name string) (r *snapshot.Resource, missing bool) {
	if p, refused := s.parked[name]; refused {
		return p.serving, p.missing
	}
	e := s.get(name)
	return e.told, !e.has()
}

// shrink gives back the memory of maps that were large once.
func (s *subscription) shrink() {
	if len(s.updates) == 0 {
		s.updates, s.held, s.alone = set{}, set{}, set{}
	}
	if len(s.gone) == 0 {
		s.gone = map[string]int{}
	}
	if len(s.parked) == 0 {
		s.parked = map[string]Parked{}
	}
}
