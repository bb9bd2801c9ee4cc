// Package fake runs models written in Go, for tests of what is around a runtime.
package fake

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// Session is a model in Go.
type Session struct {
	In, Out []runtime.Info
	// Compute answers the inputs, which are in the order of In.
	Compute func(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error)

	closed atomic.Bool
}

// Inputs implements runtime.Session.
func (s *Session) Inputs() []runtime.Info { return s.In }

// Outputs implements runtime.Session.
func (s *Session) Outputs() []runtime.Info { return s.Out }

// Run implements runtime.Session.
func (s *Session) Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	if s.closed.Load() {
		return nil, runtime.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.Compute(ctx, inputs)
}

// Close implements runtime.Session.
func (s *Session) Close() error {
	s.closed.Store(true)
	return nil
}

// Closed tells whether Close was called.
func (s *Session) Closed() bool { return s.closed.Load() }

// Engine loads the Session that is called like the content of the model file.
type Engine map[string]*Session

// Platform implements runtime.Engine.
func (e Engine) Platform() string { return "onnx_onnxv1" }

// Load implements runtime.Engine.
func (e Engine) Load(model []byte) (runtime.Session, error) {
	if s, ok := e[string(model)]; ok {
		return s, nil
	}
	return nil, errors.New("not a model")
}

// Bert returns a model with the inputs and the output of a BERT encoder: token i of a text gets the vector whose number
// d is id*(d+1) for even positions and -id for odd ones, so that a text's embedding depends on its tokens and their
// places.
func Bert(dimensions int) *Session {
	ids := func(name string) runtime.Info {
		return runtime.Info{Name: name, Type: tensor.Int64, Shape: []int64{-1, -1}}
	}
	return &Session{
		In:  []runtime.Info{ids("input_ids"), ids("attention_mask"), ids("token_type_ids")},
		Out: []runtime.Info{{Name: "last_hidden_state", Type: tensor.FP32, Shape: []int64{-1, -1, int64(dimensions)}}},
		Compute: func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			tokens, mask := tensor.View[int64](in[0]), tensor.View[int64](in[1])
			out := make([]float32, 0, len(tokens)*dimensions)
			for i, id := range tokens {
				if mask[i] != 1 {
					return nil, fmt.Errorf("the mask of token %d is %d", i, mask[i])
				}
				for d := range dimensions {
					v := float32(id) * float32(d+1)
					if i%2 == 1 {
						v = -float32(id)
					}
					out = append(out, v)
				}
			}
			shape := []int64{in[0].Shape[0], in[0].Shape[1], int64(dimensions)}
			return []tensor.Tensor{tensor.Of("last_hidden_state", tensor.FP32, shape, out)}, nil
		},
	}
}

// Identity returns a model with one input "x" and one output "y" of the given type and shape, which are equal.
func Identity(typ tensor.Type, shape ...int64) *Session {
	return &Session{
		In:  []runtime.Info{{Name: "x", Type: typ, Shape: shape}},
		Out: []runtime.Info{{Name: "y", Type: typ, Shape: shape}},
		Compute: func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			y := in[0]
			y.Name = "y"
			return []tensor.Tensor{y}, nil
		},
	}
}
