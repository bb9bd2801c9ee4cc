//go:build wasip1

package plugin

import "runtime"

// Counters of the Go heap, exported so that a test can prove that requests
// allocate nothing once the pools are warm.

var memory runtime.MemStats

//export weir_mallocs
func weirMallocs() uint64 {
	runtime.ReadMemStats(&memory)
	return memory.Mallocs
}

//export weir_heap
func weirHeap() uint64 {
	runtime.ReadMemStats(&memory)
	return memory.HeapInuse
}
