// Package onnx runs models with ONNX Runtime, a shared library that is opened when the program starts. No type of the
// wrapper that it uses leaves this package.
package onnx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
)

// Device is where models run.
type Device string

// The devices. CUDA needs a build of ONNX Runtime with the CUDA provider; there is no falling back to the CPU.
const (
	CPU  Device = "cpu"
	CUDA Device = "cuda"
)

// ParseDevice returns the Device called name.
func ParseDevice(name string) (Device, error) {
	switch d := Device(name); d {
	case CPU, CUDA:
		return d, nil
	}
	return "", fmt.Errorf("unknown device %q: it is cpu or cuda", name)
}

// Options says how an Engine is opened.
type Options struct {
	// Library is the path of libonnxruntime.so.
	Library string
	Device  Device
	// MemoryLimit bounds, in bytes, what all models together may allocate in the arena that they share on the CPU,
	// weights included: a request that asks for more fails, and not the process. 0 is no bound.
	MemoryLimit int
	Log         *slog.Logger
}

// Engine is the opened library. There is at most one in a process.
type Engine struct {
	opt Options
}

var (
	openMu sync.Mutex
	opened bool
)

// Open opens the library and, with a memory limit, its arena.
func Open(opt Options) (*Engine, error) {
	openMu.Lock()
	defer openMu.Unlock()
	if opened {
		return nil, errors.New("ONNX Runtime is open already")
	}
	saveSignals()
	defer mendSignals()
	ort.SetSharedLibraryPath(opt.Library)
	// What the library would write to standard error comes back as an error, too.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return nil, fmt.Errorf("opening ONNX Runtime: %w", err)
	}
	e := &Engine{opt: opt}
	if err := e.prepare(); err != nil {
		return nil, errors.Join(err, ort.DestroyEnvironment())
	}
	opened = true
	return e, nil
}

// prepare makes the shared arena and finds out, before any model is read, whether the device can be used at all.
func (e *Engine) prepare() error {
	if e.opt.MemoryLimit > 0 {
		if err := limitMemory(e.opt.MemoryLimit); err != nil {
			return fmt.Errorf("limiting the memory of models to %d bytes: %w", e.opt.MemoryLimit, err)
		}
	}
	if e.opt.Device != CUDA {
		return nil
	}
	options, err := e.sessionOptions(false)
	if err != nil {
		return err
	}
	return options.Destroy()
}

// limitMemory registers the arena that sessions then share (session.use_env_allocators).
func limitMemory(bytes int) error {
	const growAsRequested, byDefault = 1, -1
	arena, err := ort.NewArenaCfg(bytes, growAsRequested, byDefault, byDefault)
	if err != nil {
		return err
	}
	defer arena.Destroy()
	info, err := ort.GetMemoryInfo()
	if err != nil {
		return err
	}
	return ort.CreateAndRegisterAllocator(info, arena)
}

// Version returns the version of the opened library.
func (e *Engine) Version() string { return ort.GetVersion() }

// Platform implements runtime.Engine.
func (e *Engine) Platform() string { return "onnx_onnxv1" }

// Close closes the library. All sessions must be closed before.
func (e *Engine) Close() error {
	openMu.Lock()
	defer openMu.Unlock()
	opened = false
	if err := ort.DestroyEnvironment(); err != nil {
		return fmt.Errorf("closing ONNX Runtime: %w", err)
	}
	return nil
}

// sessionOptions returns the options of all sessions; the caller destroys them. With strict, a graph of which some node
// would run on the CPU although the device is CUDA is refused.
func (e *Engine) sessionOptions(strict bool) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("making session options: %w", err)
	}
	if err := e.fill(o, strict); err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

func (e *Engine) fill(o *ort.SessionOptions, strict bool) error {
	entries := map[string]string{
		// Spinning doubles the processor time of a run and takes it from the neighbours.
		"session.intra_op.allow_spinning": "0",
		"session.inter_op.allow_spinning": "0",
	}
	if e.opt.MemoryLimit > 0 {
		entries["session.use_env_allocators"] = "1"
	}
	if strict {
		entries["session.disable_cpu_ep_fallback"] = "1"
	}
	for key, value := range entries {
		if err := o.AddSessionConfigEntry(key, value); err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
	}
	// One thread a run and as many runs as processors beat several threads a run; the caller bounds the runs.
	if err := errors.Join(o.SetIntraOpNumThreads(1), o.SetInterOpNumThreads(1)); err != nil {
		return fmt.Errorf("setting threads: %w", err)
	}
	if e.opt.Device != CUDA {
		return nil
	}
	if !strict && e.opt.Log.Enabled(context.Background(), slog.LevelDebug) {
		// The only place where the library names the nodes and where each runs is its own log, on standard error.
		if err := o.SetLogSeverityLevel(ort.LoggingLevelVerbose); err != nil {
			return fmt.Errorf("setting the log level: %w", err)
		}
	}
	return e.useCUDA(o)
}

func (e *Engine) useCUDA(o *ort.SessionOptions) (err error) {
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return e.noCUDA(err)
	}
	defer func() { err = errors.Join(err, cuda.Destroy()) }()
	settings := map[string]string{
		"arena_extend_strategy":     "kSameAsRequested",
		"cudnn_conv_algo_search":    "HEURISTIC", // EXHAUSTIVE tunes again for each new shape
		"do_copy_in_default_stream": "1",         // 0 races
	}
	if err := cuda.Update(settings); err != nil {
		return fmt.Errorf("setting CUDA options: %w", err)
	}
	if err := o.AppendExecutionProviderCUDA(cuda); err != nil {
		return e.noCUDA(err)
	}
	return nil
}

func (e *Engine) noCUDA(err error) error {
	return fmt.Errorf("device cuda: %s offers no usable CUDA provider (%w); use the onnxruntime-gpu library of your CUDA version with its providers beside it, or device cpu", e.opt.Library, err)
}

var _ runtime.Engine = (*Engine)(nil)
