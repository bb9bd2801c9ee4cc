package stage

import (
	"fmt"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// State is how far a group is with a configuration.
type State string

// The states.
const (
	Idle     State = "idle"     // followers have what is configured
	Trying   State = "trying"   // canaries have it and have not all answered
	Held     State = "held"     // a canary refused it, is absent, or took too long
	Accepted State = "accepted" // every canary accepted it; never reported, as followers have it then
)

// Status describes one group, for people.
type Status struct {
	Group     string           `json:"group"`
	State     State            `json:"state"`
	Since     time.Time        `json:"since,omitzero"`   // when the canaries got what they try
	Reason    string           `json:"reason,omitempty"` // why it is not given on
	Canaries  []CanaryStatus   `json:"canaries"`
	Followers []FollowerStatus `json:"followers"`
}

// CanaryStatus is one canary's identity and what it thinks of the trial.
type CanaryStatus struct {
	SPIFFEID spiffeid.ID `json:"spiffeID"`
	Version  string      `json:"version,omitempty"` // of the snapshot that it has or tries
	Says     string      `json:"says,omitempty"`
}

// FollowerStatus is one identity that gets a configuration after the canaries.
type FollowerStatus struct {
	SPIFFEID spiffeid.ID `json:"spiffeID"`
	Version  string      `json:"version,omitempty"` // of the snapshot that it gets
	Awaits   string      `json:"awaits,omitempty"`  // the version that is being tried for it
}

// findings is what the canaries say of a trial.
type findings struct {
	state  State
	reason string
	says   map[spiffeid.ID]string
}

// busy reports whether the canaries are at work on the trial, so that it is
// worth waiting for.
func (f findings) busy() bool { return f.state == Trying }

// opinion is what one canary identity, which may be several Envoys, says.
type opinion int

const (
	accepts opinion = iota
	pending
	absent
	refuses
)

// judge asks every canary.
func (t *train) judge(nodes []Node, now time.Time) findings {
	f := findings{state: Accepted, says: make(map[spiffeid.ID]string)}
	worst := accepts
	for _, id := range t.group.Canaries {
		says, detail := t.ask(id, nodes)
		if says == absent && t.group.Proceed && !now.Before(t.since.Add(absentGrace)) {
			says, detail = accepts, "not connected: went on without it"
		}
		f.says[id] = detail
		if says > worst {
			worst, f.reason = says, fmt.Sprintf("canary %s: %s", id, detail)
		}
	}
	late := !now.Before(t.since.Add(t.group.Timeout))
	switch {
	case worst == accepts:
	case worst == pending && !late, worst == absent && t.group.Proceed && !late:
		f.state = Trying
	case worst == pending, worst == absent && late:
		f.state, f.reason = Held, fmt.Sprintf("%s after %s", f.reason, t.group.Timeout)
	default:
		f.state = Held
	}
	return f
}

// ask looks for the Envoys of a canary.
func (t *train) ask(id spiffeid.ID, nodes []Node) (opinion, string) {
	says, detail := absent, "not connected"
	want := t.trial[id].Version()
	for _, n := range nodes {
		if n.ID != id {
			continue
		}
		switch {
		case n.Version == want && n.Refused != "":
			return refuses, fmt.Sprintf("Envoy %q refused it: %s", n.Name, n.Refused)
		case n.Version != want || !n.Accepted:
			says, detail = pending, fmt.Sprintf("Envoy %q has not accepted it yet", n.Name)
		case says == absent:
			says, detail = accepts, "accepted"
		}
	}
	return says, detail
}

// report describes the train.
func (t *train) report(published Snapshots) Status {
	s := Status{Group: t.group.Name, State: Idle}
	if t.trial != nil {
		s.State, s.Since, s.Reason = t.last.state, t.since, t.last.reason
	}
	for _, id := range t.group.Canaries {
		s.Canaries = append(s.Canaries, CanaryStatus{SPIFFEID: id, Version: published[id].Version(), Says: t.last.says[id]})
	}
	for _, id := range t.group.Followers {
		f := FollowerStatus{SPIFFEID: id, Version: published[id].Version()}
		if trial := t.trial[id].Version(); trial != f.Version {
			f.Awaits = trial
		}
		s.Followers = append(s.Followers, f)
	}
	return s
}
