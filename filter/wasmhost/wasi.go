package wasmhost

import (
	"fmt"
	"io"
)

// Errors of WASI preview 1 (errno of the specification).
const (
	wasiSuccess Status = 0
	wasiBadFD   Status = 8
	wasiFault   Status = 21
	wasiInvalid Status = 28
)

// wasiRandomLimit is the most that Envoy hands out in one call.
const wasiRandomLimit = 64 << 10

func wasiRandom(vm *VM, a []uint64) Status {
	if uint32(a[1]) > wasiRandomLimit {
		return wasiInvalid
	}
	p, ok := vm.bytes(a[0], a[1])
	if !ok {
		return wasiFault
	}
	if _, err := io.ReadFull(vm.options.Random, p); err != nil {
		vm.abort(fmt.Errorf("reading %d random bytes for the guest: %w", len(p), err))
	}
	return wasiSuccess
}

func wasiClock(vm *VM, a []uint64) Status {
	if !vm.memory.WriteUint64Le(uint32(a[2]), uint64(vm.options.Now().UnixNano())) {
		return wasiFault
	}
	return wasiSuccess
}

// wasiWrite makes lines of standard output and error log lines, as Envoy does.
func wasiWrite(vm *VM, a []uint64) Status {
	level := LevelInfo
	switch uint32(a[0]) {
	case 1:
	case 2:
		level = LevelError
	default:
		return wasiBadFD
	}
	var text []byte
	for i := range uint32(a[2]) {
		at, ok := vm.memory.ReadUint32Le(uint32(a[1]) + 8*i)
		size, ok2 := vm.memory.ReadUint32Le(uint32(a[1]) + 8*i + 4)
		p, ok3 := vm.bytes(uint64(at), uint64(size))
		if !ok || !ok2 || !ok3 {
			return wasiFault
		}
		text = append(text, p...)
	}
	vm.options.Log(level, string(text))
	if !vm.memory.WriteUint32Le(uint32(a[3]), uint32(len(text))) {
		return wasiFault
	}
	return wasiSuccess
}

func wasiExit(vm *VM, a []uint64) Status {
	vm.abort(fmt.Errorf("the filter called proc_exit(%d)", uint32(a[0])))
	return wasiSuccess
}

// wasiNoFile answers calls on files, of which there are none.
func wasiNoFile(*VM, []uint64) Status { return wasiBadFD }

// wasiArgsSizes says that there are no arguments.
func wasiArgsSizes(vm *VM, a []uint64) Status {
	if !vm.memory.WriteUint32Le(uint32(a[0]), 0) || !vm.memory.WriteUint32Le(uint32(a[1]), 0) {
		return wasiFault
	}
	return wasiSuccess
}

func wasiArgs(*VM, []uint64) Status { return wasiSuccess }
