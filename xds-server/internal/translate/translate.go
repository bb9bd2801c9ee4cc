// Package translate turns a catalog into the xDS resources that each Envoy
// identity gets. It is pure: the same catalog and module give the same bytes
// and so the same versions, on every server.
package translate

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Options are what a catalog does not say.
type Options struct {
	// Module is filter.wasm. It may be empty if every gateway names a file.
	Module []byte
}

// Translator makes the snapshots of one catalog after the other, at the price of
// what changed: the resources of a model that is the same pointer as before are
// the same too. It is not safe for concurrent use.
type Translator struct {
	module []byte
	last   memory
}

// memory is what the last good translation made.
type memory struct {
	models   []*catalog.Model
	made     map[*catalog.Model]*modelResources
	gateways map[string]*gatewayResources // by name
	audience map[audience]*share
	peers    int // versions that are reached over mutual TLS
}

// audience are the Envoys that get the same resources: those of the same
// gateways, unless the resources name the Envoy's own identity.
type audience struct {
	envoy    spiffeid.ID // zero: nothing names it
	gateways string      // their names, with a NUL after each
}

// share is what an audience gets.
type share struct {
	snapshot *snapshot.Snapshot
	gateways []*snapshot.Resource // those of its gateways
}

// NewTranslator returns a translator.
func NewTranslator(o Options) *Translator { return &Translator{module: o.Module} }

// SetModule replaces the module from the next translation on.
func (t *Translator) SetModule(module []byte) {
	if !bytes.Equal(t.module, module) {
		t.module = module
	}
}

// Translate makes the snapshots of one catalog from scratch; see
// Translator.Translate.
func Translate(c *catalog.Catalog, o Options) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	return NewTranslator(o).Translate(c)
}

// Translate returns a consistent snapshot for each SPIFFE ID that a gateway
// lists. One in which nothing changes is the same pointer as before; Envoys that
// get the same have the same one. Errors are of what the catalog cannot know: a
// missing module, or a policy document that the filter's own parser refuses.
// After an error the next translation starts where the last good one ended.
func (t *Translator) Translate(c *catalog.Catalog) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	n := newTranslation(t, c)
	if err := n.models(); err != nil {
		return nil, err
	}
	if err := n.gateways(); err != nil {
		return nil, err
	}
	snapshots := make(map[spiffeid.ID]*snapshot.Snapshot)
	for _, id := range envoys(c) {
		made, err := n.share(n.audienceOf(id), id)
		if err != nil {
			return nil, fmt.Errorf("resources of %s: %w", id, err)
		}
		snapshots[id] = made.snapshot
	}
	t.last = n.finish()
	return snapshots, nil
}

// envoys are the identities that any gateway lists.
func envoys(c *catalog.Catalog) []spiffeid.ID {
	var ids []spiffeid.ID
	seen := make(map[spiffeid.ID]bool)
	for _, gateway := range c.Gateways {
		for _, id := range gateway.Envoys {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// translation is one translation under way: what the last one made, and what
// becomes of it. Nothing of the last one is touched.
type translation struct {
	catalog  *catalog.Catalog
	module   []byte
	last     memory
	changes  []change // of models
	fresh    map[*catalog.Model]*modelResources
	peers    int
	byName   map[string]*gatewayResources
	audience map[audience]*share
	// sibling is what was made last, for siblingEnvoy; nil: nothing yet.
	sibling      *share
	siblingEnvoy spiffeid.ID
}

func newTranslation(t *Translator, c *catalog.Catalog) *translation {
	return &translation{
		catalog: c, module: t.module, last: t.last, peers: t.last.peers,
		fresh: make(map[*catalog.Model]*modelResources), byName: make(map[string]*gatewayResources, len(c.Gateways)), audience: make(map[audience]*share),
	}
}

// audienceOf says with whom an Envoy shares what it gets.
func (n *translation) audienceOf(id spiffeid.ID) audience {
	var names strings.Builder
	var a audience
	if n.peers > 0 {
		a.envoy = id
	}
	for _, gateway := range n.catalog.Gateways {
		if !slices.Contains(gateway.Envoys, id) {
			continue
		}
		names.WriteString(gateway.Name + "\x00")
		if slices.ContainsFunc(gateway.Listeners, func(l catalog.Listener) bool { return l.TLS != nil }) ||
			gateway.RateLimit != nil && !gateway.RateLimit.Peer.IsZero() || gateway.Tracing != nil && !gateway.Tracing.Peer.IsZero() {
			a.envoy = id
		}
	}
	a.gateways = names.String()
	return a
}

// share makes what an audience gets, of what it got before. Envoy is one of it.
func (n *translation) share(a audience, envoy spiffeid.ID) (*share, error) {
	if made := n.audience[a]; made != nil {
		return made, nil
	}
	next := &share{}
	for _, gateway := range n.catalog.Gateways {
		if !slices.Contains(gateway.Envoys, envoy) {
			continue
		}
		resources, err := n.byName[gateway.Name].forEnvoy(envoy)
		if err != nil {
			return nil, err
		}
		next.gateways = append(next.gateways, resources...)
	}
	before, d := n.since(a, envoy)
	d.list(before.gateways, next.gateways)
	if d.err != nil {
		return nil, d.err
	}
	var err error
	if next.snapshot, err = d.apply(before.snapshot); err != nil {
		return nil, err
	}
	n.audience[a], n.sibling, n.siblingEnvoy = next, next, envoy
	return next, nil
}

// since is what an audience got before, and what changed since in the models. A
// new one starts from what another gets: so the two take the least memory.
func (n *translation) since(a audience, envoy spiffeid.ID) (*share, *delta) {
	d := &delta{}
	if before := n.last.audience[a]; before != nil {
		for _, c := range n.changes {
			d.replace(c, envoy, envoy)
		}
		return before, d
	}
	before := n.sibling
	if before == nil {
		before = &share{}
	}
	for _, model := range n.catalog.Models {
		d.replace(change{old: n.siblings(model), next: n.made(model)}, n.siblingEnvoy, envoy)
	}
	return before, d
}

// siblings are the resources of a model in the sibling's snapshot.
func (n *translation) siblings(model *catalog.Model) *modelResources {
	if n.sibling == nil {
		return nil
	}
	return n.made(model)
}

// finish is what the next translation starts from.
func (n *translation) finish() memory {
	made := n.last.made
	if made == nil {
		made = make(map[*catalog.Model]*modelResources, len(n.changes))
	}
	for _, c := range n.changes {
		if c.old != nil {
			delete(made, c.old.model)
		}
	}
	maps.Copy(made, n.fresh)
	for a := range n.last.audience {
		if n.audience[a] == nil {
			n.prune(made)
			break
		}
	}
	return memory{models: n.catalog.Models, made: made, gateways: n.byName, audience: n.audience, peers: n.peers}
}

// prune forgets what was made for Envoys that are in no audience any more.
func (n *translation) prune(made map[*catalog.Model]*modelResources) {
	there := make(map[spiffeid.ID]bool, len(n.audience))
	for a := range n.audience {
		there[a.envoy] = true
	}
	for _, model := range made {
		for _, version := range model.versions {
			maps.DeleteFunc(version.clusters, func(id spiffeid.ID, _ *snapshot.Resource) bool { return !id.IsZero() && !there[id] })
		}
	}
}

// Policy is the encoded policy document of a gateway, read back by the filter's
// own parser, so that what is published is what the filter accepts.
func Policy(c *catalog.Catalog, gateway *catalog.Gateway) ([]byte, error) {
	return c.PolicyDocument(gateway)
}
