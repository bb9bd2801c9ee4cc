package tensor_test

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/jsonread"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

func read(typ tensor.Type, data string, shape ...int64) (tensor.Tensor, error) {
	t := tensor.Tensor{Name: "x", Type: typ, Shape: shape}
	c := jsonread.New([]byte(data))
	err := tensor.ReadJSON(c, &t)
	if err == nil {
		err = c.End()
	}
	return t, err
}

func TestReadJSON(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		typ   tensor.Type
		data  string
		shape []int64
		want  any // a slice of the elements
	}{
		{tensor.Bool, "[true,false]", []int64{2}, []bool{true, false}},
		{tensor.Uint8, "[0,255]", []int64{2}, []uint8{0, 255}},
		{tensor.Uint16, "[65535]", []int64{1}, []uint16{65535}},
		{tensor.Uint32, "[4294967295]", []int64{1}, []uint32{math.MaxUint32}},
		{tensor.Uint64, "[18446744073709551615]", []int64{1}, []uint64{math.MaxUint64}},
		{tensor.Int8, "[-128,127]", []int64{2}, []int8{-128, 127}},
		{tensor.Int16, "[-32768]", []int64{1}, []int16{-32768}},
		{tensor.Int32, "[-2147483648]", []int64{1}, []int32{math.MinInt32}},
		{tensor.Int64, "[9007199254740993,-9223372036854775808]", []int64{2}, []int64{9007199254740993, math.MinInt64}},
		{tensor.FP32, "[0.1,-0,1e-45,3]", []int64{4}, []float32{0.1, float32(math.Copysign(0, -1)), 1e-45, 3}},
		{tensor.FP64, `[0.1,NaN,"Infinity"]`, []int64{3}, []float64{0.1, nan, math.Inf(1)}},
		{tensor.Int32, "[1,2,3,4,5,6]", []int64{2, 3}, []int32{1, 2, 3, 4, 5, 6}},
		{tensor.Int32, "[[1,2,3],[4,5,6]]", []int64{2, 3}, []int32{1, 2, 3, 4, 5, 6}},
		{tensor.Int32, "[[[1],[2]]]", []int64{1, 2, 1}, []int32{1, 2}},
		{tensor.Int32, "[[],[]]", []int64{2, 0}, []int32(nil)},
		{tensor.Int32, "[]", []int64{0, 4}, []int32(nil)},
		{tensor.Int32, "[7]", []int64{}, []int32{7}},
	} {
		got, err := read(c.typ, c.data, c.shape...)
		if err != nil || got.Check() != nil {
			t.Errorf("%s %s %v: %v", c.typ, c.data, c.shape, err)
			continue
		}
		want := toBytes(c.want)
		if !bytes.Equal(got.Data, want) {
			t.Errorf("%s %s: got %v, want %v", c.typ, c.data, got.Data, want)
		}
	}
	text, err := read(tensor.Text, `["你好","","\u0000"]`, 3)
	if err != nil || !slices.EqualFunc(text.Elements, [][]byte{[]byte("你好"), {}, {0}}, bytes.Equal) {
		t.Errorf("BYTES: %q, %v", text.Elements, err)
	}
}

func toBytes(v any) []byte {
	switch v := v.(type) {
	case []bool:
		return tensor.BytesOf(v)
	case []uint8:
		return v
	case []uint16:
		return tensor.BytesOf(v)
	case []uint32:
		return tensor.BytesOf(v)
	case []uint64:
		return tensor.BytesOf(v)
	case []int8:
		return tensor.BytesOf(v)
	case []int16:
		return tensor.BytesOf(v)
	case []int32:
		return tensor.BytesOf(v)
	case []int64:
		return tensor.BytesOf(v)
	case []float32:
		return tensor.BytesOf(v)
	case []float64:
		return tensor.BytesOf(v)
	}
	panic(reflect.TypeOf(v))
}

