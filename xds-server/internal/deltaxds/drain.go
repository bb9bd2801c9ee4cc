package deltaxds

import (
	"iter"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// undated marks what is to be taken away and whose delay has not begun.
const undated = 0

// drain dates removals. What becomes superfluous together makes a batch, whose
// delay begins when the client has acknowledged what replaces it.
type drain struct {
	delay   time.Duration
	batches []batch // in the order in which they are due
	last    int     // number of the last batch
	ripe    int     // number of the last batch whose delay is over
	reap    bool    // something ripe may be left
}

type batch struct {
	number int
	due    time.Time
}

// add makes the next batch and returns its number.
func (d *drain) add(now time.Time) int {
	d.last++
	d.batches = append(d.batches, batch{number: d.last, due: now.Add(d.delay)})
	return d.last
}

func (d *drain) ripen(now time.Time) {
	for len(d.batches) > 0 && !d.batches[0].due.After(now) {
		d.ripe, d.reap = d.batches[0].number, true
		d.batches = d.batches[1:]
	}
}

// wake is when the next batch is due; zero if there is none.
func (d *drain) wake() time.Time {
	if len(d.batches) == 0 {
		return time.Time{}
	}
	return d.batches[0].due
}

// date begins the delay of what the client no longer needs: it has acknowledged
// the additions of the target, and only what it clings to may lead there.
func (s *stream) date(now time.Time) {
	var kept keeps
	number := undated
	for _, url := range removals {
		sub, ok := s.types[url]
		if !ok || !sub.undated {
			continue
		}
		if kept.refs == nil {
			kept = s.clinging()
		}
		sub.undated = false
		for name, batch := range sub.gone {
			switch {
			case batch != undated:
				continue
			case kept.has(url, name):
				sub.undated = true
				continue
			case number == undated:
				number = s.drain.add(now)
			}
			sub.gone[name] = number
		}
	}
}

// undate has the delay of some names begin anew, when it turns out that the
// client may still be led there: by what it kept of an earlier stream, or by what
// was to be taken away and came back.
func (s *stream) undate(led func(typeURL, name string) bool) {
	for _, url := range removals {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		for name, batch := range sub.gone {
			if batch != undated && led(url, name) {
				sub.gone[name] = undated
				sub.undated = true
			}
		}
	}
}

// takeAway removes what is due, what refers before what is referred to.
func (s *stream) takeAway(now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	s.drain.ripen(now)
	if !s.drain.reap {
		return nil
	}
	for _, url := range removals {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		if sub.inflight != nil && sub.inflight.removal {
			return nil
		}
		for range sub.ripe(s.drain.ripe) {
			if sub.inflight != nil {
				return nil
			}
			resp := s.respond(sub, sub.ripe(s.drain.ripe), now)
			sub.inflight.removal = true
			if url == snapshot.ClusterType {
				s.gate.drop(resp.GetRemovedResources())
			}
			return resp
		}
	}
	s.drain.reap = false
	return nil
}

// ripe yields what is to be taken away in the batches up to one.
func (s *subscription) ripe(last int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name, batch := range s.gone {
			if batch != undated && batch <= last && !yield(name) {
				return
			}
		}
	}
}

// keeps says what may not be taken away.
type keeps struct {
	refs  map[snapshot.Ref]struct{}
	types set // all of them: the client clings to something whose content is not known
}

func (k keeps) has(typeURL, name string) bool {
	_, kept := k.refs[snapshot.Ref{TypeURL: typeURL, Name: name}]
	_, all := k.types[typeURL]
	return kept || all
}

// clinging returns what is needed by the older resources with which the client
// works because it refused the newer, or because those were held back.
func (s *stream) clinging() keeps {
	k := keeps{refs: make(map[snapshot.Ref]struct{}), types: set{}}
	for url := range reach {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		for name := range sub.parked {
			s.cling(&k, sub, name)
		}
		for name := range sub.held {
			s.cling(&k, sub, name)
		}
	}
	return k
}

// cling keeps what the client's resource of a name leads to.
func (s *stream) cling(k *keeps, sub *subscription, name string) {
	r, missing := sub.serving(name)
	if missing {
		return
	}
	if r == nil {
		for _, url := range reach[sub.typeURL] {
			k.types[url] = struct{}{}
		}
		return
	}
	for _, ref := range r.References() {
		if _, done := k.refs[ref]; done {
			continue
		}
		k.refs[ref] = struct{}{}
		if next, ok := s.types[ref.TypeURL]; ok {
			s.cling(k, next, ref.Name)
		}
	}
}
