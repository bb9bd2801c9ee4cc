package wasmhost

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Engine is how wazero runs the module.
type Engine uint8

// Engines. Compiler is right for everything but single calls on a cold start.
const (
	Compiler Engine = iota
	Interpreter
)

// Module is a filter that is compiled once and run by any number of VMs, each
// like one Envoy worker. Its methods may be used by many goroutines.
type Module struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

// Load compiles a filter. The error names an import that Envoy does not offer.
func Load(ctx context.Context, wasm []byte, engine Engine) (*Module, error) {
	config := wazero.NewRuntimeConfigCompiler()
	if engine == Interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	m := &Module{runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	if err := m.link(ctx, wasm); err != nil {
		_ = m.runtime.Close(ctx) // the first error is the one to tell
		return nil, err
	}
	return m, nil
}

func (m *Module) link(ctx context.Context, wasm []byte) (err error) {
	if m.compiled, err = m.runtime.CompileModule(ctx, wasm); err != nil {
		return fmt.Errorf("compiling the filter: %w", err)
	}
	for _, f := range m.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if !offered(module, name) {
			return fmt.Errorf("the filter imports %s.%s, which this host does not offer", module, name)
		}
	}
	for _, name := range []string{abiModule, wasiModule} {
		if err := defineHostModule(ctx, m.runtime, name); err != nil {
			return err
		}
	}
	return nil
}

// Imports are the functions that the filter imports, as "module.name".
func (m *Module) Imports() []string {
	var names []string
	for _, f := range m.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		names = append(names, module+"."+name)
	}
	return names
}

// Close frees the compiled code and every VM of the module.
func (m *Module) Close(ctx context.Context) error { return m.runtime.Close(ctx) }

// Options are what a VM takes from its surroundings; the zero value is usable.
type Options struct {
	Now    func() time.Time    // wall clock; nil: time.Now
	Random io.Reader           // bytes for random_get; nil: crypto/rand
	Log    func(Level, string) // lines that the filter logs; nil: dropped
	Shared *SharedData         // shared with other VMs; nil: the VM's own
	Trace  bool                // keep every call for VM.Trace
	Engine Engine              // used by New alone

	// Fault makes a host function fail: called with its name before each call, it
	// returns the status to answer with, StatusOK to let the call through. nil:
	// nothing fails.
	Fault func(function string) Status

	// BufferLimit is per_connection_buffer_limit_bytes of the listener: a body
	// that the filter lets Envoy buffer beyond it is answered with 413.
	// 0: Envoy's default of 1 MiB.
	BufferLimit int
}

// defaultBufferLimit is Envoy's per_connection_buffer_limit_bytes.
const defaultBufferLimit = 1 << 20

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = func(Level, string) {}
	}
	if o.Shared == nil {
		o.Shared = NewSharedData()
	}
	if o.Fault == nil {
		o.Fault = func(string) Status { return StatusOK }
	}
	if o.BufferLimit == 0 {
		o.BufferLimit = defaultBufferLimit
	}
	return o
}

// NewVM starts a VM: one linear memory that runs callbacks one after the other.
// ctx is kept for all later calls into the filter.
func (m *Module) NewVM(ctx context.Context, o Options) (*VM, error) {
	vm := &VM{module: m, options: o.withDefaults(), metrics: newMetricTable(), streams: map[uint32]*Stream{}}
	vm.ctx = context.WithValue(ctx, vmKey{}, vm)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	instance, err := m.runtime.InstantiateModule(vm.ctx, m.compiled, config) //nolint:contextcheck // it inherits from ctx
	if err != nil {
		return nil, fmt.Errorf("starting the filter: %w", err)
	}
	vm.instance, vm.memory = instance, instance.Memory()
	if vm.malloc = firstExport(instance, "malloc", "proxy_on_memory_allocate"); vm.malloc == nil {
		return nil, errors.New("the filter exports neither malloc nor proxy_on_memory_allocate")
	}
	vm.callbacks = map[string]api.Function{}
	for name := range instance.ExportedFunctionDefinitions() {
		vm.callbacks[name] = instance.ExportedFunction(name)
	}
	if _, err := vm.call("_initialize"); err != nil {
		return nil, err
	}
	return vm, nil
}

// firstExport looks up the allocator in Envoy's order.
func firstExport(instance api.Module, names ...string) api.Function {
	for _, name := range names {
		if f := instance.ExportedFunction(name); f != nil {
			return f
		}
	}
	return nil
}

// New compiles a filter and starts one VM of it, which owns the compiled code.
func New(ctx context.Context, wasm []byte, o Options) (*VM, error) {
	m, err := Load(ctx, wasm, o.Engine)
	if err != nil {
		return nil, err
	}
	vm, err := m.NewVM(ctx, o)
	if err != nil {
		_ = m.Close(ctx) // the first error is the one to tell
		return nil, err
	}
	vm.owned = m
	return vm, nil
}
