// Package stage decides which Envoys get a new configuration now and which
// later: the canaries of a group first, the others when every canary has
// accepted it. It is pure: configurations, what the Envoys say, and the time
// come in; what each identity gets, and why something is held, come out.
//
// It may import internal/snapshot and go-spiffe's identifiers.
package stage

import (
	"maps"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Snapshots are what each identity gets.
type Snapshots = map[spiffeid.ID]*snapshot.Snapshot

// Configuration is what all identities shall have.
type Configuration struct {
	Snapshots Snapshots
	Groups    []Group // of those that get it in two steps; the others get it at once
}

// Node is what one connected Envoy says.
type Node struct {
	ID       spiffeid.ID
	Name     string // for people
	Version  string // of the snapshot that it is being brought to
	Accepted bool   // it has acknowledged all of Version, and serves it as far as that can be known
	Refused  string // why it refused something of Version; empty: nothing was refused
}

// Stage is the state of all groups. Its methods must not be called at once.
type Stage struct {
	published Snapshots
	trains    []*train // one for each group, by name
}

// New returns a stage with what every identity already has.
func New(published Snapshots) *Stage {
	s := &Stage{published: make(Snapshots, len(published))}
	maps.Copy(s.published, published)
	return s
}

// Published is what each identity gets now. It is the caller's to keep.
func (s *Stage) Published() Snapshots { return maps.Clone(s.published) }

// Snapshot is what one identity gets now; nil if nothing.
func (s *Stage) Snapshot(id spiffeid.ID) *snapshot.Snapshot { return s.published[id] }

// Offer takes a new configuration. Who is in no group gets it at once, and who
// is no longer in it loses what it had at once. In a group, the canaries get it
// as soon as the configuration that they try is decided; a follower that has
// nothing yet gets it at once, because there is nothing older to keep.
func (s *Stage) Offer(c Configuration, now time.Time) {
	s.forget(c.Snapshots)
	groups := disjoint(c.Groups)
	grouped := make(map[spiffeid.ID]bool)
	for _, g := range groups {
		for _, id := range g.members() {
			grouped[id] = true
		}
	}
	for id, snap := range c.Snapshots {
		if !grouped[id] || s.published[id] == nil {
			s.published[id] = snap
		}
	}
	trains := make([]*train, 0, len(groups))
	for _, g := range groups {
		t := s.train(g)
		t.offer(g.pick(c.Snapshots), s.published, now)
		trains = append(trains, t)
	}
	s.trains = trains
}

// Force gives everybody a configuration at once: for a rollback, which waits for
// nobody. What canaries were trying is given up.
func (s *Stage) Force(c Configuration) {
	s.published, s.trains = make(Snapshots, len(c.Snapshots)), nil
	maps.Copy(s.published, c.Snapshots)
	for _, g := range disjoint(c.Groups) {
		s.trains = append(s.trains, &train{group: g})
	}
}

// Observe takes what all connected Envoys say now, and reports whether that
// changed what somebody gets.
func (s *Stage) Observe(nodes []Node, now time.Time) (changed bool) {
	for _, t := range s.trains {
		for t.observe(nodes, s.published, now) {
			changed = true
		}
	}
	return changed
}

// Trying reports whether any group waits for its canaries, so that Observe can
// change something.
func (s *Stage) Trying() bool {
	return slices.ContainsFunc(s.trains, func(t *train) bool { return t.trial != nil })
}

// Deadline is the next time at which Observe is to be called even if no Envoy
// says anything new; zero when there is none.
func (s *Stage) Deadline(now time.Time) time.Time {
	var next time.Time
	for _, t := range s.trains {
		if at := t.deadline(now); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// Report describes every group, by name.
func (s *Stage) Report() []Status {
	reports := make([]Status, len(s.trains))
	for i, t := range s.trains {
		reports[i] = t.report(s.published)
	}
	return reports
}

// forget takes away what is no longer configured for anybody.
func (s *Stage) forget(wanted Snapshots) {
	maps.DeleteFunc(s.published, func(id spiffeid.ID, _ *snapshot.Snapshot) bool { return wanted[id] == nil })
}

// train is the group's train, or a new one if the group is another than before.
func (s *Stage) train(g Group) *train {
	for _, t := range s.trains {
		if t.group.equal(g) {
			return t
		}
	}
	return &train{group: g}
}
