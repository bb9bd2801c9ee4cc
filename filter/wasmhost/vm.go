package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// VM is one running filter, like the VM of one Envoy worker. It is not safe for
// use by several goroutines at once.
type VM struct {
	ctx       context.Context //nolint:containedctx // of every call into the guest; carries the VM for host functions
	module    *Module
	owned     *Module // closed with the VM
	options   Options
	instance  api.Module
	memory    api.Memory
	malloc    api.Function
	callbacks map[string]api.Function
	stack     [8]uint64 // arguments of the callback that runs

	metrics *metricTable
	trace   []Call
	failed  error // set by a trap; every later callback returns it

	tickPeriod time.Duration // 0: the filter asked for no ticks

	lastID  uint32
	root    uint32             // root context that serves; 0 before the first Configure
	trying  uint32             // root context that is being configured; 0: none
	config  []byte             // plugin configuration while proxy_on_configure runs
	current *Stream            // stream whose callback runs; nil for root contexts
	streams map[uint32]*Stream // that are created and not done
	errors  []string

	calls    []HTTPCall // not taken yet
	lastCall uint32
	answer   []byte // body of the answer whose callback runs
}

type vmKey struct{}

// MemorySize is the size of the filter's linear memory in bytes; it never shrinks.
func (vm *VM) MemorySize() uint32 { return vm.memory.Size() }

// Close frees the VM.
func (vm *VM) Close(ctx context.Context) error {
	err := vm.instance.Close(ctx)
	if vm.owned != nil {
		err = errors.Join(err, vm.owned.Close(ctx))
	}
	return err
}

// Tick runs the tick of the root context that serves, if the filter asked for
// ticks. Envoy does so once a period; here time passes when the caller says so.
func (vm *VM) Tick() error {
	if vm.tickPeriod == 0 {
		return nil
	}
	_, err := vm.call("proxy_on_tick", uint64(vm.root))
	vm.current = nil
	return err
}

// Call runs an exported function that is no proxy-wasm callback and returns
// its result, e.g. a counter that the filter exports for tests.
func (vm *VM) Call(name string, args ...uint64) (uint64, error) {
	if vm.callbacks[name] == nil {
		return 0, fmt.Errorf("the filter does not export %s", name)
	}
	return vm.call(name, args...)
}

// Configure gives the filter a plugin configuration as Envoy does: a fresh VM
// tries it first, and only if that one accepts does this VM get a new root
// context, which serves new streams; running streams keep the old one. A
// refusal returns what the filter logged, and the last good configuration stays.
func (vm *VM) Configure(document []byte) error {
	canary, err := vm.module.NewVM(vm.ctx, Options{Now: vm.options.Now, Log: vm.options.Log})
	if err != nil {
		return err
	}
	err = canary.configure(document)
	if closeErr := canary.instance.Close(vm.ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return vm.configure(document)
}

func (vm *VM) configure(document []byte) error {
	vm.lastID++
	root := vm.lastID
	if _, err := vm.call("proxy_on_context_create", uint64(root), 0); err != nil {
		return err
	}
	ok, err := vm.call("proxy_on_vm_start", uint64(root), 0) // Envoy calls it for each root context
	if err != nil {
		return err
	}
	if ok == 0 {
		return vm.refusal("start")
	}
	vm.config, vm.errors = document, nil
	vm.trying = root
	ok, err = vm.call("proxy_on_configure", uint64(root), uint64(len(document)))
	vm.trying = 0
	vm.config = nil
	if err != nil {
		return err
	}
	if ok == 0 {
		return vm.refusal("configuration")
	}
	return vm.succeed(root)
}

// succeed makes root the serving root context and retires the one before.
func (vm *VM) succeed(root uint32) error {
	old := vm.root
	vm.root = root
	if old == 0 {
		return nil
	}
	if _, err := vm.call("proxy_on_done", uint64(old)); err != nil {
		return err
	}
	// Envoy deletes a root context when its last stream is gone; streams of
	// this host refer to it only at creation, so it goes now.
	_, err := vm.call("proxy_on_delete", uint64(old))
	return err
}

func (vm *VM) refusal(what string) error {
	if len(vm.errors) == 0 {
		return fmt.Errorf("the filter refused its %s and logged no reason", what)
	}
	return fmt.Errorf("the filter refused its %s: %s", what, vm.errors[len(vm.errors)-1])
}

// call runs one exported callback; one that the guest does not export answers 0.
func (vm *VM) call(name string, args ...uint64) (uint64, error) {
	if vm.failed != nil {
		return 0, fmt.Errorf("the VM is dead since an earlier trap: %w", vm.failed)
	}
	f := vm.callbacks[name]
	if f == nil {
		return 0, nil
	}
	at := vm.traceCallback(name, args)
	copy(vm.stack[:], args)
	if err := f.CallWithStack(vm.ctx, vm.stack[:]); err != nil {
		vm.failed = err
		return 0, fmt.Errorf("the filter trapped in %s: %w", name, err)
	}
	if len(f.Definition().ResultTypes()) == 0 {
		return 0, nil
	}
	vm.traceResult(at, vm.stack[0])
	return vm.stack[0], nil
}

// allocate asks the guest for n bytes; the guest may refuse with 0.
func (vm *VM) allocate(n int) (uint32, bool) {
	stack := [1]uint64{uint64(n)}
	if err := vm.malloc.CallWithStack(vm.ctx, stack[:]); err != nil {
		vm.abort(fmt.Errorf("allocating %d bytes in the guest: %w", n, err))
	}
	return uint32(stack[0]), stack[0] != 0
}

// handOut copies p into guest memory and writes where it went (WasmBase::copyToPointerSize).
func (vm *VM) handOut(p []byte, pointerAt, sizeAt uint32) Status {
	var at uint32
	if len(p) > 0 {
		var ok bool
		if at, ok = vm.allocate(len(p)); !ok || !vm.memory.Write(at, p) {
			return StatusInvalidMemoryAccess
		}
	}
	if !vm.memory.WriteUint32Le(pointerAt, at) || !vm.memory.WriteUint32Le(sizeAt, uint32(len(p))) {
		return StatusInvalidMemoryAccess
	}
	return StatusOK
}

// abort ends the callback that runs, as a trap. Host functions use it for faults of
// the guest that Envoy would not survive, and for faults of their own.
func (vm *VM) abort(err error) {
	panic(err) //nolint:forbidigo // wazero offers host functions no other way; call returns it as an error
}
