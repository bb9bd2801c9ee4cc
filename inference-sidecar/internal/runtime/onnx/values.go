package onnx

import (
	"bytes"
	"fmt"
	"reflect"
	stdruntime "runtime"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

var elementTypes = map[ort.TensorElementDataType]tensor.Type{
	ort.TensorElementDataTypeBool: tensor.Bool, ort.TensorElementDataTypeString: tensor.Text,
	ort.TensorElementDataTypeUint8: tensor.Uint8, ort.TensorElementDataTypeUint16: tensor.Uint16,
	ort.TensorElementDataTypeUint32: tensor.Uint32, ort.TensorElementDataTypeUint64: tensor.Uint64,
	ort.TensorElementDataTypeInt8: tensor.Int8, ort.TensorElementDataTypeInt16: tensor.Int16,
	ort.TensorElementDataTypeInt32: tensor.Int32, ort.TensorElementDataTypeInt64: tensor.Int64,
	ort.TensorElementDataTypeFloat16: tensor.FP16, ort.TensorElementDataTypeBFloat16: tensor.BF16,
	ort.TensorElementDataTypeFloat: tensor.FP32, ort.TensorElementDataTypeDouble: tensor.FP64,
}

var elementKinds = func() map[tensor.Type]ort.TensorElementDataType {
	m := make(map[tensor.Type]ort.TensorElementDataType, len(elementTypes))
	for kind, typ := range elementTypes {
		m[typ] = kind
	}
	return m
}()

// values are the wrapper's objects of one run and the pins on the Go memory that they point into.
type values struct {
	all  []ort.Value
	pins stdruntime.Pinner
}

// destroy frees what was made. An entry may be nil, or an interface that holds a nil pointer: so the wrapper leaves
// outputs that it failed to convert.
func (v *values) destroy() {
	for _, value := range v.all {
		if value != nil && !reflect.ValueOf(value).IsNil() {
			// Destroy only ever returns nil for tensors.
			_ = value.Destroy()
		}
	}
	v.pins.Unpin()
}

// input makes a value over t's memory, without a copy except for Text.
func (v *values) input(t tensor.Tensor) error {
	value, err := v.make(t)
	if err != nil {
		return runtime.InputErrorf("input %q: %v", t.Name, err)
	}
	v.all = append(v.all, value)
	return nil
}

func (v *values) make(t tensor.Tensor) (ort.Value, error) {
	switch {
	case t.Type == tensor.Text:
		return text(t)
	case len(t.Shape) == 0:
		return scalar(t)
	}
	data := t.Data
	if len(data) == 0 {
		data = make([]byte, 8) // the library wants an address even where the shape has no element
	}
	v.pins.Pin(&data[0])
	return ort.NewCustomDataTensor(ort.Shape(t.Shape), data, elementKinds[t.Type])
}

func text(t tensor.Tensor) (ort.Value, error) {
	if len(t.Shape) == 0 {
		return nil, fmt.Errorf("a BYTES scalar cannot be passed on: give it a dimension")
	}
	contents := make([]string, len(t.Elements))
	for i, e := range t.Elements {
		if bytes.IndexByte(e, 0) >= 0 {
			return nil, fmt.Errorf("element %d holds a zero byte, at which the runtime would cut it off", i)
		}
		contents[i] = string(e)
	}
	value, err := ort.NewStringTensor(ort.Shape(t.Shape))
	if err != nil {
		return nil, err
	}
	if err := value.SetContents(contents); err != nil {
		_ = value.Destroy()
		return nil, err
	}
	return value, nil
}

func scalar(t tensor.Tensor) (ort.Value, error) {
	switch t.Type {
	case tensor.Bool:
		return ort.NewScalar(tensor.View[bool](t)[0])
	case tensor.Uint8:
		return ort.NewScalar(tensor.View[uint8](t)[0])
	case tensor.Uint16:
		return ort.NewScalar(tensor.View[uint16](t)[0])
	case tensor.Uint32:
		return ort.NewScalar(tensor.View[uint32](t)[0])
	case tensor.Uint64:
		return ort.NewScalar(tensor.View[uint64](t)[0])
	case tensor.Int8:
		return ort.NewScalar(tensor.View[int8](t)[0])
	case tensor.Int16:
		return ort.NewScalar(tensor.View[int16](t)[0])
	case tensor.Int32:
		return ort.NewScalar(tensor.View[int32](t)[0])
	case tensor.Int64:
		return ort.NewScalar(tensor.View[int64](t)[0])
	case tensor.FP32:
		return ort.NewScalar(tensor.View[float32](t)[0])
	case tensor.FP64:
		return ort.NewScalar(tensor.View[float64](t)[0])
	default:
		return nil, fmt.Errorf("a %s scalar cannot be passed on: give it a dimension", t.Type)
	}
}

// output converts what a run produced. The memory is Go's and outlives the value.
func output(info runtime.Info, value ort.Value) (tensor.Tensor, error) {
	out := tensor.Tensor{Name: info.Name, Type: info.Type, Shape: append([]int64{}, value.GetShape()...)}
	switch v := value.(type) {
	case *ort.StringTensor:
		contents, err := v.GetContents()
		if err != nil {
			return out, fmt.Errorf("output %q: %w", info.Name, err)
		}
		out.Elements = make([][]byte, len(contents))
		for i, s := range contents {
			out.Elements[i] = []byte(s)
		}
	case *ort.CustomDataTensor:
		// One that stands for no element has memory all the same: see make.
		n, err := tensor.Count(out.Shape)
		if err != nil {
			return out, fmt.Errorf("output %q: %w", info.Name, err)
		}
		out.Data = v.GetData()[:n*info.Type.Size()]
	default:
		data, err := numbers(value)
		if err != nil {
			return out, fmt.Errorf("output %q: %w", info.Name, err)
		}
		out.Data = data
	}
	if err := out.Check(); err != nil {
		return out, fmt.Errorf("output %q: %w", info.Name, err)
	}
	return out, nil
}

func numbers(value ort.Value) ([]byte, error) {
	for _, read := range []func(ort.Value) ([]byte, bool){
		numbersOf[float32], numbersOf[int64], numbersOf[float64], numbersOf[int32], numbersOf[bool], numbersOf[uint8],
		numbersOf[int8], numbersOf[uint16], numbersOf[int16], numbersOf[uint32], numbersOf[uint64],
	} {
		if data, ok := read(value); ok {
			return data, nil
		}
	}
	return nil, fmt.Errorf("the runtime gave a %T, which the protocol has no form for", value)
}

func numbersOf[E tensor.Element](value ort.Value) ([]byte, bool) {
	switch v := value.(type) {
	case interface{ GetData() []E }:
		return tensor.BytesOf(v.GetData()), true
	case interface{ GetData() E }:
		return tensor.BytesOf([]E{v.GetData()}), true
	}
	return nil, false
}
