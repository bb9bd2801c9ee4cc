package routetree

import (
	"errors"
	"fmt"

	"github.com/weirmesh/weir/xds-server/api"
)

// Strategy is one way to choose a version; C is what a step of a policy says of it.
type Strategy[C any] interface {
	// Build returns where a walk begins that decides as c says, and goes on to
	// b.Next() where it does not decide. Problems of c are b's to tell.
	Build(b *Builder, c *C) Target
}

// Registry is the strategies by name: the name of the step's field.
type Registry struct {
	entries []entry
	broken  error // of Standard
}

type entry struct {
	name string
	// build is nil where a step does not use the strategy.
	build func(step *api.RouteStep) func(b *Builder) Target
}

// Register adds a strategy by a name that no other has. Of is the part of a step
// that it reads, nil if a step does not use it.
func Register[C any](r *Registry, name string, of func(*api.RouteStep) *C, s Strategy[C]) error {
	for _, e := range r.entries {
		if e.name == name {
			return fmt.Errorf("a strategy is named %q already", name)
		}
	}
	r.entries = append(r.entries, entry{name, func(step *api.RouteStep) func(*Builder) Target {
		c := of(step)
		if c == nil {
			return nil
		}
		return func(b *Builder) Target { return s.Build(b, c) }
	}})
	return nil
}

// Names are the strategies in the order in which they were registered.
func (r *Registry) Names() []string {
	var names []string
	for _, e := range r.entries {
		names = append(names, e.name)
	}
	return names
}

// Standard returns the strategies of this package.
func Standard() *Registry {
	r := &Registry{}
	r.broken = errors.Join(
		Register(r, "version", func(s *api.RouteStep) *api.VersionName { return s.Version }, version{}),
		Register(r, "split", func(s *api.RouteStep) *bool {
			if !s.Split {
				return nil
			}
			return &s.Split
		}, toSplit{}),
		Register(r, "header", func(s *api.RouteStep) *api.HeaderStrategy { return s.Header }, header{}),
		Register(r, "weight", func(s *api.RouteStep) *api.WeightStrategy { return s.Weight }, weight{}),
		Register(r, "userHash", func(s *api.RouteStep) *api.UserHashStrategy { return s.UserHash }, userHash{}),
		Register(r, "colour", func(s *api.RouteStep) *api.ColourStrategy { return s.Colour }, colour{}),
		Register(r, "ab", func(s *api.RouteStep) *api.ABStrategy { return s.AB }, ab{}),
		Register(r, "timeWindow", func(s *api.RouteStep) *api.TimeWindowStrategy { return s.TimeWindow }, timeWindow{}),
		Register(r, "variant", func(s *api.RouteStep) *api.VariantStrategy { return s.Variant }, variant{}),
	)
	return r
}
