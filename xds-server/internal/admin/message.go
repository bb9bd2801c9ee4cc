package admin

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/trace"
)

// valid makes text of strangers fit for protobuf, whose strings are UTF-8.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func validAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = valid(text)
	}
	return all
}

// timeMessage is nil for the zero time, which means that something has not been.
func timeMessage(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func statusMessage(s Status) *adminv1.Status {
	m := &adminv1.Status{
		Config: configMessage(s.Config),
		Identity: &adminv1.IdentityStatus{
			Source: valid(s.Identity.Source), SpiffeId: s.Identity.SPIFFEID, Expires: timeMessage(s.Identity.Expires),
		},
	}
	for _, c := range s.Canaries {
		m.Canaries = append(m.Canaries, canaryMessage(c))
	}
	for _, src := range s.Sources {
		m.Sources = append(m.Sources, &adminv1.SourceStatus{
			Name: valid(src.Name), Connected: src.Connected, Position: valid(src.Position),
			Documents: uint32(src.Documents), ReadAt: timeMessage(src.ReadAt), Error: valid(src.Error),
		})
	}
	for _, n := range ordered(s.Nodes) {
		m.Nodes = append(m.Nodes, nodeMessage(n, s.Serving))
	}
	for _, c := range s.Changes {
		m.Changes = append(m.Changes, changeMessage(c))
	}
	return m
}

func configMessage(c ConfigStatus) *adminv1.ConfigStatus {
	m := &adminv1.ConfigStatus{
		Versions: c.Versions, LoadedAt: timeMessage(c.LoadedAt), ProblemsSince: timeMessage(c.ProblemsSince),
		Revision: c.Revision, Pin: pinMessage(c.Pin),
	}
	for _, p := range c.Problems {
		m.Problems = append(m.Problems, &adminv1.Problem{
			File: valid(p.File), Line: uint32(p.Line), Column: uint32(p.Column), Resource: valid(p.Resource),
			Field: valid(p.Field), Message: valid(p.Message), Hint: valid(p.Hint),
		})
	}
	for _, h := range c.Held {
		m.Held = append(m.Held, &adminv1.HeldResource{
			Resource: valid(h.Resource), Origin: valid(h.Origin), Since: timeMessage(h.Since), Message: valid(h.Message),
		})
	}
	for _, o := range c.Overrides {
		m.Overrides = append(m.Overrides, &adminv1.Override{Resource: valid(o.Resource), Used: valid(o.Used), Ignored: valid(o.Ignored)})
	}
	return m
}

func pinMessage(p *Pin) *adminv1.Pin {
	if p == nil {
		return nil
	}
	return &adminv1.Pin{Number: p.Number, By: valid(p.By), Since: timeMessage(p.Since)}
}

func canaryMessage(c stage.Status) *adminv1.CanaryGroup {
	m := &adminv1.CanaryGroup{Name: valid(c.Group), State: string(c.State), Since: timeMessage(c.Since), Reason: valid(c.Reason)}
	for _, member := range c.Canaries {
		m.Canaries = append(m.Canaries, &adminv1.CanaryMember{Identity: member.SPIFFEID.String(), Version: member.Version, Says: valid(member.Says)})
	}
	for _, member := range c.Followers {
		m.Followers = append(m.Followers, &adminv1.CanaryMember{Identity: member.SPIFFEID.String(), Version: member.Version, Awaits: member.Awaits})
	}
	return m
}

func revisionMessage(r Revision) *adminv1.Revision {
	return &adminv1.Revision{
		Number: r.Number, Time: timeMessage(r.Time), Cause: valid(r.Cause), By: valid(r.By),
		RollbackOf: r.RollbackOf, Versions: r.Versions,
	}
}

func nodeMessage(n deltaxds.StreamStatus, serving map[uint64]Serving) *adminv1.Node {
	m := &adminv1.Node{
		Stream: n.Stream, Identity: n.SPIFFEID.String(), Node: valid(n.Node), Address: valid(n.Address),
		Connected: timeMessage(n.Connected), Expires: timeMessage(n.Expires), Version: n.Version, Accepted: n.Accepted, InSync: n.InSync,
		Warming: validAll(n.Warming), WarmFailure: valid(n.WarmFailure),
	}
	for _, t := range n.Types {
		m.Types = append(m.Types, typeMessage(t))
	}
	if v, asked := serving[n.Stream]; asked {
		m.Serving = &adminv1.Serving{State: v.State, Version: v.Version, How: valid(v.How), Detail: valid(v.Detail), At: timeMessage(v.At)}
	}
	return m
}

func typeMessage(t deltaxds.TypeStatus) *adminv1.TypeState {
	m := &adminv1.TypeState{
		Type: valid(t.TypeURL), Wildcard: t.Wildcard, Subscribed: uint32(t.Subscribed),
		Sent: t.Sent, SentAt: timeMessage(t.SentAt), Acked: t.Acked, AckedAt: timeMessage(t.AckedAt),
		Waiting: t.Waiting, Pending: uint32(t.Pending), Draining: uint32(t.Draining), HeldBack: validAll(t.HeldBack), Nacks: t.Nacks,
		ParkedMore: uint32(t.ParkedMore), Suppressed: t.Suppressed,
	}
	if t.LastNack != nil {
		m.LastNack = &adminv1.Nack{Version: t.LastNack.Version, Message: valid(t.LastNack.Message), At: timeMessage(t.LastNack.At)}
	}
	for _, p := range t.Parked {
		m.Parked = append(m.Parked, &adminv1.Parked{
			Name: valid(p.Name), Version: p.Version, Message: valid(p.Message), Since: timeMessage(p.Since), Origin: valid(p.Origin),
		})
	}
	return m
}

func changeMessage(c trace.Change) *adminv1.Change {
	m := &adminv1.Change{
		Revision: c.Revision, Cause: valid(c.Cause),
		Accepted: timeMessage(c.Accepted), Translated: timeMessage(c.Translated), Published: timeMessage(c.Published),
		FirstSent: timeMessage(c.FirstSent), Converged: timeMessage(c.Converged),
	}
	for _, n := range c.Nodes {
		m.Nodes = append(m.Nodes, &adminv1.NodeTrace{
			Identity: n.ID.String(), Node: valid(n.Name), Sent: timeMessage(n.Sent), Converged: timeMessage(n.Converged),
			Refused: uint32(n.Refused), ByRevision: n.ByRevision,
		})
	}
	return m
}
