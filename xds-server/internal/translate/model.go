package translate

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// change is a model that is not as it was. Old is nil if it is new, next if it
// is gone.
type change struct{ old, next *modelResources }

// modelResources are the resources of one model.
type modelResources struct {
	model         *catalog.Model
	scope, routes *snapshot.Resource
	versions      []*versionResources // as in the model
}

// versionResources are the resources of one version of a model.
type versionResources struct {
	model     *catalog.Model
	version   *catalog.Version
	endpoints *snapshot.Resource // nil: Envoy looks them up in DNS
	// clusters are by Envoy, made when one needs it; in plaintext, where nothing
	// names the Envoy, there is one under the zero ID.
	clusters map[spiffeid.ID]*snapshot.Resource
}

// made are the resources of a model of the catalog.
func (n *translation) made(model *catalog.Model) *modelResources {
	if known := n.last.made[model]; known != nil {
		return known
	}
	return n.fresh[model]
}

// models finds the models that changed, and makes their resources.
func (n *translation) models() error {
	old, next := n.last.models, n.catalog.Models
	for len(old) > 0 || len(next) > 0 {
		switch {
		case len(old) > 0 && len(next) > 0 && old[0] == next[0]:
			old, next = old[1:], next[1:]
		case len(next) == 0 || len(old) > 0 && old[0].Name < next[0].Name:
			n.changed(change{old: n.last.made[old[0]]})
			old = old[1:]
		default:
			var before *modelResources
			if len(old) > 0 && old[0].Name == next[0].Name {
				before, old = n.last.made[old[0]], old[1:]
			}
			after, err := newModelResources(next[0], before)
			if err != nil {
				return fmt.Errorf("resources of Model/%s: %w", next[0].Name, err)
			}
			n.changed(change{before, after})
			next = next[1:]
		}
	}
	return nil
}

func (n *translation) changed(c change) {
	n.changes = append(n.changes, c)
	if c.next != nil {
		n.fresh[c.next.model] = c.next
	}
	n.peers += c.next.peers() - c.old.peers()
}

// newModelResources makes what does not name an Envoy. What comes out as in old,
// which may be nil, is the same.
func newModelResources(model *catalog.Model, old *modelResources) (*modelResources, error) {
	if old == nil {
		old = &modelResources{}
	}
	var errs [2]error
	r := &modelResources{model: model}
	r.scope, errs[0] = resource(old.scope, model.Name, scope(model), model.RouteOrigin)
	r.routes, errs[1] = resource(old.routes, model.Name, routes(model), model.RouteOrigin)
	err := errors.Join(errs[:]...)
	for i := range model.Versions {
		version, problem := newVersionResources(model, &model.Versions[i], old)
		err = errors.Join(err, problem)
		r.versions = append(r.versions, version)
	}
	return r, err
}

func newVersionResources(model *catalog.Model, version *catalog.Version, old *modelResources) (*versionResources, error) {
	for _, before := range old.versions {
		if before.version.Name == version.Name && reflect.DeepEqual(before.version, version) {
			return before.at(model, version), nil
		}
	}
	r := &versionResources{model: model, version: version, clusters: make(map[spiffeid.ID]*snapshot.Resource, 1)}
	if needsDNS(version) {
		return r, nil
	}
	var err error
	name := AssignmentName(model.Name, version)
	r.endpoints, err = resource(nil, name, loadAssignment(name, version.Endpoints), model.Origin)
	return r, err
}

// at are the same resources for a model that says the same in another place, or
// says something else about its routes.
func (r *versionResources) at(model *catalog.Model, version *catalog.Version) *versionResources {
	next := &versionResources{model: model, version: version, endpoints: from(r.endpoints, model.Origin), clusters: r.clusters}
	if !sameCluster(r.model, model, version) {
		next.clusters = make(map[spiffeid.ID]*snapshot.Resource, 1)
	} else if r.model.Origin != model.Origin {
		next.clusters = make(map[spiffeid.ID]*snapshot.Resource, len(r.clusters))
		for id, c := range r.clusters {
			next.clusters[id] = from(c, model.Origin)
		}
	}
	return next
}

// peers is how many versions are reached over mutual TLS.
func (r *modelResources) peers() int {
	count := 0
	if r != nil {
		for _, v := range r.versions {
			if !v.version.Peer.IsZero() {
				count++
			}
		}
	}
	return count
}

// forEnvoy yields the resources of the model that an Envoy gets.
func (r *modelResources) forEnvoy(envoy spiffeid.ID, yield func(*snapshot.Resource)) error {
	yield(r.scope)
	yield(r.routes)
	for _, v := range r.versions {
		cluster, err := v.cluster(envoy)
		if err != nil {
			return err
		}
		yield(cluster)
		if v.endpoints != nil {
			yield(v.endpoints)
		}
	}
	return nil
}

// cluster is the version as the Envoy reaches it.
func (r *versionResources) cluster(envoy spiffeid.ID) (*snapshot.Resource, error) {
	if r.version.Peer.IsZero() {
		envoy = spiffeid.ID{}
	}
	if made := r.clusters[envoy]; made != nil {
		return made, nil
	}
	made, err := resource(nil, ClusterName(r.model.Name, r.version.Name), cluster(r.model, r.version, envoy), r.model.Origin)
	if err == nil {
		r.clusters[envoy] = made
	}
	return made, err
}
