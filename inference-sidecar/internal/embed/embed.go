// Package embed makes embeddings of texts: tokens in, one vector out.
package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/weirmesh/weir/inference-sidecar/internal/modelspec"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
	"github.com/weirmesh/weir/inference-sidecar/internal/tokenize"
)

// Embedder makes embeddings with one loaded model. It is safe for concurrent use.
type Embedder struct {
	tokenizer *tokenize.WordPiece
	session   runtime.Session
	spec      modelspec.Spec
	output    int // the index of the output with the vectors
}

// ErrNotFinite is returned where an embedding holds NaN or an infinity.
var ErrNotFinite = errors.New("the model computed an embedding that is not finite")

// New checks that session is a text encoder with the inputs and the output that spec calls for.
func New(spec modelspec.Spec, tokenizer *tokenize.WordPiece, session runtime.Session) (*Embedder, error) {
	for _, in := range session.Inputs() {
		known := in.Name == "input_ids" || in.Name == "attention_mask" || in.Name == "token_type_ids"
		if !known || len(in.Shape) != 2 || in.Type != tensor.Int64 && in.Type != tensor.Int32 {
			return nil, fmt.Errorf("input %q (%s, shape %v) is none of input_ids, attention_mask and token_type_ids, each INT64 or INT32 and [batch, sequence]", in.Name, in.Type, in.Shape)
		}
	}
	if !slices.ContainsFunc(session.Inputs(), func(i runtime.Info) bool { return i.Name == "input_ids" }) {
		return nil, errors.New("the model has no input input_ids")
	}
	rank := 3
	if spec.Pooling == modelspec.None {
		rank = 2
	}
	output := slices.IndexFunc(session.Outputs(), func(o runtime.Info) bool { return o.Type == tensor.FP32 && len(o.Shape) == rank })
	if output < 0 {
		return nil, fmt.Errorf("the model has no FP32 output of %d dimensions, which pooling %s needs", rank, spec.Pooling)
	}
	return &Embedder{tokenizer: tokenizer, session: session, spec: spec, output: output}, nil
}

// Tokenizer returns the tokenizer of the model.
func (e *Embedder) Tokenizer() *tokenize.WordPiece { return e.tokenizer }

// Dimensions returns the length of an embedding.
func (e *Embedder) Dimensions() int { return e.spec.Dimensions }

// CheckDimensions tells whether an embedding may be cut to n numbers.
func (e *Embedder) CheckDimensions(n int) error {
	switch {
	case n == e.spec.Dimensions:
		return nil
	case n < 1 || n > e.spec.Dimensions:
		return fmt.Errorf("dimensions is %d, the model has %d", n, e.spec.Dimensions)
	case !e.spec.Matryoshka:
		return fmt.Errorf("dimensions is %d, but the model has %d and is not trained for fewer", n, e.spec.Dimensions)
	}
	return nil
}

// Embed returns the embedding of a token sequence, cut to a number of dimensions that CheckDimensions lets pass. One sequence makes one run of
// the model: in a dynamically quantised model the sequences of a batch change each other's results (their scales are
// shared), so that one client's text would depend on another's.
func (e *Embedder) Embed(ctx context.Context, ids []int32, dimensions int) ([]float32, error) {
	outputs, err := e.session.Run(ctx, e.inputs(ids))
	if err != nil {
		return nil, err
	}
	v, err := e.pool(outputs[e.output], len(ids))
	if err != nil {
		return nil, err
	}
	v = v[:dimensions]
	if e.spec.Normalize {
		normalize(v)
	}
	return finite(v)
}

func (e *Embedder) inputs(ids []int32) []tensor.Tensor {
	shape := []int64{1, int64(len(ids))}
	out := make([]tensor.Tensor, 0, 3)
	for _, in := range e.session.Inputs() {
		values := make([]int64, len(ids))
		switch in.Name {
		case "input_ids":
			for i, id := range ids {
				values[i] = int64(id)
			}
		case "attention_mask":
			for i := range values {
				values[i] = 1
			}
		}
		out = append(out, integers(in, shape, values))
	}
	return out
}

func integers(in runtime.Info, shape, values []int64) tensor.Tensor {
	if in.Type == tensor.Int64 {
		return tensor.Of(in.Name, in.Type, shape, values)
	}
	narrow := make([]int32, len(values))
	for i, v := range values {
		narrow[i] = int32(v)
	}
	return tensor.Of(in.Name, in.Type, shape, narrow)
}

// pool makes one vector of the output, in double precision as sums of many numbers lose digits. The sequence has no
// padding, so that the mean over all tokens is the mean under the attention mask.
func (e *Embedder) pool(t tensor.Tensor, tokens int) ([]float64, error) {
	want := []int64{1, int64(tokens), int64(e.spec.Dimensions)}
	if e.spec.Pooling == modelspec.None {
		want = []int64{1, int64(e.spec.Dimensions)}
	}
	if !slices.Equal(t.Shape, want) {
		return nil, fmt.Errorf("output %q has shape %v where model.yaml says %v", e.session.Outputs()[e.output].Name, t.Shape, want)
	}
	hidden := tensor.View[float32](t)
	out := make([]float64, e.spec.Dimensions)
	rows := 1
	if e.spec.Pooling == modelspec.Mean {
		rows = tokens
	}
	for r := range rows {
		for d, v := range hidden[r*len(out) : (r+1)*len(out)] {
			out[d] += float64(v)
		}
	}
	for d := range out {
		out[d] /= float64(rows)
	}
	return out, nil
}

// normalize scales v to length 1; a zero vector stays.
func normalize(v []float64) {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	if sum == 0 {
		return
	}
	scale := 1 / math.Sqrt(sum)
	for i := range v {
		v[i] *= scale
	}
}

func finite(v []float64) ([]float32, error) {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
		if math.IsNaN(x) || math.IsInf(float64(out[i]), 0) {
			return nil, ErrNotFinite
		}
	}
	return out, nil
}
