package deltaxds

import (
	"maps"
	"slices"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// wildcard is the name by which a client subscribes to all resources of a type.
const wildcard = "*"

// absent stands for a version where the client was told that a resource does
// not exist. No resource has an empty version.
const absent = ""

// maxResponseBytes is where a response is cut; the rest follows after the ACK.
// One resource may be larger.
const maxResponseBytes = 2 << 20

type set = map[string]struct{}

// subscription is what one client wants of one type and what it was told.
type subscription struct {
	typeURL  string
	wildcard bool
	names    set               // subscribed by name
	told     map[string]string // name -> version last sent; absent if told so
	force    set               // to be answered even if told is current
	dirty    set               // names whose told may differ from what they want
	answer   bool              // a response is owed, even an empty one
	inflight *inflight         // the response that waits for its ACK
	parked   map[string]Parked // refused versions, by resource
	held     set               // updates held back until what they refer to is there
	status   TypeStatus
}

// inflight is a response that was sent and not yet answered.
type inflight struct {
	nonce   string
	version string // of the snapshot
	sent    time.Time
	updated map[string]string // name -> version
	fresh   set               // those of updated that the client did not have before
}

func newSubscription(typeURL string) *subscription {
	return &subscription{
		typeURL: typeURL,
		names:   set{}, told: map[string]string{}, force: set{}, dirty: set{}, held: set{},
		parked: map[string]Parked{},
		status: TypeStatus{TypeURL: typeURL},
	}
}

// begin takes the part of a request that only the first one of a type has: what
// the client kept from an earlier stream, and the wildcard by silence.
func (s *subscription) begin(req *discoveryv3.DeltaDiscoveryRequest) {
	if len(req.GetResourceNamesSubscribe()) == 0 {
		s.wildcard = true
	}
	maps.Copy(s.told, req.GetInitialResourceVersions())
	// A client that has something has passed its first, perhaps empty, answer.
	s.answer = s.wildcard && len(s.told) == 0
}

// subscribe adds names. Each is answered, whatever the client was told before:
// one that asks again may have forgotten. Only the first request of a type says
// what the client still has; that is believed except for endpoints, because a
// cluster that is warming waits for an answer even if nothing changed.
func (s *subscription) subscribe(names []string, first bool) {
	for _, name := range names {
		believed := first && s.typeURL != snapshot.EndpointType
		if name == wildcard {
			s.wildcard = true
			s.answer = s.answer || !believed || len(s.told) == 0
			s.recallInflight()
			continue
		}
		s.names[name] = struct{}{}
		s.dirty[name] = struct{}{}
		if !believed {
			s.force[name] = struct{}{}
		}
	}
}

// recallInflight counts what is on its way as told. After the wildcard was given
// up and taken back, the client applies a response from before as if nothing
// had happened.
func (s *subscription) recallInflight() {
	if s.inflight == nil {
		return
	}
	for name, version := range s.inflight.updated {
		if _, known := s.told[name]; !known {
			s.told[name] = version
		}
	}
}

// unsubscribe takes names away. A client that still has the wildcard is told
// what became of the name, because it cannot know whether the wildcard covers it.
func (s *subscription) unsubscribe(names []string) {
	for _, name := range names {
		if name == wildcard {
			s.wildcard, s.answer = false, false
			for told := range s.told {
				s.forgetUnlessNamed(told)
			}
			continue
		}
		if _, had := s.names[name]; !had {
			continue
		}
		delete(s.names, name)
		if s.wildcard {
			s.force[name] = struct{}{}
			s.dirty[name] = struct{}{}
		} else {
			s.forgetUnlessNamed(name)
		}
	}
}

func (s *subscription) forgetUnlessNamed(name string) {
	if _, named := s.names[name]; named {
		return
	}
	delete(s.told, name)
	delete(s.force, name)
	delete(s.dirty, name)
	delete(s.parked, name)
	delete(s.held, name)
}

// forgetUnwanted drops what the client kept from an earlier stream and did not
// subscribe to on this one.
func (s *subscription) forgetUnwanted() {
	if s.wildcard {
		return
	}
	for name := range s.told {
		s.forgetUnlessNamed(name)
	}
}

// markAll has every resource that the client wants or has looked at again.
func (s *subscription) markAll(resources map[string]*snapshot.Resource) {
	for name := range s.names {
		s.dirty[name] = struct{}{}
	}
	for name := range s.told {
		s.dirty[name] = struct{}{}
	}
	if s.wildcard {
		for name := range resources {
			s.dirty[name] = struct{}{}
		}
	}
}

// again has the client's resources among names sent once more.
func (s *subscription) again(names []string) {
	for _, name := range names {
		_, named := s.names[name]
		if _, told := s.told[name]; named || s.wildcard && told {
			s.force[name] = struct{}{}
			s.dirty[name] = struct{}{}
		}
	}
}

// plan returns the sorted names to be sent now and those to be removed in the
// removal phase. What needs neither is no longer dirty. An answer that a name
// does not exist, where the client has nothing, belongs to the updates; what the
// client has is taken away in the removal phase only, even if it asks again.
func (s *subscription) plan(resources map[string]*snapshot.Resource) (updates, gone []string) {
	for name := range s.dirty {
		told, known := s.told[name]
		_, named := s.names[name]
		_, forced := s.force[name]
		resource, exists := resources[name]
		has := known && told != absent
		switch {
		case exists && (named || s.wildcard):
			if forced || !known || told != resource.Version {
				updates = append(updates, name)
				continue
			}
		case has && (named || s.wildcard):
			gone = append(gone, name)
			continue
		case named && (forced || !known), s.wildcard && forced:
			updates = append(updates, name)
			continue
		}
		delete(s.dirty, name)
	}
	slices.Sort(updates)
	slices.Sort(gone)
	return updates, gone
}

// respond makes the response for as many of names as fit, and notes what the
// client is told by it.
func (s *subscription) respond(snap *snapshot.Snapshot, names []string, nonce string, now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	resp := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: s.typeURL, Nonce: nonce, SystemVersionInfo: snap.Version()}
	s.inflight = &inflight{nonce: nonce, version: snap.Version(), sent: now, updated: map[string]string{}, fresh: set{}}
	s.answer = false
	resources, size := resourcesOf(snap, s.typeURL), 0
	for _, name := range names {
		resource, exists := resources[name]
		if !exists {
			s.remove(resp, name)
			continue
		}
		size += len(resource.Body.GetValue())
		if size > maxResponseBytes && len(resp.GetResources()) > 0 {
			break
		}
		resp.Resources = append(resp.Resources, &discoveryv3.Resource{Name: name, Version: resource.Version, Resource: resource.Body})
		s.update(name, resource.Version)
	}
	s.status.Sent, s.status.SentAt = snap.Version(), now
	return resp
}

func (s *subscription) update(name, version string) {
	if s.told[name] == absent || s.parked[name].missing {
		s.inflight.fresh[name] = struct{}{}
	}
	s.inflight.updated[name] = version
	s.told[name] = version
	s.settle(name)
}

func (s *subscription) remove(resp *discoveryv3.DeltaDiscoveryResponse, name string) {
	resp.RemovedResources = append(resp.RemovedResources, name)
	if _, named := s.names[name]; named {
		s.told[name] = absent
	} else {
		delete(s.told, name)
	}
	delete(s.parked, name)
	s.settle(name)
}

func (s *subscription) settle(name string) {
	delete(s.force, name)
	delete(s.dirty, name)
	delete(s.held, name)
}
