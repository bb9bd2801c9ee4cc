package app

import (
	"errors"
	"fmt"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/stage"
)

// rollback puts a kept revision in force as a new one, for canaries and others
// at once, and holds it over restarts. It is on disk before any Envoy hears of it.
func (c *configuration) rollback(number uint64, by, why string) (history.Revision, error) {
	c.work.Lock()
	defer c.work.Unlock()
	var t times
	t.accepted = c.now()
	old, next, err := c.rebuild(number)
	t.translated = c.now()
	switch {
	case errors.Is(err, history.ErrNotKept):
		return history.Revision{}, fmt.Errorf("roll back to %d: %w: `weir get snapshots` lists the kept ones", number, admin.ErrNoRevision)
	case err != nil:
		c.standBy()
		return history.Revision{}, fmt.Errorf("roll back to %d: %w: %w", number, admin.ErrRefused, err)
	}
	made, _ := c.revision(next, reason{cause: because(fmt.Sprintf("rollback to %d", old.Number), why), by: by, rollbackOf: number})
	if err := c.hold(made, next); err != nil {
		c.standBy()
		return history.Revision{}, fmt.Errorf("roll back to %d: %w: %w", number, admin.ErrRefused, err)
	}
	c.traces.Accepted(made.Number, made.Cause, t.accepted)
	c.traces.Translated(made.Number, t.translated)
	c.publisher.force(made.Number, next.Configuration)
	c.inForce(made, next)
	c.note(c.elsewhere(), nil)
	c.log.Warn("rolled back: the sources do not count until `weir resume`", "to", number, "revision", made.Number, "by", by)
	return made, nil
}

// hold keeps the new revision on disk, and that it holds.
func (c *configuration) hold(made history.Revision, next *candidate) error {
	if c.setEntries != nil {
		if err := c.setEntries(next.entries); err != nil {
			return fmt.Errorf("identity entries: %w", err)
		}
	}
	if err := c.revisions.addNow(made, next.Snapshots); err != nil {
		return err
	}
	if err := c.revisions.history.Pin(made.Number, made.By); err != nil {
		return err
	}
	c.mu.Lock()
	c.known.pin = &pin{history.Pin{Number: made.Number, By: made.By}, made.Time}
	c.mu.Unlock()
	return nil
}

// standBy has the loader, which has looked at something else, stand at what is
// in force again.
func (c *configuration) standBy() {
	c.loader.load(source.Set{Documents: c.state().documents, Certificates: c.newest.Certificates}, func(step) {})
}

// resume ends a rollback: what the sources hold counts again.
func (c *configuration) resume(by, why string) (inForce uint64, err error) {
	c.work.Lock()
	defer c.work.Unlock()
	if !c.pinned() {
		return 0, fmt.Errorf("resume: %w: no rollback holds", admin.ErrRefused)
	}
	if err := c.revisions.history.Unpin(); err != nil {
		return 0, fmt.Errorf("resume: %w: %w", admin.ErrRefused, err)
	}
	c.mu.Lock()
	c.known.pin = nil
	c.mu.Unlock()
	c.log.Warn("resumed: the sources count again", "by", by)
	if c.newest.Complete() {
		c.change(c.newest.Set, reason{cause: because("resumed", why), by: by})
	} else {
		c.reject(nil)
	}
	return c.state().revision, nil
}

// refreshPinned gives the revision that holds the certificates of now: they are
// no part of a revision, and must not run out while one holds.
func (c *configuration) refreshPinned() {
	_, next, err := c.rebuild(c.state().revision)
	if err != nil {
		c.log.Error("the rollback that holds cannot take new certificates: it keeps the ones that it has", "error", err)
		c.standBy()
		c.note(c.elsewhere(), nil)
		return
	}
	c.publisher.force(c.state().revision, next.Configuration)
	c.note(c.elsewhere(), nil)
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// snapshots are what each identity is entitled to at a revision, or, of number 0,
// now. Those of a revision from before the start are made anew, with the
// certificates of today.
func (c *configuration) snapshots(number uint64) (stage.Snapshots, error) {
	if number == 0 {
		return c.publisher.published(), nil
	}
	if made, ok := c.revisions.of(number); ok {
		return made, nil
	}
	made, err := c.revisions.history.Get(number)
	if err != nil {
		return nil, fmt.Errorf("%d: %w: %w", number, admin.ErrNoRevision, err)
	}
	set := source.Set{Documents: made.Documents, Certificates: c.state().newest.Certificates}
	next, problems := newLoader(c.loader.modulePath, "").load(set, func(step) {})
	if next == nil {
		return nil, fmt.Errorf("make the snapshots of revision %d: %w", number, joined(problems))
	}
	return next.Snapshots, nil
}
