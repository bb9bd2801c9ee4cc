// Package runtime says what the server needs of something that runs models. Package onnx runs them with ONNX Runtime,
// package fake in Go for tests.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// Info describes an input or output of a model.
type Info struct {
	Name string
	Type tensor.Type
	// Shape has -1 for a dimension that varies, the batch included.
	Shape []int64
}

// Session is a loaded model.
type Session interface {
	// Inputs and Outputs describe the model, in its own order. The slices must not be changed.
	Inputs() []Info
	Outputs() []Info
	// Run computes all outputs, in the order of Outputs, from one tensor for each input, in the order of Inputs. It may
	// be called from many goroutines, reads inputs only while it runs, and ends early when ctx does. The caller bounds
	// how many run at once. An error that the inputs are to blame for matches ErrInput.
	Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error)
	// Close waits for running calls and gives back the model's memory. Run fails afterwards.
	Close() error
}

// Engine loads models.
type Engine interface {
	// Platform is the name for model metadata, as in the Open Inference Protocol: "onnx_onnxv1".
	Platform() string
	// Load makes a Session of a model file's content.
	Load(model []byte) (Session, error)
}

// ErrInput is matched by errors of Run and Arrange that the sender of the inputs can mend.
var ErrInput = errors.New("invalid input")

// ErrClosed is returned by Run after Close.
var ErrClosed = errors.New("the model is unloaded")

// ErrMemory is matched by errors of Run over memory that is not to be had now.
var ErrMemory = errors.New("out of memory for models")

type inputError struct{ reason string }

func (e *inputError) Error() string        { return e.reason }
func (e *inputError) Is(target error) bool { return target == ErrInput }

// InputErrorf returns an error that matches ErrInput.
func InputErrorf(format string, args ...any) error {
	return &inputError{fmt.Sprintf(format, args...)}
}

// Arrange puts given tensors in the order of want and checks names, types and shapes. Errors match ErrInput.
func Arrange(want []Info, given []tensor.Tensor) ([]tensor.Tensor, error) {
	out := make([]tensor.Tensor, len(want))
	seen := make([]bool, len(want))
	for _, t := range given {
		i := slices.IndexFunc(want, func(w Info) bool { return w.Name == t.Name })
		if i < 0 {
			return nil, InputErrorf("unexpected input %q: the model has %s", t.Name, Names(want))
		}
		if seen[i] {
			return nil, InputErrorf("input %q is given twice", t.Name)
		}
		if err := check(want[i], t); err != nil {
			return nil, err
		}
		out[i], seen[i] = t, true
	}
	if i := slices.Index(seen, false); i >= 0 {
		return nil, InputErrorf("input %q is missing: the model has %s", want[i].Name, Names(want))
	}
	return out, nil
}

func check(want Info, t tensor.Tensor) error {
	if t.Type != want.Type {
		return InputErrorf("input %q is %s, the model takes %s", t.Name, t.Type, want.Type)
	}
	if len(t.Shape) != len(want.Shape) {
		return InputErrorf("input %q has shape %v, the model takes %v", t.Name, t.Shape, want.Shape)
	}
	for i, d := range want.Shape {
		if d >= 0 && t.Shape[i] != d {
			return InputErrorf("input %q has shape %v, the model takes %v", t.Name, t.Shape, want.Shape)
		}
	}
	if err := t.Check(); err != nil {
		return InputErrorf("input %q: %v", t.Name, err)
	}
	return nil
}

// Names returns the names of infos, in their order.
func Names(infos []Info) []string {
	out := make([]string, len(infos))
	for i, info := range infos {
		out[i] = info.Name
	}
	return out
}