func TestReadJSONRefuses(t *testing.T) {
	for _, c := range []struct {
		typ   tensor.Type
		data  string
		shape []int64
		err   string
	}{
		{tensor.FP16, "[1]", []int64{1}, "FP16 has no JSON form"},
		{tensor.BF16, "[1]", []int64{1}, "BF16 has no JSON form"},
		{tensor.Int32, "[1,2]", []int64{3}, "has 3 elements, the data 2"},
		{tensor.Int32, "[1,2,3,4]", []int64{3}, "more elements than the 3"},
		{tensor.Int32, "[[1,2],[3]]", []int64{2, 2}, "an array of length 1"},
		{tensor.Int32, "[[1,2,3],[4]]", []int64{2, 2}, "an array of length 3"},
		{tensor.Int32, "[[1,2]]", []int64{2}, "neither flat nor nested"},
		{tensor.Int32, "[1,[2]]", []int64{2, 1}, "neither flat nor nested"},
		{tensor.Int32, "[[1],2]", []int64{2, 1}, "less deeply"},
		{tensor.Int32, "[[1,2],[3,4]]", []int64{2, 2, 1}, "less deeply"},
		{tensor.Int32, "7", []int64{1}, "found a number where an array should be"},
		{tensor.Int32, "[-1]", []int64{-1}, "is negative"},
		{tensor.Int32, "[]", []int64{1 << 40, 1 << 40}, "more than"},
		{tensor.Int8, "[128]", []int64{1}, "128 is out of range"},
		{tensor.Uint8, "[-1]", []int64{1}, "not an integer"},
		{tensor.Int32, "[1.5]", []int64{1}, "not an integer"},
		{tensor.Int32, "[NaN]", []int64{1}, "found NaN"},
		{tensor.Bool, "[1]", []int64{1}, "found a number"},
		{tensor.FP32, `["1"]`, []int64{1}, "found a string"},
		{tensor.FP32, "[1e39]", []int64{1}, "out of range"},
		{tensor.Text, "[1]", []int64{1}, "found a number"},
		{tensor.Int32, "[1", []int64{1}, "ends inside"},
	} {
		if _, err := read(c.typ, c.data, c.shape...); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %s %v: error %v, want %q", c.typ, c.data, c.shape, err, c.err)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, c := range []struct {
		t    tensor.Tensor
		want string
	}{
		{tensor.Of("x", tensor.Bool, []int64{2}, []bool{true, false}), "[true,false]"},
		{tensor.Of("x", tensor.Uint8, []int64{1}, []uint8{255}), "[255]"},
		{tensor.Of("x", tensor.Uint64, []int64{1}, []uint64{math.MaxUint64}), "[18446744073709551615]"},
		{tensor.Of("x", tensor.Int64, []int64{1}, []int64{math.MinInt64}), "[-9223372036854775808]"},
		{tensor.Of("x", tensor.FP32, []int64{4}, []float32{0.1, 1e-7, 16777216, float32(math.Inf(-1))}), `[0.1,1e-07,1.6777216e+07,"-Infinity"]`},
		{tensor.Of("x", tensor.FP64, []int64{2}, []float64{math.NaN(), math.Inf(1)}), `["NaN","Infinity"]`},
		{tensor.Tensor{Type: tensor.Text, Shape: []int64{2}, Elements: [][]byte{[]byte("a\"\n"), []byte("你")}}, `["a\"\n","你"]`},
		{tensor.Tensor{Type: tensor.FP32, Shape: []int64{0}}, "[]"},
	} {
		if got, err := c.t.AppendJSON(nil); err != nil || string(got) != c.want {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
	}
	for _, bad := range []tensor.Tensor{
		{Type: tensor.FP16, Shape: []int64{1}, Data: []byte{0, 0}},
		{Type: tensor.BF16, Shape: []int64{1}, Data: []byte{0, 0}},
		{Type: tensor.Text, Shape: []int64{1}, Elements: [][]byte{{0xff}}},
	} {
		if got, err := bad.AppendJSON(nil); err == nil || !strings.Contains(err.Error(), "ask for binary data") {
			t.Errorf("%s: got %s, %v", bad.Type, got, err)
		}
	}
}

func TestReadBinary(t *testing.T) {
	in := tensor.Tensor{Type: tensor.Int64, Shape: []int64{2}}
	odd := append([]byte{9}, tensor.BytesOf([]int64{-5, 6})...)[1:] // at an address that is not a multiple of 8
	if err := tensor.ReadBinary(odd, &in); err != nil || !slices.Equal(tensor.View[int64](in), []int64{-5, 6}) {
		t.Errorf("got %v, %v", in, err)
	}
	text := tensor.Tensor{Type: tensor.Text, Shape: []int64{1, 2}}
	if err := tensor.ReadBinary([]byte("\x02\x00\x00\x00hi\x00\x00\x00\x00"), &text); err != nil || string(text.Elements[0]) != "hi" || len(text.Elements[1]) != 0 {
		t.Errorf("got %q, %v", text.Elements, err)
	}
	for _, c := range []struct {
		typ   tensor.Type
		data  string
		shape []int64
		err   string
	}{
		{tensor.Int64, "1234567", []int64{1}, "takes 8 bytes"},
		{tensor.Bool, "\x00\x02", []int64{2}, "element 1 of BOOL is the byte 2"},
		{tensor.Text, "\x02\x00\x00\x00h", []int64{1}, "says it has 2 bytes, 1 are left"},
		{tensor.Text, "\x02\x00\x00", []int64{1}, "take at least 4 bytes"},
		{tensor.Text, "\x00\x00\x00\x00x", []int64{1}, "1 bytes are left"},
		{tensor.Text, "\x04\x00\x00\x00abcd", []int64{2}, "ends before BYTES element 1"},
		{tensor.Text, "", []int64{1 << 30}, "take at least"},
		{tensor.FP32, "", []int64{-1}, "negative"},
	} {
		x := tensor.Tensor{Type: c.typ, Shape: c.shape}
		if err := tensor.ReadBinary([]byte(c.data), &x); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %q: error %v, want %q", c.typ, c.data, err, c.err)
		}
	}
}

