package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

// Status is the whole in short: a few lines, then a table for each thing that
// there is something to say about.
func Status(s *adminv1.Status, now time.Time) string {
	var out strings.Builder
	out.WriteString(summary(s, now))
	out.WriteString(pinned(s.GetConfig().GetPin(), now))
	for _, part := range []string{
		problems(s.GetConfig(), now), held(s.GetConfig(), now), overrides(s.GetConfig()),
		sources(s.GetSources(), now), canaries(s.GetCanaries(), now), versions(s.GetConfig()),
	} {
		if part != "" {
			out.WriteString("\n" + part)
		}
	}
	out.WriteString("\n" + Nodes(s.GetNodes(), now))
	if part := changes(s.GetChanges(), now); part != "" {
		out.WriteString("\n" + part)
	}
	return out.String()
}

func summary(s *adminv1.Status, now time.Time) string {
	inSync := 0
	for _, n := range s.GetNodes() {
		if n.GetInSync() {
			inSync++
		}
	}
	server, configuration := "no identity yet", "none in force yet"
	if s.GetIdentity().GetSpiffeId() != "" {
		server = s.GetIdentity().GetSpiffeId() + ", by " + s.GetIdentity().GetSource()
	}
	if loaded := s.GetConfig().GetLoadedAt(); loaded != nil {
		configuration = fmt.Sprintf("revision %d, in force for %s", s.GetConfig().GetRevision(), age(loaded, now))
	}
	t := newTable("SERVER", server)
	if expires := s.GetIdentity().GetExpires(); expires != nil {
		t.row("SVID", "ends in "+span(expires.AsTime().Sub(now)))
	}
	t.row("CONFIGURATION", configuration)
	t.row("ENVOYS", fmt.Sprintf("%d connected, %d in sync", len(s.GetNodes()), inSync))
	return t.String()
}

func versions(c *adminv1.ConfigStatus) string {
	if len(c.GetVersions()) == 0 {
		return ""
	}
	t := newTable("IDENTITY", "SNAPSHOT")
	for _, id := range sortedKeys(c.GetVersions()) {
		t.row(id, short(c.GetVersions()[id]))
	}
	return t.String()
}

func problems(c *adminv1.ConfigStatus, now time.Time) string {
	if len(c.GetProblems()) == 0 {
		return ""
	}
	t := newTable("PROBLEM AT", "RESOURCE", "FIELD", "WHAT", "SINCE")
	for _, p := range c.GetProblems() {
		place := p.GetFile()
		if p.GetLine() != 0 {
			place = fmt.Sprintf("%s:%d", place, p.GetLine())
		}
		what := p.GetMessage()
		if p.GetHint() != "" {
			what += ": " + p.GetHint()
		}
		t.row(place, p.GetResource(), p.GetField(), what, age(c.GetProblemsSince(), now))
	}
	return t.String()
}

func held(c *adminv1.ConfigStatus, now time.Time) string {
	if len(c.GetHeld()) == 0 {
		return ""
	}
	t := newTable("HELD RESOURCE", "SERVES FROM", "SINCE", "BECAUSE")
	for _, h := range c.GetHeld() {
		t.row(h.GetResource(), cmp.Or(h.GetOrigin(), "nowhere"), age(h.GetSince(), now), h.GetMessage())
	}
	return t.String()
}

func overrides(c *adminv1.ConfigStatus) string {
	if len(c.GetOverrides()) == 0 {
		return ""
	}
	t := newTable("IN TWO SOURCES", "COUNTS", "IGNORED")
	for _, o := range c.GetOverrides() {
		t.row(o.GetResource(), o.GetUsed(), o.GetIgnored())
	}
	return t.String()
}

func sources(all []*adminv1.SourceStatus, now time.Time) string {
	if len(all) == 0 {
		return ""
	}
	t := newTable("SOURCE", "CONNECTED", "DOCUMENTS", "POSITION", "READ", "ERROR")
	for _, s := range all {
		t.row(s.GetName(), yes(s.GetConnected()), fmt.Sprint(s.GetDocuments()), s.GetPosition(), age(s.GetReadAt(), now), s.GetError())
	}
	return t.String()
}

func canaries(all []*adminv1.CanaryGroup, now time.Time) string {
	if len(all) == 0 {
		return ""
	}
	t := newTable("GROUP", "STATE", "IDENTITY", "ROLE", "VERSION", "AWAITS", "SINCE", "WHY")
	for _, g := range all {
		for _, m := range g.GetCanaries() {
			t.row(g.GetName(), g.GetState(), m.GetIdentity(), "canary", short(m.GetVersion()), "", age(g.GetSince(), now), cmp.Or(m.GetSays(), g.GetReason()))
		}
		for _, m := range g.GetFollowers() {
			t.row(g.GetName(), g.GetState(), m.GetIdentity(), "follower", short(m.GetVersion()), short(m.GetAwaits()), age(g.GetSince(), now), g.GetReason())
		}
	}
	return t.String()
}

// changes tells each step by the time since the change was accepted.
func changes(all []*adminv1.Change, now time.Time) string {
	if len(all) == 0 {
		return ""
	}
	t := newTable("CHANGE", "AGE", "TRANSLATED", "PUBLISHED", "FIRST SENT", "CONVERGED", "NODES", "CAUSE")
	for _, c := range all {
		done := 0
		for _, n := range c.GetNodes() {
			if n.GetConverged() != nil {
				done++
			}
		}
		t.row(fmt.Sprint(c.GetRevision()), age(c.GetAccepted(), now), step(c, c.GetTranslated()), step(c, c.GetPublished()),
			step(c, c.GetFirstSent()), step(c, c.GetConverged()), fmt.Sprintf("%d of %d", done, len(c.GetNodes())), c.GetCause())
	}
	return t.String()
}

func step(c *adminv1.Change, at *timestamppb.Timestamp) string {
	if at == nil || c.GetAccepted() == nil {
		return ""
	}
	return "+" + at.AsTime().Sub(c.GetAccepted().AsTime()).Round(100*time.Microsecond).String()
}
