package wasmhost

import (
	"fmt"
	"strings"
)

// Call is one call between host and filter, reduced to what must be the same
// under every host: pointers, metric ids and versions are left out.
type Call struct {
	Callback bool     // host to filter; else filter to host
	Name     string   // exported or imported name, without its module
	Args     []uint64 // values and sizes, no pointers
	Result   uint32
}

// String is the form of the trace files: "> proxy_on_log(2) = 0" for a callback,
// "  < proxy_set_property(4, 90) = 0" for a host call.
func (c Call) String() string {
	var b strings.Builder
	if c.Callback {
		b.WriteString("> ")
	} else {
		b.WriteString("  < ")
	}
	b.WriteString(c.Name + "(")
	for i, a := range c.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d", a)
	}
	fmt.Fprintf(&b, ") = %d", c.Result)
	return b.String()
}

// Trace returns the calls since it was last asked, if Options.Trace is set.
func (vm *VM) Trace() []Call {
	calls := vm.trace
	vm.trace = nil
	return calls
}

// traceCallback notes a callback and returns its place for traceResult.
func (vm *VM) traceCallback(name string, args []uint64) int {
	if !vm.options.Trace || !strings.HasPrefix(name, "proxy_") {
		return -1
	}
	vm.trace = append(vm.trace, Call{Callback: true, Name: name, Args: append([]uint64(nil), args...)})
	return len(vm.trace) - 1
}

func (vm *VM) traceHostCall(f *hostFunction, args []uint64) int {
	if !vm.options.Trace {
		return -1
	}
	vm.trace = append(vm.trace, Call{Name: f.name, Args: f.comparable(args)})
	return len(vm.trace) - 1
}

func (vm *VM) traceResult(at int, result uint64) {
	if at >= 0 {
		vm.trace[at].Result = uint32(result)
	}
}
