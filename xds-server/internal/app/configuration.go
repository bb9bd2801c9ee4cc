package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/trace"
)

// configuration puts configurations in force, one at a time, keeps what is in
// force when what comes is worse, and remembers what is wrong with it.
type configuration struct {
	loader     *loader
	publisher  *publisher
	revisions  *revisions
	traces     *trace.Log
	metrics    *metrics.Metrics
	log        *slog.Logger
	now        func() time.Time
	setEntries func([]issue.Entry) error // nil: identities come from elsewhere, or are not there yet

	work   sync.Mutex // held by the change in progress; guards newest
	newest source.Update

	mu    sync.Mutex // guards what is known; never held while working
	known known
}

// known is what is in force, and what is wrong.
type known struct {
	revision  uint64
	loadedAt  time.Time
	documents []source.Document
	versions  map[string]string // of the snapshots, by SPIFFE ID
	domain    catalog.TrustDomain
	entries   []issue.Entry
	served    bool // false: it is known from the history only

	begun bool // the server serves: its trust domain is settled

	problems []catalog.Problem
	since    time.Time // of problems
	held     []heldResource
	newest   source.Update
	readAt   time.Time // of newest
	pin      *pin
}

// pin is a rollback that holds.
type pin struct {
	history.Pin
	since time.Time
}

// heldResource is a resource that stands at an earlier version.
type heldResource struct {
	catalog.HeldResource
	since time.Time
}

// reason says why a configuration comes into force.
type reason struct {
	cause, by  string
	rollbackOf uint64
}

// take puts what the sources hold in force, or keeps what is and says why. While
// a rollback holds, only certificates count.
func (c *configuration) take(u source.Update) {
	c.work.Lock()
	defer c.work.Unlock()
	renewed := !maps.EqualFunc(c.newest.Certificates, u.Certificates, bytes.Equal)
	c.newest = u
	switch {
	case c.pinned() && renewed:
		c.refreshPinned()
	case c.pinned():
		c.note(c.elsewhere(), nil)
	case !u.Complete():
		c.reject(nil)
	default:
		c.change(u.Set, reason{})
	}
}

func (c *configuration) pinned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.pin != nil
}

// change makes a configuration of a set and puts it in force.
func (c *configuration) change(set source.Set, why reason) {
	var t times
	next, problems := c.loader.load(set, t.marker(c.now))
	if next != nil {
		if restart := c.needsRestart(next.domain); restart != nil {
			next, problems = nil, append(problems, restart...)
		}
	}
	if next == nil {
		c.reject(problems)
		return
	}
	if err := c.put(next, why, t); err != nil {
		c.reject(append(problems, catalog.Problem{Message: err.Error()}))
		return
	}
	c.settle(next, problems)
}

// times are when a change passed its steps.
type times struct{ accepted, translated time.Time }

func (t *times) marker(now func() time.Time) func(step) {
	return func(s step) {
		if s == accepted {
			t.accepted = now()
		} else {
			t.translated = now()
		}
	}
}

// needsRestart refuses to become somebody else while serving.
func (c *configuration) needsRestart(next catalog.TrustDomain) []catalog.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.known.domain
	if !c.known.begun || next.Name == was.Name && next.XDSServer == was.XDSServer && next.Source == was.Source {
		return nil
	}
	return []catalog.Problem{{
		Resource: "TrustDomain/" + next.Name.Name(),
		Message:  "the name, the source and xdsServer of a trust domain cannot change while the xds-server runs",
		Hint:     "restart it, or change them back",
	}}
}

// put puts a configuration in force. Who may be served comes before what is served.
func (c *configuration) put(next *candidate, why reason, t times) error {
	if c.setEntries != nil {
		if err := c.setEntries(next.entries); err != nil {
			return fmt.Errorf("identity entries: %w", err)
		}
	}
	made, again := c.revision(next, why)
	if !again {
		c.traces.Accepted(made.Number, made.Cause, t.accepted)
		c.traces.Translated(made.Number, t.translated)
	}
	c.publisher.offer(made.Number, next.Configuration)
	if again {
		c.revisions.remember(made.Number, next.Snapshots)
	} else {
		c.revisions.add(made, next.Snapshots, nil)
	}
	c.inForce(made, next)
	return nil
}

