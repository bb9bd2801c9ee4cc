package tensor

import (
	"fmt"
	"math"
	"unsafe"
)

// MaxElements bounds the elements of one tensor, so that no product of dimensions overflows.
const MaxElements = math.MaxInt32

// Tensor is a named, dense, row-major array.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int64
	// Data holds Count(Shape) * Type.Size() little-endian bytes; nil for Text.
	Data []byte
	// Elements holds the Count(Shape) elements of a Text tensor; nil otherwise.
	Elements [][]byte
}

// Count returns the number of elements of a shape; 1 for a scalar, whose shape is empty.
func Count(shape []int64) (int, error) {
	n := int64(1)
	for i, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("dimension %d of shape %v is negative", i, shape)
		}
		if d != 0 && n > MaxElements/d {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, MaxElements)
		}
		n *= d
	}
	return int(n), nil
}

// Check tells whether t holds as many elements as its shape says.
func (t Tensor) Check() error {
	n, err := Count(t.Shape)
	if err != nil {
		return err
	}
	if t.Type == Text && len(t.Elements) != n {
		return fmt.Errorf("shape %v has %d elements, the data %d", t.Shape, n, len(t.Elements))
	}
	if t.Type != Text && len(t.Data) != n*t.Type.Size() {
		return fmt.Errorf("shape %v of %s takes %d bytes, the data has %d", t.Shape, t.Type, n*t.Type.Size(), len(t.Data))
	}
	return nil
}

// Element is a Go type that a Tensor's Data can be viewed as.
type Element interface {
	~bool | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Of returns a Tensor over the memory of data, which must not be changed afterwards.
func Of[E Element](name string, typ Type, shape []int64, data []E) Tensor {
	return Tensor{Name: name, Type: typ, Shape: shape, Data: BytesOf(data)}
}

// BytesOf returns the memory of data as bytes.
func BytesOf[E Element](data []E) []byte {
	if len(data) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(data[0])))
}

// View returns t's Data as elements of type E, whose size must be that of t.Type. It shares t's memory, or is a copy
// where that memory is not aligned for E.
func View[E Element](t Tensor) []E {
	var e E
	size := int(unsafe.Sizeof(e))
	n := len(t.Data) / size
	if n == 0 {
		return nil
	}
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if uintptr(p)%uintptr(size) == 0 {
		return unsafe.Slice((*E)(p), n)
	}
	out := make([]E, n)
	copy(BytesOf(out), t.Data)
	return out
}
