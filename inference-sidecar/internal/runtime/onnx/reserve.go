package onnx

import (
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// plan tells how an output gets its memory. The wrapper lets the library allocate and copies, which it cannot for
// scalars and for 16-bit floating point: for these the memory must be there before the run.
type plan uint8

const (
	byLibrary plan = iota
	asScalar
	asBytes
)

// planOutput refuses outputs whose memory would have to be there before the run while their size is not known then. The
// first dimension may vary: it is then the batch, and that of the first input.
func planOutput(o, firstInput runtime.Info) (plan, error) {
	half := o.Type == tensor.FP16 || o.Type == tensor.BF16
	switch {
	case !half && len(o.Shape) == 0 && o.Type != tensor.Text:
		return asScalar, nil
	case !half:
		return byLibrary, nil
	case len(o.Shape) == 0 || slices.Contains(o.Shape[1:], -1):
		return 0, fmt.Errorf("output %q is %s of shape %v: its size must be known but for the first dimension; export it as FP32", o.Name, o.Type, o.Shape)
	case o.Shape[0] == -1 && len(firstInput.Shape) == 0:
		return 0, fmt.Errorf("output %q is %s of shape %v and the first input has no batch dimension to take its size from; export it as FP32", o.Name, o.Type, o.Shape)
	}
	return asBytes, nil
}

// reserve appends one entry for each output: nil where the library allocates.
func (v *values) reserve(outputs []runtime.Info, plans []plan, inputs []tensor.Tensor) error {
	for i, o := range outputs {
		value, err := v.place(o, plans[i], inputs)
		if err != nil {
			return fmt.Errorf("output %q: %w", o.Name, err)
		}
		v.all = append(v.all, value)
	}
	return nil
}

func (v *values) place(o runtime.Info, p plan, inputs []tensor.Tensor) (ort.Value, error) {
	switch p {
	case asScalar:
		return v.make(tensor.Tensor{Type: o.Type, Data: make([]byte, o.Type.Size())})
	case asBytes:
		shape := slices.Clone(o.Shape)
		if shape[0] == -1 {
			shape[0] = inputs[0].Shape[0]
		}
		n, err := tensor.Count(shape)
		if err != nil {
			return nil, err
		}
		return v.make(tensor.Tensor{Type: o.Type, Shape: shape, Data: make([]byte, n*o.Type.Size())})
	}
	return nil, nil
}
