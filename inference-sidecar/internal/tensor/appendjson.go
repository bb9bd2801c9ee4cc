package tensor

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends t's data as one flat JSON array. Floating point numbers are written with the fewest digits that
// read back the same; NaN and the infinities, which JSON lacks, become the strings "NaN", "Infinity" and "-Infinity" of
// the JSON form of protocol buffers. FP16, BF16 and Text that is not UTF-8 have no JSON form and are an error.
func (t Tensor) AppendJSON(b []byte) ([]byte, error) {
	switch t.Type {
	case Bool:
		return appendArray(b, t.Data, func(b []byte, v byte) []byte { return strconv.AppendBool(b, v != 0) }), nil
	case Uint8:
		return appendUints(b, View[uint8](t)), nil
	case Uint16:
		return appendUints(b, View[uint16](t)), nil
	case Uint32:
		return appendUints(b, View[uint32](t)), nil
	case Uint64:
		return appendUints(b, View[uint64](t)), nil
	case Int8:
		return appendInts(b, View[int8](t)), nil
	case Int16:
		return appendInts(b, View[int16](t)), nil
	case Int32:
		return appendInts(b, View[int32](t)), nil
	case Int64:
		return appendInts(b, View[int64](t)), nil
	case FP32:
		return appendArray(b, View[float32](t), func(b []byte, v float32) []byte { return AppendFloat(b, float64(v), 32) }), nil
	case FP64:
		return appendArray(b, View[float64](t), func(b []byte, v float64) []byte { return AppendFloat(b, v, 64) }), nil
	case Text:
		return appendTexts(b, t.Elements)
	default:
		return nil, fmt.Errorf("%s has no JSON form: ask for binary data", t.Type)
	}
}

// AppendFloat appends v, which has the given number of bits (32 or 64), as AppendJSON does.
func AppendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}

func appendInts[E int8 | int16 | int32 | int64](b []byte, data []E) []byte {
	return appendArray(b, data, func(b []byte, v E) []byte { return strconv.AppendInt(b, int64(v), 10) })
}

func appendUints[E uint8 | uint16 | uint32 | uint64](b []byte, data []E) []byte {
	return appendArray(b, data, func(b []byte, v E) []byte { return strconv.AppendUint(b, uint64(v), 10) })
}

func appendArray[E any](b []byte, data []E, one func([]byte, E) []byte) []byte {
	b = append(b, '[')
	for i, v := range data {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

func appendTexts(b []byte, elements [][]byte) ([]byte, error) {
	b = append(b, '[')
	for i, e := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		if !utf8.Valid(e) {
			return nil, fmt.Errorf("element %d is not UTF-8 and has no JSON form: ask for binary data", i)
		}
		quoted, err := json.Marshal(string(e))
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		b = append(b, quoted...)
	}
	return append(b, ']'), nil
}
