// Package app wires the program together and owns its goroutines.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/body"
	"github.com/weirmesh/weir/inference-sidecar/internal/httpapi"
	"github.com/weirmesh/weir/inference-sidecar/internal/identity"
	"github.com/weirmesh/weir/inference-sidecar/internal/openai"
	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/onnx"
	"github.com/weirmesh/weir/inference-sidecar/internal/sched"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

// Version is the program's version, set when it is linked.
var Version = "development"

const name = "weir-inference-sidecar"

// Run runs the program until ctx ends and returns its exit status: 0 after an orderly stop, 2 for a wrong command line,
// 1 for any other error.
func Run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	c, err := parseConfig(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		if !errors.Is(err, errUsage) {
			fmt.Fprintf(stderr, "inference-sidecar: %v\n", err)
		}
		return 2
	case c.version:
		fmt.Fprintln(stdout, Version)
		return 0
	}
	log := newLog(c, stderr)
	if err := run(ctx, c, log); err != nil {
		log.Error("stopped", "error", err)
		return 1
	}
	return 0
}

func newLog(c *config, w io.Writer) *slog.Logger {
	if c.logJSON {
		return slog.New(slog.NewJSONHandler(w, &c.log))
	}
	return slog.New(slog.NewTextHandler(w, &c.log))
}

// run opens what the program needs, serves, and closes everything in reverse.
func run(ctx context.Context, c *config, log *slog.Logger) (err error) {
	var closing closers
	defer func() { err = errors.Join(err, closing.all()) }()

	listeners, err := listen(ctx, c, &closing)
	if err != nil {
		return unlessTold(ctx, err)
	}
	security, err := secure(ctx, c, log, &closing)
	if err != nil {
		return unlessTold(ctx, err)
	}
	engine, err := openEngine(c, log)
	if err != nil {
		return err
	}
	closing.add(engine.Close)

	metrics := telemetry.New()
	house := newHouse(c, log)
	closing.add(house.Models.Close) // after the requests have ended
	s := newServers(listeners, security, handler(house), metrics.Handler(), log)
	stopped := s.start()
	closing.add(func() error { return s.stop(house.Models, c.drain) })

	loader := registry.Loader{Engine: engine, Metrics: metrics, Log: log, Now: time.Now}
	models, err := loader.Load(ctx, c.models)
	if err != nil {
		return unlessTold(ctx, fmt.Errorf("loading models: %w", err))
	}
	house.Models.Set(models)
	log.Info("ready", "http", listeners.http.Addr().String(), "tls", security != nil, "models", models.Names(), "device", string(c.device), "workers", c.workers, "onnxruntime", engine.Version())
	return wait(ctx, stopped, c.drain, log)
}

// wait returns nil once the program is told to stop, or why it cannot go on.
func wait(ctx context.Context, stopped <-chan error, drain time.Duration, log *slog.Logger) error {
	select {
	case <-ctx.Done():
		log.Info("draining", "timeout", drain)
		return nil
	case err := <-stopped:
		return err
	}
}

func newHouse(c *config, log *slog.Logger) *serve.House {
	return &serve.House{
		Models: &registry.Current{}, Gate: sched.New(c.workers, c.queue), Room: body.NewRoom(c.maxRequest, c.requestMemory),
		Log: log, Now: time.Now,
	}
}

// unlessTold returns nil where the program was told to stop: then giving up is no error.
func unlessTold(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

func openEngine(c *config, log *slog.Logger) (*onnx.Engine, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	library, err := findLibrary(c.library, program)
	if err != nil {
		return nil, err
	}
	return onnx.Open(onnx.Options{Library: library, Device: c.device, MemoryLimit: int(c.modelMemory), Log: log})
}

// secure returns nil for plaintext.
func secure(ctx context.Context, c *config, log *slog.Logger, closing *closers) (*tls.Config, error) {
	if c.plaintext {
		log.Warn("serving without TLS: everybody on this machine can use the models")
		return nil, nil
	}
	log.Info("waiting for an identity", "workload_api", c.workloadAPI)
	config, closer, err := identity.Server(ctx, identity.Options{WorkloadAPI: c.workloadAPI, Peers: c.peers, Wait: c.identity})
	if err != nil {
		return nil, err
	}
	closing.add(closer.Close)
	return config, nil
}

func handler(house *serve.House) http.Handler {
	mux := http.NewServeMux()
	(&httpapi.API{House: house, Name: name, Version: Version}).Register(mux)
	(&openai.API{House: house}).Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		serve.WriteJSON(w, http.StatusNotFound, map[string]string{"error": "unknown path: the APIs are under /v2 and /v1"})
	})
	return mux
}

type listeners struct{ http, metrics net.Listener }

func listen(ctx context.Context, c *config, closing *closers) (listeners, error) {
	var l listeners
	var config net.ListenConfig
	var err error
	if l.http, err = config.Listen(ctx, "tcp", c.http); err != nil {
		return l, fmt.Errorf("--http: %w", err)
	}
	closing.add(ignoreClosed(l.http.Close))
	if c.metrics == "" {
		return l, nil
	}
	if l.metrics, err = config.Listen(ctx, "tcp", c.metrics); err != nil {
		return l, fmt.Errorf("--metrics: %w", err)
	}
	closing.add(ignoreClosed(l.metrics.Close))
	return l, nil
}

// ignoreClosed is for listeners, which their servers close as well.
func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// closers are what to close, last first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) all() error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		errs = append(errs, (*c)[i]())
	}
	return errors.Join(errs...)
}
