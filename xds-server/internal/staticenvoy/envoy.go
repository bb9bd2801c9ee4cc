// Package staticenvoy runs one real Envoy with one HTTP filter between a
// loopback listener and a loopback upstream, without a control plane. It is
// what measurements and filter-only tests run on: nothing but the filter
// differs between two of them.
package staticenvoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
)

// Config is one Envoy to start.
type Config struct {
	Binary      string // Envoy's path
	Dir         string // an existing directory for its files; the caller removes it
	Upstream    string // host:port, HTTP/1.1 without TLS
	Filter      Filter // what stands before the router
	Concurrency int    // workers; 0: 1
	CPUs        []int  // processors it may use; empty: all
	LogLevel    string // empty: warning
	Components  string // Envoy's --component-log-level; empty: none
	Log         io.Writer
	BufferLimit int // per_connection_buffer_limit_bytes; 0: Envoy's default of 1 MiB
	// IdleTimeout is stream_idle_timeout; 0: Envoy's default of 5 minutes.
	IdleTimeout time.Duration
	// ReleaseMemory gives free pages back, as the bootstrap of package bootstrap does.
	ReleaseMemory bool
}

// Envoy is a running Envoy. Stop ends it.
type Envoy struct {
	*envoyproc.Process
	dir     string
	address string
}

// Start writes the configuration, starts Envoy and returns when it is ready.
func Start(ctx context.Context, c Config) (*Envoy, error) {
	if err := c.Filter.prepare(c.Dir); err != nil {
		return nil, err
	}
	config, err := json.Marshal(bootstrap(c))
	if err != nil {
		return nil, fmt.Errorf("encode envoy bootstrap: %w", err)
	}
	process, err := envoyproc.Start(ctx, envoyproc.Config{
		Binary: c.Binary, Dir: c.Dir, Bootstrap: config, Concurrency: c.Concurrency, CPUs: c.CPUs,
		LogLevel: c.LogLevel, Components: c.Components, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	address, err := process.Listener(ctx, listenerName)
	if err != nil {
		process.Stop()
		return nil, err
	}
	return &Envoy{Process: process, dir: c.Dir, address: address}, nil
}

// Address is the host:port of the listener.
func (e *Envoy) Address() string { return e.address }
