package wasmhost

import "fmt"

// HTTPCall is a request of the filter's own to a cluster. The filter waits for its
// answer, see VM.Answer.
type HTTPCall struct {
	Cluster string
	Headers Headers
	Body    []byte

	token uint32
	root  uint32 // context that made it
}

// TakeCalls returns the requests that the filter has made since it was last asked.
func (vm *VM) TakeCalls() []HTTPCall {
	calls := vm.calls
	vm.calls = nil
	return calls
}

// Answer gives the filter the body of the answer to a call; nil tells that the call
// failed, or that its time is over.
func (vm *VM) Answer(c HTTPCall, body []byte) error {
	headers := uint64(1)
	if body == nil {
		headers = 0
	}
	vm.answer = body
	_, err := vm.call("proxy_on_http_call_response", uint64(c.root), uint64(c.token), headers, uint64(len(body)), 0)
	vm.answer = nil
	return err
}

func hostHTTPCall(vm *VM, a []uint64) Status {
	cluster, ok := vm.text(a[0], a[1])
	headers, ok2 := vm.bytes(a[2], a[3])
	body, ok3 := vm.text(a[4], a[5])
	if !ok || !ok2 || !ok3 {
		return StatusInvalidMemoryAccess
	}
	pairs, err := unmarshalPairs(headers)
	if err != nil {
		vm.abort(fmt.Errorf("proxy_http_call: %w", err))
	}
	vm.lastCall++
	root := vm.root
	if vm.trying != 0 {
		root = vm.trying
	}
	vm.calls = append(vm.calls, HTTPCall{Cluster: cluster, Headers: pairs, Body: []byte(body), token: vm.lastCall, root: root})
	if !vm.memory.WriteUint32Le(uint32(a[9]), vm.lastCall) {
		return StatusInvalidMemoryAccess
	}
	return StatusOK
}
