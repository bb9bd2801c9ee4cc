// Package registry loads the models of a directory and finds them by name and version.
//
// The directory holds <model>/<version>/model.yaml, and beside it model.onnx and what model.yaml names.
package registry

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/embed"
	"github.com/weirmesh/weir/inference-sidecar/internal/modelspec"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

// Version is a loaded version of a model.
type Version struct {
	Spec    modelspec.Spec
	Session runtime.Session
	// Embedder is nil for a model that is not for embeddings.
	Embedder *embed.Embedder
	Metrics  *telemetry.Model
	// Platform is what model metadata calls the runtime.
	Platform string
	// Modified is when the model file was last changed.
	Modified time.Time
}

// Model are the versions of one name.
type Model struct {
	Name string
	// Versions are in ascending order; there is at least one.
	Versions []*Version
	// Default is the version of requests that name none.
	Default *Version
}

// Registry is a set of loaded models. It does not change.
type Registry struct {
	models map[string]*Model
	names  []string
}

// Errors of Find. Both name what was asked for.
var (
	ErrUnknownModel   = errors.New("unknown model")
	ErrUnknownVersion = errors.New("unknown version")
)

// Names returns the names of all models, sorted. The slice must not be changed.
func (r *Registry) Names() []string { return r.names }

// Model returns a model, or an error that matches ErrUnknownModel.
func (r *Registry) Model(name string) (*Model, error) {
	m, ok := r.models[name]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownModel, name)
	}
	return m, nil
}

// Find returns a version of a model; the empty version stands for the model's default. Errors match ErrUnknownModel or
// ErrUnknownVersion.
func (r *Registry) Find(name, version string) (*Version, error) {
	m, err := r.Model(name)
	if err != nil {
		return nil, err
	}
	if version == "" {
		return m.Default, nil
	}
	for _, v := range m.Versions {
		if v.Spec.Version == version {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%w %q of model %q", ErrUnknownVersion, version, name)
}

// Close unloads all models, after their running calls have ended.
func (r *Registry) Close() error {
	var errs []error
	for _, name := range r.names {
		for _, v := range r.models[name].Versions {
			errs = append(errs, v.Session.Close())
		}
	}
	return errors.Join(errs...)
}

// build sorts versions into models and settles the defaults.
func build(versions []*Version) (*Registry, error) {
	r := &Registry{models: map[string]*Model{}}
	for _, v := range versions {
		m, ok := r.models[v.Spec.Name]
		if !ok {
			m = &Model{Name: v.Spec.Name}
			r.models[m.Name] = m
			r.names = append(r.names, m.Name)
		}
		m.Versions = append(m.Versions, v)
	}
	slices.Sort(r.names)
	var errs []error
	for _, name := range r.names {
		errs = append(errs, r.models[name].settle())
	}
	return r, errors.Join(errs...)
}

func (m *Model) settle() error {
	slices.SortFunc(m.Versions, func(a, b *Version) int {
		return modelspec.CompareVersions(a.Spec.Version, b.Spec.Version)
	})
	for _, v := range m.Versions {
		if !v.Spec.Default {
			continue
		}
		if m.Default != nil {
			return fmt.Errorf("model %q: versions %q and %q both say default: true", m.Name, m.Default.Spec.Version, v.Spec.Version)
		}
		m.Default = v
	}
	if m.Default == nil {
		m.Default = m.Versions[len(m.Versions)-1]
	}
	return nil
}

// ErrNotReady is returned by Current.Get before the models are loaded and while the server drains.
var ErrNotReady = errors.New("the server is not ready")

// Current is the Registry being served. Its zero value is not ready. It is safe for concurrent use.
type Current struct {
	registry atomic.Pointer[Registry]
	draining atomic.Bool
}

// Set makes r the one that is served.
func (c *Current) Set(r *Registry) { c.registry.Store(r) }

// Close unloads what is served, if anything is. Nothing may be served afterwards.
func (c *Current) Close() error {
	r := c.registry.Load()
	if r == nil {
		return nil
	}
	return r.Close()
}

// Drain makes Ready false for good. Requests that come all the same are still served.
func (c *Current) Drain() { c.draining.Store(true) }

// Ready tells whether new requests should be sent here.
func (c *Current) Ready() bool { return c.registry.Load() != nil && !c.draining.Load() }

// Get returns what is served, or ErrNotReady where nothing is loaded yet.
func (c *Current) Get() (*Registry, error) {
	r := c.registry.Load()
	if r == nil {
		return nil, ErrNotReady
	}
	return r, nil
}
