package stage

import (
	"maps"
	"time"
)

// absentGrace is how long a canary that is not connected may take to come back
// before a group with Proceed goes on without it: Envoys connect anew when their
// certificate or the xds-server was renewed.
const absentGrace = 5 * time.Second

// train carries one configuration at a time through a group. What is offered
// while canaries are busy with one waits, the newest only, so that followers get
// on however fast changes come.
type train struct {
	group Group
	trial Snapshots // what the canaries try; nil: nothing
	next  Snapshots // what they try after it; nil: nothing
	since time.Time // start of the trial
	last  findings  // of the trial
}

// offer takes the group's part of a new configuration.
func (t *train) offer(target, published Snapshots, now time.Time) {
	switch {
	case t.trial != nil && same(target, t.trial):
		t.next = nil // it was edited and edited back
	case t.trial == nil || t.settled(target, published) || !t.last.busy():
		t.start(target, published, now)
	default:
		t.next = target
	}
}

// start gives the canaries a configuration. If it makes no difference to the
// followers there is nothing to try.
func (t *train) start(target, published Snapshots, now time.Time) {
	for _, id := range t.group.Canaries {
		if snap := target[id]; snap != nil {
			published[id] = snap
		}
	}
	t.trial, t.next, t.since, t.last = nil, nil, time.Time{}, findings{}
	if !t.settled(target, published) {
		t.trial, t.since, t.last = target, now, findings{state: Trying}
	}
}

// settled reports whether every follower has what target gives it.
func (t *train) settled(target, published Snapshots) bool {
	for _, id := range t.group.Followers {
		if target[id].Version() != published[id].Version() {
			return false
		}
	}
	return true
}

// observe judges the trial, and reports whether somebody gets something else now.
func (t *train) observe(nodes []Node, published Snapshots, now time.Time) bool {
	if t.trial == nil {
		return false
	}
	t.last = t.judge(nodes, now)
	switch {
	case t.last.state == Accepted:
		for _, id := range t.group.Followers {
			if snap := t.trial[id]; snap != nil {
				published[id] = snap
			}
		}
		next := t.next
		t.trial, t.next = nil, nil
		if next != nil {
			t.start(next, published, now)
		}
		return true
	case t.next != nil && !t.last.busy():
		t.start(t.next, published, now)
		return true
	}
	return false
}

// deadline is when time alone changes the judgement.
func (t *train) deadline(now time.Time) time.Time {
	if t.trial == nil {
		return time.Time{}
	}
	if grace := t.since.Add(absentGrace); t.group.Proceed && now.Before(grace) {
		return grace
	}
	if end := t.since.Add(t.group.Timeout); now.Before(end) {
		return end
	}
	return time.Time{}
}

func same(a, b Snapshots) bool {
	if len(a) != len(b) {
		return false
	}
	for id, snap := range maps.All(a) {
		if b[id].Version() != snap.Version() {
			return false
		}
	}
	return true
}
