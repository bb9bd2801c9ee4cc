package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// prepared is a complete configuration that may be put in force.
type prepared struct {
	documents []source.Document
	domain    catalog.TrustDomain
	entries   []issue.Entry
	snapshots map[spiffeid.ID]*snapshot.Snapshot
}

// loader makes a configuration of documents and of the files that the options
// name. It changes nothing.
type loader struct {
	modulePath  string
	entriesPath string
}

func (l loader) prepare(documents []source.Document) (prepared, []catalog.Problem) {
	entries, problems := readEntries(l.entriesPath)
	built, wrong := catalog.Build(source.Set{Documents: documents})
	if problems = append(problems, wrong...); len(problems) > 0 {
		return prepared{}, problems
	}
	p := prepared{documents: documents, domain: built.TrustDomain}
	var err error
	if p.entries, err = allEntries(built.TrustDomain, entries); err != nil {
		return prepared{}, []catalog.Problem{{Message: err.Error()}}
	}
	if p.snapshots, err = l.translate(built); err != nil {
		return prepared{}, []catalog.Problem{{Message: err.Error()}}
	}
	return p, nil
}

func (l loader) translate(built *catalog.Catalog) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	var options translate.Options
	if slices.ContainsFunc(built.Gateways, func(g *catalog.Gateway) bool { return g.ModuleFile == "" }) {
		module, err := os.ReadFile(l.modulePath)
		if err != nil {
			return nil, fmt.Errorf("read the filter: %w: build it with `make filter` and name it with --filter-module, or set spec.filter.module.file of every Gateway", err)
		}
		options.Module = module
	}
	return translate.Translate(built, options)
}

// reloader keeps the last good configuration in force and remembers what is
// wrong with a newer one.
type reloader struct {
	loader
	setEntries func([]issue.Entry) error // nil: identities come from elsewhere
	publish    func(map[spiffeid.ID]*snapshot.Snapshot)
	metrics    *metrics.Metrics
	log        *slog.Logger
	now        func() time.Time

	mu       sync.Mutex
	inForce  prepared
	loadedAt time.Time
	problems []catalog.Problem
	since    time.Time
}

// take puts what the folder holds in force, or keeps what is and says why.
func (r *reloader) take(u source.Update) {
	if len(u.Problems) > 0 {
		r.reject(sourceProblems(u))
		return
	}
	if r.unchanged(u.Documents) {
		return
	}
	next, problems := r.prepare(u.Documents)
	if problems == nil {
		problems = r.needsRestart(next.domain)
	}
	if problems != nil {
		r.reject(problems)
		return
	}
	if err := r.put(next); err != nil {
		r.reject([]catalog.Problem{{Message: err.Error()}})
	}
}

// sourceProblems are the problems of reading, as those of resources.
func sourceProblems(u source.Update) []catalog.Problem {
	var problems []catalog.Problem
	for _, p := range u.Problems {
		problems = append(problems, catalog.Problem{Message: p.String()})
	}
	return problems
}

// unchanged reports whether the documents are those in force, with no problem since.
func (r *reloader) unchanged(documents []source.Document) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problems == nil && slices.EqualFunc(documents, r.inForce.documents, func(a, b source.Document) bool {
		return a.Name == b.Name && bytes.Equal(a.Data, b.Data)
	})
}

// needsRestart refuses to become somebody else while serving.
func (r *reloader) needsRestart(next catalog.TrustDomain) []catalog.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.inForce.domain
	if next.Name == was.Name && next.XDSServer == was.XDSServer && next.Source == was.Source {
		return nil
	}
	return []catalog.Problem{{
		Resource: "TrustDomain/" + next.Name.Name(),
		Message:  "the name, the source and xdsServer of a trust domain cannot change while the xds-server runs",
		Hint:     "restart it, or change them back",
	}}
}

// put puts a configuration in force. Who may be served comes before what is served.
func (r *reloader) put(next prepared) error {
	if r.setEntries != nil {
		if err := r.setEntries(next.entries); err != nil {
			return fmt.Errorf("identity entries: %w", err)
		}
	}
	r.publish(next.snapshots)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inForce, r.loadedAt = next, r.now()
	if r.problems != nil {
		r.log.Info("the resources are right again")
	}
	r.problems, r.since = nil, time.Time{}
	r.metrics.Reloaded(r.loadedAt)
	for id, snap := range next.snapshots {
		r.log.Info("configuration in force", "spiffe_id", id.String(), "version", snap.Version(), "resources", snap.Size())
	}
	return nil
}

func (r *reloader) reject(problems []catalog.Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problems == nil {
		r.since = r.now()
	}
	r.problems = problems
	r.metrics.ReloadFailed()
	r.log.Error("the resources have problems: the last good configuration stays in force", "problems", len(problems), "in_force_since", r.loadedAt)
	logProblems(r.log, problems)
}

func logProblems(log *slog.Logger, problems []catalog.Problem) {
	for _, p := range problems {
		log.Error(p.Message, "file", p.File, "line", p.Line, "resource", p.Resource, "field", p.Field, "hint", p.Hint)
	}
}

// status describes what is in force, for people.
func (r *reloader) status() admin.ConfigStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := admin.ConfigStatus{Versions: map[string]string{}, LoadedAt: r.loadedAt, Problems: []admin.Problem{}, ProblemsSince: r.since}
	for id, snap := range r.inForce.snapshots {
		s.Versions[id.String()] = snap.Version()
	}
	for _, p := range r.problems {
		s.Problems = append(s.Problems, admin.Problem{
			File: p.File, Line: p.Line, Column: p.Column, Resource: p.Resource, Field: p.Field, Message: p.Message, Hint: p.Hint,
		})
	}
	return s
}

// asError makes one error of problems, for a start that fails.
func asError(folder string, problems []catalog.Problem) error {
	all := []error{fmt.Errorf("the resources in %s have problems", folder)}
	for _, p := range problems {
		all = append(all, errors.New(p.String()))
	}
	return errors.Join(all...)
}
