// Package translate turns a catalog into the xDS resources that each Envoy
// identity gets. It is pure: the same catalog and module give the same bytes
// and so the same versions, on every server.
package translate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"

	"github.com/weirmesh/weir/filter/policy/spec"
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
	options Options
}

// NewTranslator returns a translator.
func NewTranslator(o Options) *Translator { return &Translator{options: o} }

// SetModule replaces the module from the next translation on.
func (t *Translator) SetModule(module []byte) { t.options.Module = module }

// Translate returns a consistent snapshot for each SPIFFE ID that a gateway
// lists. Errors are of what the catalog cannot know: a missing module, or a
// policy document that the filter's own parser refuses. After an error the next
// translation starts from where the last good one ended.
func (t *Translator) Translate(c *catalog.Catalog) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	return Translate(c, t.options)
}

// Translate makes the snapshots of one catalog from scratch; see
// Translator.Translate.
func Translate(c *catalog.Catalog, o Options) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	shared, err := forAll(c)
	if err != nil {
		return nil, err
	}
	filters := make(map[string]*snapshot.Resource, len(c.Gateways))
	for _, gateway := range c.Gateways {
		if filters[gateway.Name], err = filterConfig(c, gateway, o); err != nil {
			return nil, fmt.Errorf("filter configuration of Gateway/%s: %w", gateway.Name, err)
		}
	}
	snapshots := make(map[spiffeid.ID]*snapshot.Snapshot)
	for _, id := range envoys(c) {
		resources, err := forEnvoy(c, id)
		if err != nil {
			return nil, fmt.Errorf("resources of %s: %w", id, err)
		}
		for _, gateway := range c.Gateways {
			if slices.Contains(gateway.Envoys, id) {
				resources = append(resources, filters[gateway.Name])
			}
		}
		if snapshots[id], err = snapshot.New(append(resources, shared...)...); err != nil {
			return nil, fmt.Errorf("resources of %s: %w", id, err)
		}
	}
	return snapshots, nil
}

// envoys are the identities that any gateway lists.
func envoys(c *catalog.Catalog) []spiffeid.ID {
	var ids []spiffeid.ID
	for _, gateway := range c.Gateways {
		for _, id := range gateway.Envoys {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// forAll makes the resources that do not depend on who gets them.
func forAll(c *catalog.Catalog) ([]*snapshot.Resource, error) {
	var set resourceSet
	for _, model := range c.Models {
		set.add(model.Name, scope(model))
		set.add(model.Name, routes(model))
		for j := range model.Versions {
			version := &model.Versions[j]
			if !needsDNS(version) {
				name := ClusterName(model.Name, version.Name)
				set.add(name, loadAssignment(name, version.Endpoints))
			}
		}
	}
	return set.resources, set.err
}

// forEnvoy makes the resources that name the Envoy's own identity.
func forEnvoy(c *catalog.Catalog, id spiffeid.ID) ([]*snapshot.Resource, error) {
	var set resourceSet
	for _, model := range c.Models {
		for j := range model.Versions {
			set.add(ClusterName(model.Name, model.Versions[j].Name), cluster(model, &model.Versions[j], id))
		}
	}
	for _, gateway := range c.Gateways {
		if !slices.Contains(gateway.Envoys, id) {
			continue
		}
		for j := range gateway.Listeners {
			set.add(ListenerName(gateway.Name, gateway.Listeners[j].Name), listener(gateway, &gateway.Listeners[j], id))
		}
	}
	return set.resources, set.err
}

// resourceSet encodes resources and keeps the errors.
type resourceSet struct {
	resources []*snapshot.Resource
	err       error
}

func (s *resourceSet) add(name string, message proto.Message) {
	resource, err := snapshot.NewResource(name, message)
	if err != nil {
		s.err = errors.Join(s.err, err)
		return
	}
	s.resources = append(s.resources, resource)
}

// Policy is the encoded policy document of a gateway, read back by the filter's
// own parser, so that what is published is what the filter accepts.
func Policy(c *catalog.Catalog, gateway *catalog.Gateway) ([]byte, error) {
	document := spec.Encode(c.Policy(gateway))
	if len(document) > spec.MaxDocumentBytes {
		return nil, fmt.Errorf("policy document has %d bytes, more than the filter's limit of %d", len(document), spec.MaxDocumentBytes)
	}
	if _, err := spec.Parse(document); err != nil {
		return nil, fmt.Errorf("read the policy document as the filter does: %w", err)
	}
	return document, nil
}
