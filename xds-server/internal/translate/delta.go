package translate

import (
	"errors"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// delta is what changes from one snapshot to the next.
type delta struct {
	updates  []*snapshot.Resource
	removals []snapshot.Ref
	err      error
}

func (d *delta) add(r *snapshot.Resource) { d.updates = append(d.updates, r) }

// replace puts the resources of a model for an Envoy in the place of its old
// ones, which another Envoy may have had.
func (d *delta) replace(c change, before, envoy spiffeid.ID) {
	var old, next []*snapshot.Resource
	keep := func(list *[]*snapshot.Resource) func(*snapshot.Resource) {
		return func(r *snapshot.Resource) { *list = append(*list, r) }
	}
	if c.old != nil {
		d.err = errors.Join(d.err, c.old.forEnvoy(before, keep(&old)))
	}
	if c.next != nil {
		d.err = errors.Join(d.err, c.next.forEnvoy(envoy, keep(&next)))
	}
	d.list(old, next)
}

// list puts resources in the place of others.
func (d *delta) list(old, next []*snapshot.Resource) {
	there := make(map[snapshot.Ref]*snapshot.Resource, len(old))
	for _, r := range old {
		there[refOf(r)] = r
	}
	for _, r := range next {
		ref := refOf(r)
		if there[ref] != r {
			d.add(r)
		}
		delete(there, ref)
	}
	for ref := range there {
		d.removals = append(d.removals, ref)
	}
}

func (d *delta) apply(to *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	if to != nil && len(d.updates)+len(d.removals) == 0 {
		return to, nil
	}
	return to.With(d.updates, d.removals)
}

func refOf(r *snapshot.Resource) snapshot.Ref {
	return snapshot.Ref{TypeURL: r.Body.GetTypeUrl(), Name: r.Name}
}

// resource encodes a message that was made of the document at origin. If old,
// which may be nil, is of the same content, there is no other.
func resource(old *snapshot.Resource, name string, message proto.Message, origin string) (*snapshot.Resource, error) {
	made, err := snapshot.NewResource(name, message)
	if err != nil {
		return nil, err
	}
	if old != nil && old.Name == name && old.Version == made.Version {
		return from(old, origin), nil
	}
	return made.From(origin), nil
}

// from is r with another origin.
func from(r *snapshot.Resource, origin string) *snapshot.Resource {
	if r == nil || r.Origin == origin {
		return r
	}
	return r.From(origin)
}
