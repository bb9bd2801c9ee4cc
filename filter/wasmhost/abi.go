package wasmhost

import (
	"fmt"
	"time"
)

func hostLog(vm *VM, a []uint64) Status {
	message, ok := vm.text(a[1], a[2])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	level := Level(a[0])
	if level > LevelCritical {
		return StatusBadArgument
	}
	if level >= LevelError {
		vm.errors = append(vm.errors, message)
	}
	vm.options.Log(level, message)
	return StatusOK
}

func hostTime(vm *VM, a []uint64) Status {
	if !vm.memory.WriteUint64Le(uint32(a[0]), uint64(vm.options.Now().UnixNano())) {
		return StatusInvalidMemoryAccess
	}
	return StatusOK
}

func hostSetTickPeriod(vm *VM, a []uint64) Status {
	vm.tickPeriod = time.Duration(a[0]) * time.Millisecond
	return StatusOK
}

func hostGetProperty(vm *VM, a []uint64) Status {
	path, ok := vm.text(a[0], a[1])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	if vm.current == nil {
		return StatusNotFound
	}
	value, ok := vm.current.property(path)
	if !ok {
		return StatusNotFound
	}
	return vm.handOut([]byte(value), uint32(a[2]), uint32(a[3]))
}

func hostSetProperty(vm *VM, a []uint64) Status {
	path, ok := vm.text(a[0], a[1])
	value, ok2 := vm.text(a[2], a[3])
	if !ok || !ok2 {
		return StatusInvalidMemoryAccess
	}
	if vm.current == nil {
		return StatusNotFound
	}
	vm.current.setProperty(path, value)
	return StatusOK
}

// headerCall runs f on the header map and the name that the guest gave.
func headerCall(vm *VM, a []uint64, f func(h *Headers, name string) Status) Status {
	name, ok := vm.text(a[1], a[2])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	h := vm.current.headerMap(mapType(a[0]))
	if h == nil {
		return StatusBadArgument
	}
	return f(h, name)
}

// headerValueCall is headerCall for functions that take a value as well.
func headerValueCall(vm *VM, a []uint64, f func(h *Headers, name, value string)) Status {
	return headerCall(vm, a, func(h *Headers, name string) Status {
		value, ok := vm.text(a[3], a[4])
		if !ok {
			return StatusInvalidMemoryAccess
		}
		f(h, name, value)
		return StatusOK
	})
}

func hostGetPairs(vm *VM, a []uint64) Status {
	h := vm.current.headerMap(mapType(a[0]))
	if h == nil || len(*h) == 0 {
		return vm.handOut(nil, uint32(a[1]), uint32(a[2]))
	}
	return vm.handOut(marshalPairs(*h), uint32(a[1]), uint32(a[2]))
}

func hostGetHeader(vm *VM, a []uint64) Status {
	return headerCall(vm, a, func(h *Headers, name string) Status {
		value, ok := h.Get(name)
		if !ok {
			return StatusNotFound
		}
		return vm.handOut([]byte(value), uint32(a[3]), uint32(a[4]))
	})
}

func hostAddHeader(vm *VM, a []uint64) Status { return headerValueCall(vm, a, (*Headers).add) }

func hostReplaceHeader(vm *VM, a []uint64) Status { return headerValueCall(vm, a, (*Headers).set) }

func hostRemoveHeader(vm *VM, a []uint64) Status {
	return headerCall(vm, a, func(h *Headers, name string) Status {
		h.remove(name)
		return StatusOK
	})
}

// bufferOf is the buffer that the guest may use now, or nil.
func (vm *VM) bufferOf(t bufferType) *buffer {
	switch t {
	case bufferCallBody:
		if vm.answer != nil {
			return &buffer{data: vm.answer, readOnly: true}
		}
	case bufferPluginConfig:
		if vm.config != nil {
			return &buffer{data: vm.config, readOnly: true}
		}
	case bufferVMConfig:
		return &buffer{readOnly: true}
	case bufferRequestBody:
		if vm.current != nil {
			return vm.bodyBuffer(&vm.current.request)
		}
	case bufferResponseBody:
		if vm.current != nil {
			return vm.bodyBuffer(&vm.current.response)
		}
	}
	return nil
}

