// Package tensor holds tensors as the Open Inference Protocol v2 knows them, and their JSON and binary forms.
//
// Numbers are kept as raw little-endian bytes, the form of the protocol's binary extension and of the machines that this
// program is built for, so that a binary request reaches the runtime without being converted.
package tensor

import "fmt"

// Type is an element type of the Open Inference Protocol. The zero Type is none of them.
type Type uint8

// The element types. Text is the protocol's BYTES: elements of any length.
const (
	Bool Type = iota + 1
	Uint8
	Uint16
	Uint32
	Uint64
	Int8
	Int16
	Int32
	Int64
	FP16
	BF16
	FP32
	FP64
	Text
)

var types = [...]struct {
	name string
	size int
}{
	Bool: {"BOOL", 1}, Uint8: {"UINT8", 1}, Uint16: {"UINT16", 2}, Uint32: {"UINT32", 4}, Uint64: {"UINT64", 8},
	Int8: {"INT8", 1}, Int16: {"INT16", 2}, Int32: {"INT32", 4}, Int64: {"INT64", 8},
	FP16: {"FP16", 2}, BF16: {"BF16", 2}, FP32: {"FP32", 4}, FP64: {"FP64", 8}, Text: {"BYTES", 0},
}

// ParseType returns the Type that the protocol calls name, such as "FP32".
func ParseType(name string) (Type, error) {
	for t := Bool; t <= Text; t++ {
		if types[t].name == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("unknown datatype %q (the protocol has BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, FP32, FP64 and BYTES)", name)
}

// String returns the protocol's name, such as "FP32".
func (t Type) String() string {
	if t < Bool || t > Text {
		return "no datatype"
	}
	return types[t].name
}

// Size returns the bytes of one element, 0 for Text.
func (t Type) Size() int { return types[t].size }
