package wasmhost

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Modules that Envoy offers to a filter.
const (
	abiModule  = "env"
	wasiModule = "wasi_snapshot_preview1"
)

// hostFunction is one function that the host offers.
type hostFunction struct {
	module, name string
	// shape has a letter an argument: v value, n size, p pointer, o opaque
	// number (a metric id, a version); upper case is 64 bits wide. Only values
	// and sizes are the same under every host.
	shape string
	// void functions return nothing.
	void bool
	call func(vm *VM, a []uint64) Status
}

// comparable are the arguments that must be the same under every host.
func (f *hostFunction) comparable(args []uint64) []uint64 {
	out := []uint64{}
	for i, s := range f.shape {
		switch s {
		case 'v', 'n':
			out = append(out, uint64(uint32(args[i])))
		case 'V':
			out = append(out, args[i])
		}
	}
	return out
}

// hostFunctions are the ABI's functions that filters of this project use, with
// the shapes by which traces of them are compared.
var hostFunctions = []hostFunction{
	{abiModule, "proxy_log", "vpn", false, hostLog},
	{abiModule, "proxy_get_current_time_nanoseconds", "p", false, hostTime},
	{abiModule, "proxy_get_property", "pnpp", false, hostGetProperty},
	{abiModule, "proxy_set_property", "pnpn", false, hostSetProperty},
	{abiModule, "proxy_get_header_map_pairs", "vpp", false, hostGetPairs},
	{abiModule, "proxy_get_header_map_value", "vpnpp", false, hostGetHeader},
	{abiModule, "proxy_add_header_map_value", "vpnpn", false, hostAddHeader},
	{abiModule, "proxy_replace_header_map_value", "vpnpn", false, hostReplaceHeader},
	{abiModule, "proxy_remove_header_map_value", "vpn", false, hostRemoveHeader},
	{abiModule, "proxy_get_buffer_bytes", "vvnpp", false, hostGetBuffer},
	{abiModule, "proxy_set_buffer_bytes", "vvnpn", false, hostSetBuffer},
	{abiModule, "proxy_send_local_response", "vpnpnpnv", false, hostLocalResponse},
	{abiModule, "proxy_get_shared_data", "pnppp", false, hostGetShared},
	{abiModule, "proxy_set_shared_data", "pnpno", false, hostSetShared},
	{abiModule, "proxy_call_foreign_function", "pnpnpp", false, hostForeign},
	{abiModule, "proxy_define_metric", "vpnp", false, hostDefineMetric},
	{abiModule, "proxy_increment_metric", "oV", false, hostIncrementMetric},
	{abiModule, "proxy_record_metric", "oV", false, hostRecordMetric},
	{abiModule, "proxy_set_tick_period_milliseconds", "v", false, hostSetTickPeriod},
	{abiModule, "proxy_http_call", "pnpnpnpnvp", false, hostHTTPCall},
	{abiModule, "proxy_set_effective_context", "v", false, hostEffectiveContext},
	{abiModule, "proxy_close_stream", "v", false, hostCloseStream},
	{wasiModule, "random_get", "pn", false, wasiRandom},
	{wasiModule, "clock_time_get", "vVp", false, wasiClock},
	{wasiModule, "fd_write", "vpvp", false, wasiWrite},
	{wasiModule, "fd_close", "v", false, wasiNoFile},
	{wasiModule, "fd_seek", "vVvp", false, wasiNoFile},
	{wasiModule, "args_sizes_get", "pp", false, wasiArgsSizes},
	{wasiModule, "args_get", "pp", false, wasiArgs},
	{wasiModule, "proc_exit", "v", true, wasiExit},
}

func offered(module, name string) bool {
	for i := range hostFunctions {
		if hostFunctions[i].module == module && hostFunctions[i].name == name {
			return true
		}
	}
	return false
}

func defineHostModule(ctx context.Context, r wazero.Runtime, module string) error {
	b := r.NewHostModuleBuilder(module)
	for i := range hostFunctions {
		f := &hostFunctions[i]
		if f.module != module {
			continue
		}
		params := make([]api.ValueType, len(f.shape))
		for j := range params {
			params[j] = api.ValueTypeI32
			if f.shape[j] < 'a' {
				params[j] = api.ValueTypeI64
			}
		}
		results := []api.ValueType{api.ValueTypeI32}
		if f.void {
			results = nil
		}
		b.NewFunctionBuilder().WithGoModuleFunction(f.enter(), params, results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("offering module %s: %w", module, err)
	}
	return nil
}

// enter is the wazero form of f: it finds the VM, notes the call, runs it.
func (f *hostFunction) enter() api.GoModuleFunc {
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		vm, _ := ctx.Value(vmKey{}).(*VM) // NewVM puts it there
		at := vm.traceHostCall(f, stack)
		status := vm.options.Fault(f.name)
		if status == StatusOK {
			status = f.call(vm, stack)
		}
		if !f.void {
			stack[0] = uint64(status)
		}
		vm.traceResult(at, uint64(status))
	}
}

// bytes reads guest memory; the slice is only valid until the guest runs again.
func (vm *VM) bytes(pointer, size uint64) ([]byte, bool) {
	return vm.memory.Read(uint32(pointer), uint32(size))
}

// text reads guest memory as a string.
func (vm *VM) text(pointer, size uint64) (string, bool) {
	b, ok := vm.bytes(pointer, size)
	return string(b), ok
}
