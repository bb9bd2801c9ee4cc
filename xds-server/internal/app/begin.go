package app

import (
	"errors"
	"fmt"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// begin puts the first configuration in force: the one that a rollback holds,
// what the sources hold, or, where that is bad or cannot be read, the last good
// one of the history. It fails if there is none of them.
func (c *configuration) begin(u source.Update) error {
	c.work.Lock()
	defer c.work.Unlock()
	c.newest = u
	defer c.serve()
	latest, had := c.revisions.history.Latest()
	if base := c.publisher.base.says; base != 0 && base != latest.Number {
		c.restore(base) // what those have who wait for canaries
	}
	if held, ok := c.revisions.history.Pinned(); ok && c.beginPinned(held) {
		return nil
	}
	if had {
		c.mu.Lock()
		c.known.revision, c.known.documents, c.known.versions = latest.Number, latest.Documents, latest.Versions
		c.mu.Unlock()
		if !u.Complete() || len(changedDocuments(latest.Documents, u.Documents)) > 0 {
			c.restore(latest.Number) // what is bad falls back to it
		}
	}
	if u.Complete() {
		c.change(u.Set, reason{})
	} else {
		c.reject(nil)
	}
	return c.enough(had)
}

func (c *configuration) serve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.begun = true
}

// enough is nil if there is something to serve. At the very first start there
// must be nothing wrong: nobody would miss what a typing error leaves out.
func (c *configuration) enough(history bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known.served && (len(c.known.problems) == 0 || history) {
		return nil
	}
	all := []error{errors.New("the resources have problems, and there is no earlier configuration to serve")}
	for _, p := range c.known.problems {
		all = append(all, errors.New(p.String()))
	}
	return errors.Join(all...)
}

// restore puts a revision of the history in force. Where that fails, it says so
// and changes nothing.
func (c *configuration) restore(number uint64) bool {
	made, next, err := c.rebuild(number)
	if err != nil {
		c.log.Error("a configuration of the history cannot be put in force", "revision", number, "error", err)
		return false
	}
	c.publisher.force(number, next.Configuration)
	c.revisions.remember(number, next.Snapshots)
	c.inForce(made, next)
	return true
}

// rebuild makes the configuration of a revision anew, with the certificates of
// today.
func (c *configuration) rebuild(number uint64) (history.Revision, *candidate, error) {
	made, err := c.revisions.history.Get(number)
	if err != nil {
		return made, nil, err
	}
	next, problems := c.loader.load(source.Set{Documents: made.Documents, Certificates: c.newest.Certificates}, func(step) {})
	if next == nil || len(problems) > 0 {
		return made, nil, joined(problems)
	}
	if restart := c.needsRestart(next.domain); restart != nil {
		return made, nil, joined(restart)
	}
	made.Versions = versions(next.Snapshots)
	return made, next, nil
}

// beginPinned puts the revision in force that a rollback holds.
func (c *configuration) beginPinned(held history.Pin) bool {
	if !c.restore(held.Number) {
		c.log.Error("the rollback that holds cannot be kept up: the sources count", "revision", held.Number)
		return false
	}
	made, _ := c.revisions.history.Get(held.Number) // restore has read it
	c.mu.Lock()
	c.known.pin = &pin{held, made.Time}
	c.mu.Unlock()
	c.log.Warn("a rollback holds: the sources do not count until `weir resume`", "revision", held.Number, "by", held.By)
	c.note(c.elsewhere(), nil)
	return true
}

func joined(problems []catalog.Problem) error {
	all := make([]error, len(problems))
	for i, p := range problems {
		all[i] = errors.New(p.String())
	}
	return errors.Join(all...)
}

// entitle lets the identities of the configuration in force be had, now and
// whenever another comes into force.
func (c *configuration) entitle(setEntries func([]issue.Entry) error) error {
	c.work.Lock()
	defer c.work.Unlock()
	c.setEntries = setEntries
	if err := setEntries(c.state().entries); err != nil {
		return fmt.Errorf("identity entries: %w", err)
	}
	return nil
}

// state is what is known now.
func (c *configuration) state() known {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}
