package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/trace"
)

// publisher decides with a stage which identities get a configuration now, and
// gives it to the streams.
type publisher struct {
	registry *deltaxds.Registry
	traces   *trace.Log
	log      *slog.Logger
	now      func() time.Time
	nodes    func(canaries map[spiffeid.ID]bool) []stage.Node // what the canaries that are connected say
	base     *baseFile
	poked    chan struct{} // of capacity 1: a canary said something
	canaries atomic.Pointer[map[spiffeid.ID]bool]

	mu     sync.Mutex
	stage  *stage.Stage
	offers []offer // newest last: the ones that somebody still may get
	told   map[string]stage.State
}

// offer is a configuration and the revision that it is.
type offer struct {
	revision  uint64
	snapshots stage.Snapshots
}

// maxOffers bounds what is remembered of configurations on their way through
// canaries: what they try, what waits, and those that nobody has tried.
const maxOffers = 8

func newPublisher(registry *deltaxds.Registry, traces *trace.Log, base *baseFile, nodes func(map[spiffeid.ID]bool) []stage.Node, log *slog.Logger, now func() time.Time) *publisher {
	return &publisher{
		registry: registry, traces: traces, log: log, now: now, base: base, nodes: nodes,
		poked: make(chan struct{}, 1), stage: stage.New(nil), told: make(map[string]stage.State),
	}
}

// heard has the stage look at what the canaries say, if this is one. It does not
// block.
func (p *publisher) heard(id spiffeid.ID) {
	if canaries := p.canaries.Load(); canaries != nil && (*canaries)[id] {
		p.look()
	}
}

// look has the stage look at what the canaries say. It does not block.
func (p *publisher) look() {
	select {
	case p.poked <- struct{}{}:
	default:
	}
}

// offer puts a configuration in force, canaries first.
func (p *publisher) offer(revision uint64, c stage.Configuration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.stage.Published()
	p.remember(offer{revision, c.Snapshots})
	p.stage.Offer(c, p.now())
	p.listenTo(c.Groups)
	p.publish(before)
}

// force puts a configuration in force for all at once.
func (p *publisher) force(revision uint64, c stage.Configuration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.stage.Published()
	p.offers = []offer{{revision, c.Snapshots}}
	p.stage.Force(c)
	p.listenTo(c.Groups)
	p.publish(before)
}

// listenTo notes whose answers matter.
func (p *publisher) listenTo(groups []stage.Group) {
	canaries := make(map[spiffeid.ID]bool)
	for _, g := range groups {
		for _, id := range g.Canaries {
			canaries[id] = true
		}
	}
	p.canaries.Store(&canaries)
}

func (p *publisher) remember(o offer) {
	if len(p.offers) == maxOffers {
		p.offers = p.offers[1:]
	}
	p.offers = append(p.offers, o)
}

// publish gives the streams what the stage decided, and notes what is new of it.
func (p *publisher) publish(before stage.Snapshots) {
	now := p.stage.Published()
	p.base.note(p.stage.Trying(), p.oldestRevision(now))
	entitled := make(map[spiffeid.ID]deltaxds.Entitlement, len(now))
	fresh := make(map[uint64]map[spiffeid.ID]string)
	for id, snap := range now {
		entitled[id] = deltaxds.Entitlement{Snapshot: snap}
		if before[id].Version() == snap.Version() {
			continue
		}
		revision := p.revisionOf(id, snap)
		if fresh[revision] == nil {
			fresh[revision] = make(map[spiffeid.ID]string)
		}
		fresh[revision][id] = snap.Version()
	}
	at := p.now()
	for revision, versions := range fresh { // before the streams know, so that what they say finds it
		p.traces.Published(revision, versions, at)
	}
	p.registry.Publish(entitled)
	for revision, versions := range fresh {
		for id, version := range versions {
			p.log.Info("configuration in force", "revision", revision, "spiffe_id", id.String(), "version", version, "resources", now[id].Size())
		}
	}
	p.tell()
}

// revisionOf is the newest revision that gives an identity a snapshot.
func (p *publisher) revisionOf(id spiffeid.ID, snap *snapshot.Snapshot) uint64 {
	for i := len(p.offers) - 1; i >= 0; i-- {
		if p.offers[i].snapshots[id].Version() == snap.Version() {
			return p.offers[i].revision
		}
	}
	return 0
}

// oldestRevision is what the followers of canaries stand at; 0 if that is not
// known.
func (p *publisher) oldestRevision(published stage.Snapshots) uint64 {
	oldest := uint64(0)
	for id, snap := range published {
		revision := p.revisionOf(id, snap)
		if revision == 0 {
			return 0
		}
		if oldest == 0 || revision < oldest {
			oldest = revision
		}
	}
	return oldest
}

// tell logs what became of the canaries' trials.
func (p *publisher) tell() {
	for _, s := range p.stage.Report() {
		if was := p.told[s.Group]; was == s.State || was == "" && s.State == stage.Idle {
			continue
		}
		p.told[s.Group] = s.State
		switch s.State {
		case stage.Trying:
			p.log.Info("canaries try a configuration", "group", s.Group)
		case stage.Held:
			p.log.Error("a configuration is held: only canaries have it", "group", s.Group, "reason", s.Reason)
		default:
			p.log.Info("canaries accepted a configuration: all have it", "group", s.Group)
		}
	}
}

// run looks at what the Envoys say whenever they say something and a canary is
// waited for, until ctx ends.
func (p *publisher) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.poked:
		case <-timer.C:
		}
		if at := p.observe(); !at.IsZero() {
			timer.Reset(at.Sub(p.now()))
		}
	}
}

// observe judges the trials, and returns when to look again.
func (p *publisher) observe() (again time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stage.Trying() {
		return time.Time{}
	}
	before := p.stage.Published()
	if p.stage.Observe(p.nodes(*p.canaries.Load()), p.now()) {
		p.publish(before)
	} else {
		p.tell()
	}
	return p.stage.Deadline(p.now())
}

// published is what each identity gets now.
func (p *publisher) published() stage.Snapshots {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stage.Published()
}

// snapshot is what an identity gets now; nil if nothing.
func (p *publisher) snapshot(id spiffeid.ID) *snapshot.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stage.Snapshot(id)
}

// report describes the groups with canaries.
func (p *publisher) report() []stage.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stage.Report()
}
