package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// operate is what operators see of the server, and may do to it.
type operate struct{ *server }

// Ready implements admin.Backend.
func (o operate) Ready() error {
	svids := o.svids.Load()
	if svids == nil || !o.serving.Load() {
		return errors.New("starting: the server has no identity yet")
	}
	if svid, err := svids.GetX509SVID(); err != nil {
		return fmt.Errorf("own SVID: %w", err)
	} else if !time.Now().Before(svid.Certificates[0].NotAfter) {
		return errors.New("the server's own SVID has expired: is the Workload API there?")
	}
	return nil
}

// Status implements admin.Backend.
func (o operate) Status() admin.Status {
	known := o.configuration.state()
	status := admin.Status{
		Config: o.configStatus(known), Identity: admin.IdentityStatus{Source: o.address},
		Sources: sourceStatus(o.options.Sources, known), Canaries: o.publisher.report(), Changes: o.traces.Changes(),
	}
	if svids := o.svids.Load(); svids != nil {
		if svid, err := svids.GetX509SVID(); err == nil {
			status.Identity.SPIFFEID, status.Identity.Expires = svid.ID.String(), svid.Certificates[0].NotAfter
		}
	}
	if o.serving.Load() {
		status.Nodes = o.xds.Status()
		status.Serving = o.clients.serving(status.Nodes)
	}
	return status
}

func (o operate) configStatus(known known) admin.ConfigStatus {
	s := admin.ConfigStatus{
		Versions: versions(o.publisher.published()), LoadedAt: known.loadedAt, Revision: known.revision,
		Problems: adminProblems(known.problems), ProblemsSince: known.since,
	}
	if known.pin != nil {
		s.Pin = &admin.Pin{Number: known.pin.Number, By: known.pin.By, Since: known.pin.since}
	}
	for _, h := range known.held {
		s.Held = append(s.Held, admin.HeldResource{Resource: h.Resource, Origin: h.Origin, Since: h.since, Message: told(h.Because)})
	}
	for _, over := range known.newest.Overrides {
		s.Overrides = append(s.Overrides, admin.Override{Resource: over.Resource, Used: over.By, Ignored: over.Instead})
	}
	if trouble := o.revisions.trouble(); trouble != "" {
		s.Problems = append(s.Problems, admin.Problem{Message: "the configuration in force cannot be kept: " + trouble, Hint: "see to the folder of --state-dir"})
	}
	return s
}

func adminProblems(problems []catalog.Problem) []admin.Problem {
	all := make([]admin.Problem, len(problems))
	for i, p := range problems {
		all[i] = admin.Problem{File: p.File, Line: p.Line, Column: p.Column, Resource: p.Resource, Field: p.Field, Message: p.Message, Hint: p.Hint}
	}
	return all
}

// told is the first of problems in words.
func told(problems []catalog.Problem) string {
	if len(problems) == 0 {
		return ""
	}
	return problems[0].String()
}

// sourceStatus says how the sources do. What cannot be read is named by them.
func sourceStatus(sources []source.Source, known known) []admin.SourceStatus {
	all := make([]admin.SourceStatus, len(sources))
	for i, s := range sources {
		all[i] = admin.SourceStatus{Name: s.String(), Connected: true, ReadAt: known.readAt, Documents: documentsOf(s, sources, known.newest)}
		for _, p := range known.newest.Problems {
			if p.Source == s.String() {
				all[i].Connected, all[i].Error = false, p.Err.Error()
			}
		}
	}
	return all
}

// documentsOf counts a source's documents, whose names begin with the source's
// where there are several.
func documentsOf(s source.Source, all []source.Source, u source.Update) int {
	n, several := 0, 0
	for _, other := range all {
		if other.Label() != "" {
			several++
		}
	}
	switch {
	case s.Label() == "": // certificates
		return 0
	case several == 1:
		return len(u.Documents)
	}
	for _, d := range u.Documents {
		if strings.HasPrefix(d.Name, s.Label()+"/") {
			n++
		}
	}
	return n
}

// Operators implements admin.Backend.
func (o operate) Operators() admin.Operators {
	return admin.Operators(o.configuration.state().domain.Operators)
}

// Revisions implements admin.Backend.
func (o operate) Revisions() []admin.Revision {
	var all []admin.Revision
	for _, made := range slices.Backward(o.revisions.history.List()) {
		all = append(all, adminRevision(made))
	}
	return all
}

func adminRevision(r history.Revision) admin.Revision {
	return admin.Revision{
		Number: r.Number, Time: r.Time, Cause: r.Cause, By: r.By, RollbackOf: r.RollbackOf,
		Versions: r.Versions,
	}
}

// Snapshots implements admin.Backend.
func (o operate) Snapshots(_ context.Context, number uint64) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	return o.configuration.snapshots(number)
}

// Rollback implements admin.Backend.
func (o operate) Rollback(_ context.Context, number uint64, by, reason string) (admin.Revision, error) {
	made, err := o.configuration.rollback(number, by, reason)
	return adminRevision(made), err
}

// Resume implements admin.Backend.
func (o operate) Resume(_ context.Context, by, reason string) (uint64, error) {
	return o.configuration.resume(by, reason)
}
