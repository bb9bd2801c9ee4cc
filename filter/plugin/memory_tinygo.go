//go:build wasip1 && tinygo

package plugin

// memoryPages is the instruction memory.size: the pages of the memory with the
// given index.
//
//export llvm.wasm.memory.size.i32
func memoryPages(index int32) int32
