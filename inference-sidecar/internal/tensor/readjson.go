package tensor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirmesh/weir/inference-sidecar/internal/jsonread"
)

// ReadJSON fills t, whose Name, Type and Shape are set, from the JSON array at c: flat, or nested as the shape says, in
// row-major order. Integers are taken exactly; floating point numbers may be NaN, Infinity or -Infinity, bare or as
// strings. FP16 and BF16 have no JSON form.
func ReadJSON(c *jsonread.Cursor, t *Tensor) error {
	if t.Type == FP16 || t.Type == BF16 {
		return fmt.Errorf("%s has no JSON form: send it as binary data", t.Type)
	}
	n, err := Count(t.Shape)
	if err != nil {
		return err
	}
	r := reader{c: c, t: t, want: n, element: elementReaders[t.Type]}
	r.reserve()
	if err := r.array(0); err != nil {
		return err
	}
	if r.got != n {
		return c.Errorf("shape %v has %d elements, the data %d", t.Shape, n, r.got)
	}
	return nil
}

type reader struct {
	c         *jsonread.Cursor
	t         *Tensor
	want, got int
	nested    bool
	element   func(*jsonread.Cursor, *Tensor) error
}

// reserve allocates for the shape, once, but for no more than what is left of the document can hold, an element and a
// comma being at least two bytes: the shape is a stranger's claim.
func (r *reader) reserve() {
	n := min(r.want, r.c.Left()/2)
	if r.t.Type == Text {
		r.t.Elements = make([][]byte, 0, n)
		return
	}
	r.t.Data = make([]byte, 0, n*r.t.Type.Size())
}

func (r *reader) array(dim int) error {
	length := 0
	err := r.c.Array(func(i int) error {
		length++
		if r.c.Kind() == jsonread.Array {
			return r.nest(dim, i)
		}
		if r.nested && dim != len(r.t.Shape)-1 {
			return r.c.Errorf("the data is nested less deeply than shape %v", r.t.Shape)
		}
		if r.got == r.want {
			return r.c.Errorf("the data has more elements than the %d of shape %v", r.want, r.t.Shape)
		}
		r.got++
		return r.element(r.c, r.t)
	})
	if err == nil && r.nested && int64(length) != r.t.Shape[dim] {
		return r.c.Errorf("an array of length %d where shape %v says %d", length, r.t.Shape, r.t.Shape[dim])
	}
	return err
}

// nest reads an array inside the array of dimension dim. The first element of all decides whether data is nested.
func (r *reader) nest(dim, i int) error {
	if dim == 0 && i == 0 {
		r.nested = true
	}
	if !r.nested || dim+1 >= len(r.t.Shape) {
		return r.c.Errorf("the data is neither flat nor nested as shape %v says", r.t.Shape)
	}
	return r.array(dim + 1)
}

var elementReaders = [...]func(*jsonread.Cursor, *Tensor) error{
	Bool: func(c *jsonread.Cursor, t *Tensor) error {
		v, err := c.Bool()
		var b byte
		if v {
			b = 1
		}
		t.Data = append(t.Data, b)
		return err
	},
	Uint8: readUint(8), Uint16: readUint(16), Uint32: readUint(32), Uint64: readUint(64),
	Int8: readInt(8), Int16: readInt(16), Int32: readInt(32), Int64: readInt(64),
	FP32: func(c *jsonread.Cursor, t *Tensor) error {
		v, err := c.Float(32)
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(v)))
		return err
	},
	FP64: func(c *jsonread.Cursor, t *Tensor) error {
		v, err := c.Float(64)
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
		return err
	},
	Text: func(c *jsonread.Cursor, t *Tensor) error {
		v, err := c.Text()
		t.Elements = append(t.Elements, []byte(v))
		return err
	},
}

func readInt(bits int) func(*jsonread.Cursor, *Tensor) error {
	return func(c *jsonread.Cursor, t *Tensor) error {
		v, err := c.Int(bits)
		t.Data = appendBits(t.Data, uint64(v), bits)
		return err
	}
}

func readUint(bits int) func(*jsonread.Cursor, *Tensor) error {
	return func(c *jsonread.Cursor, t *Tensor) error {
		v, err := c.Uint(bits)
		t.Data = appendBits(t.Data, v, bits)
		return err
	}
}

func appendBits(b []byte, v uint64, bits int) []byte {
	switch bits {
	case 8:
		return append(b, byte(v))
	case 16:
		return binary.LittleEndian.AppendUint16(b, uint16(v))
	case 32:
		return binary.LittleEndian.AppendUint32(b, uint32(v))
	default:
		return binary.LittleEndian.AppendUint64(b, v)
	}
}