func (vm *VM) bodyBuffer(b *body) *buffer {
	buffer, err := b.buffer()
	if err != nil {
		vm.abort(err)
	}
	return buffer
}

func hostGetBuffer(vm *VM, a []uint64) Status {
	b := vm.bufferOf(bufferType(a[0]))
	if b == nil {
		return StatusNotFound
	}
	p, status := b.slice(uint32(a[1]), uint32(a[2]))
	if status != StatusOK {
		return status
	}
	return vm.handOut(p, uint32(a[3]), uint32(a[4]))
}

func hostSetBuffer(vm *VM, a []uint64) Status {
	b := vm.bufferOf(bufferType(a[0]))
	if b == nil {
		return StatusNotFound
	}
	p, ok := vm.bytes(a[3], a[4])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	return b.replace(uint32(a[1]), uint32(a[2]), p)
}

func hostLocalResponse(vm *VM, a []uint64) Status {
	details, ok := vm.text(a[1], a[2])
	body, ok2 := vm.text(a[3], a[4])
	pairs, ok3 := vm.bytes(a[5], a[6])
	if !ok || !ok2 || !ok3 {
		return StatusInvalidMemoryAccess
	}
	headers, err := unmarshalPairs(pairs)
	if err != nil {
		vm.abort(fmt.Errorf("proxy_send_local_response: %w", err))
	}
	if vm.current != nil {
		vm.current.pending = append(vm.current.pending,
			&Reply{Status: int(uint32(a[0])), Headers: headers.lower(), Body: []byte(body), Details: details, GRPC: int(int32(uint32(a[7])))})
	}
	return StatusOK
}

func hostGetShared(vm *VM, a []uint64) Status {
	key, ok := vm.text(a[0], a[1])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	value, cas, status := vm.options.Shared.Get(key)
	if status != StatusOK {
		return status
	}
	if status := vm.handOut(value, uint32(a[2]), uint32(a[3])); status != StatusOK {
		return status
	}
	if !vm.memory.WriteUint32Le(uint32(a[4]), cas) {
		return StatusInvalidMemoryAccess
	}
	return StatusOK
}

func hostSetShared(vm *VM, a []uint64) Status {
	key, ok := vm.text(a[0], a[1])
	value, ok2 := vm.bytes(a[2], a[3])
	if !ok || !ok2 {
		return StatusInvalidMemoryAccess
	}
	return vm.options.Shared.Set(key, value, uint32(a[4]))
}

// hostForeign offers the one foreign function that Envoy has for routing.
func hostForeign(vm *VM, a []uint64) Status {
	name, ok := vm.text(a[0], a[1])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	if name != "clear_route_cache" {
		return StatusNotFound
	}
	if vm.current == nil {
		return StatusBadArgument
	}
	vm.current.routeClears++
	return StatusOK
}

func hostDefineMetric(vm *VM, a []uint64) Status {
	name, ok := vm.text(a[1], a[2])
	if !ok {
		return StatusInvalidMemoryAccess
	}
	if metricType(a[0]) > metricHistogram {
		return StatusBadArgument
	}
	if !vm.memory.WriteUint32Le(uint32(a[3]), vm.metrics.define(metricType(a[0]), name)) {
		return StatusInvalidMemoryAccess
	}
	return StatusOK
}

func hostIncrementMetric(vm *VM, a []uint64) Status {
	return vm.metrics.increment(uint32(a[0]), int64(a[1]))
}

func hostRecordMetric(vm *VM, a []uint64) Status { return vm.metrics.record(uint32(a[0]), a[1]) }

// hostEffectiveContext makes a stream the one that host calls are about, until the
// callback ends; of root contexts there is one.
func hostEffectiveContext(vm *VM, a []uint64) Status {
	if id := uint32(a[0]); id != vm.root {
		s := vm.streams[id]
		if s == nil {
			return StatusBadArgument
		}
		vm.current = s
	} else {
		vm.current = nil
	}
	return StatusOK
}

// hostCloseStream resets a stream when the callback has ended.
func hostCloseStream(vm *VM, a []uint64) Status {
	if vm.current == nil || a[0] > closeResponse {
		return StatusBadArgument
	}
	vm.current.Closed = true
	return StatusOK
}

// closeResponse is WasmStreamType::Response, the last of the types that HTTP streams
// have.
const closeResponse = 1
