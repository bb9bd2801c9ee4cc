package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// ReadBinary fills t, whose Name, Type and Shape are set, from its form in the protocol's binary tensor data extension:
// little-endian elements; for BYTES each element is a 32-bit length and that many bytes. t may share b's memory.
func ReadBinary(b []byte, t *Tensor) error {
	n, err := Count(t.Shape)
	if err != nil {
		return err
	}
	if t.Type == Text {
		t.Elements, err = readElements(b, n)
		return err
	}
	if want := n * t.Type.Size(); len(b) != want {
		return fmt.Errorf("shape %v of %s takes %d bytes, the binary data has %d", t.Shape, t.Type, want, len(b))
	}
	if t.Type == Bool {
		if err := checkBools(b); err != nil {
			return err
		}
	}
	t.Data = aligned(b, t.Type.Size())
	return nil
}

// checkBools refuses bytes that are no C++ bool: reading them as one is undefined in the runtime.
func checkBools(b []byte) error {
	for i, v := range b {
		if v > 1 {
			return fmt.Errorf("element %d of BOOL is the byte %d, neither 0 nor 1", i, v)
		}
	}
	return nil
}

// aligned returns b, or a copy of it where its address is not a multiple of size: the runtime reads whole elements.
func aligned(b []byte, size int) []byte {
	if len(b) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(size) == 0 {
		return b
	}
	out := make([]uint64, (len(b)+7)/8)
	a := BytesOf(out)[:len(b)]
	copy(a, b)
	return a
}

func readElements(b []byte, n int) ([][]byte, error) {
	const prefix = 4
	if n > len(b)/prefix {
		return nil, fmt.Errorf("%d BYTES elements take at least %d bytes, the binary data has %d", n, n*prefix, len(b))
	}
	out := make([][]byte, 0, n)
	for i := range n {
		if len(b) < prefix {
			return nil, fmt.Errorf("the binary data ends before BYTES element %d of %d", i, n)
		}
		size := uint64(binary.LittleEndian.Uint32(b))
		b = b[prefix:]
		if size > uint64(len(b)) {
			return nil, fmt.Errorf("BYTES element %d says it has %d bytes, %d are left", i, size, len(b))
		}
		out = append(out, b[:size:size])
		b = b[size:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes are left after the last of %d BYTES elements", len(b), n)
	}
	return out, nil
}

// AppendBinary appends t in the form that ReadBinary reads.
func (t Tensor) AppendBinary(b []byte) ([]byte, error) {
	if t.Type != Text {
		return append(b, t.Data...), nil
	}
	for i, e := range t.Elements {
		if uint64(len(e)) > math.MaxUint32 {
			return nil, fmt.Errorf("element %d has %d bytes, more than its length field can say", i, len(e))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	return b, nil
}