// revision is the number under which a configuration is kept: that of the one in
// force, if it is the same again, and a new one otherwise.
func (c *configuration) revision(next *candidate, why reason) (made history.Revision, again bool) {
	c.mu.Lock()
	before := c.known
	c.mu.Unlock()
	made = history.Revision{
		Number: before.revision, Time: c.now(), By: why.by, Cause: why.cause, RollbackOf: why.rollbackOf,
		Documents: next.documents, Versions: versions(next.Snapshots),
	}
	changed := changedDocuments(before.documents, next.documents)
	// What is held is written anew, and may differ in form alone.
	same := len(changed) == 0 || len(next.held) > 0
	if before.revision != 0 && same && maps.Equal(before.versions, made.Versions) && why.rollbackOf == 0 {
		return made, true
	}
	made.Number = c.revisions.number()
	if made.Cause == "" {
		made.Cause = causeOf(changed)
	}
	return made, false
}

func (c *configuration) inForce(made history.Revision, next *candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.known
	k.revision, k.loadedAt, k.documents, k.versions = made.Number, c.now(), next.documents, made.Versions
	k.domain, k.entries, k.served = next.domain, next.entries, true
}

// settle notes what is wrong with what was put in force: parts of it stand at
// their last good versions.
func (c *configuration) settle(next *candidate, problems []catalog.Problem) {
	problems = append(problems, c.elsewhere()...)
	c.note(problems, next.held)
	if len(problems) == 0 {
		c.metrics.Reloaded(c.now())
		return
	}
	c.metrics.ReloadFailed()
	c.log.Error("some resources have problems: their last good versions stay in force", "problems", len(problems), "held", len(next.held))
	logProblems(c.log, problems)
}

// reject keeps what is in force.
func (c *configuration) reject(problems []catalog.Problem) {
	problems = append(problems, c.elsewhere()...)
	c.note(problems, nil)
	c.metrics.ReloadFailed()
	c.log.Error("the resources have problems: the last good configuration stays in force", "problems", len(problems))
	logProblems(c.log, problems)
}

// elsewhere is what is wrong besides the resources: with the sources and with
// the entries for the development CA.
func (c *configuration) elsewhere() []catalog.Problem {
	problems := slices.Clone(c.loader.faults)
	for _, p := range c.newest.Problems {
		problems = append(problems, catalog.Problem{Message: p.String()})
	}
	return problems
}

func (c *configuration) note(problems []catalog.Problem, held []catalog.HeldResource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.known
	if k.problems != nil && len(problems) == 0 {
		c.log.Info("the resources are right again")
	}
	switch {
	case len(problems) == 0:
		k.problems, k.since = nil, time.Time{}
	case k.problems == nil:
		k.since = c.now()
		fallthrough
	default:
		k.problems = problems
	}
	since := make(map[string]time.Time)
	for _, h := range k.held {
		since[h.Resource] = h.since
	}
	k.held = nil
	for _, h := range held {
		at, before := since[h.Resource]
		if !before {
			at = c.now()
		}
		k.held = append(k.held, heldResource{h, at})
	}
	k.newest, k.readAt = c.newest, c.now()
}

func logProblems(log *slog.Logger, problems []catalog.Problem) {
	for _, p := range problems {
		log.Error(p.Message, "file", p.File, "line", p.Line, "resource", p.Resource, "field", p.Field, "hint", p.Hint)
	}
}

// versions are those of snapshots by SPIFFE ID, as a history keeps them.
func versions(snapshots stage.Snapshots) map[string]string {
	all := make(map[string]string, len(snapshots))
	for id, snap := range snapshots {
		all[id.String()] = snap.Version()
	}
	return all
}

// changedDocuments names the documents that differ.
func changedDocuments(before, after []source.Document) []string {
	was := make(map[string][]byte, len(before))
	for _, d := range before {
		was[d.Name] = d.Data
	}
	var changed []string
	for _, d := range after {
		if data, had := was[d.Name]; !had || !bytes.Equal(data, d.Data) {
			changed = append(changed, d.Name)
		}
		delete(was, d.Name)
	}
	return append(changed, slices.Sorted(maps.Keys(was))...)
}

// maxNamed bounds the documents that a cause names.
const maxNamed = 3

func causeOf(changed []string) string {
	switch {
	case len(changed) == 0:
		return "certificates, the filter or the server changed"
	case len(changed) > maxNamed:
		return fmt.Sprintf("%s and %d more changed", strings.Join(changed[:maxNamed], ", "), len(changed)-maxNamed)
	default:
		return strings.Join(changed, ", ") + " changed"
	}
}