func TestParseType(t *testing.T) {
	for typ := tensor.Bool; typ <= tensor.Text; typ++ {
		if got, err := tensor.ParseType(typ.String()); err != nil || got != typ {
			t.Errorf("%s: got %v, %v", typ, got, err)
		}
	}
	for _, name := range []string{"", "fp32", "STRING", "no datatype"} {
		if _, err := tensor.ParseType(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// FuzzJSON: what is read is written, and read again as the same.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"[1,2]", "[[1],[2]]", `["a","b"]`, "[true,false]", "[NaN,1e9]", "[18446744073709551615,0]", "[", "[[[["} {
		for typ := tensor.Bool; typ <= tensor.Text; typ++ {
			f.Add(uint8(typ), int64(2), int64(1), s)
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, rows, cols int64, data string) {
		x := tensor.Tensor{Type: tensor.Type(typ%uint8(tensor.Text)) + 1, Shape: []int64{rows, cols}}
		if tensor.ReadJSON(jsonread.New([]byte(data)), &x) != nil {
			return
		}
		if err := x.Check(); err != nil {
			t.Fatalf("%q was read as %+v: %v", data, x, err)
		}
		written, err := x.AppendJSON(nil)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", x, err)
		}
		again := tensor.Tensor{Type: x.Type, Shape: x.Shape}
		if err := tensor.ReadJSON(jsonread.New(written), &again); err != nil {
			t.Fatalf("%s cannot be read: %v", written, err)
		}
		rewritten, err := again.AppendJSON(nil)
		if err != nil || !bytes.Equal(written, rewritten) {
			t.Fatalf("%s became %s, %v", written, rewritten, err)
		}
		binary, err := x.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		third := tensor.Tensor{Type: x.Type, Shape: x.Shape}
		if err := tensor.ReadBinary(binary, &third); err != nil {
			t.Fatalf("%x cannot be read: %v", binary, err)
		}
	})
}
