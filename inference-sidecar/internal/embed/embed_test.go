package embed_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/embed"
	"github.com/weirmesh/weir/inference-sidecar/internal/modelspec"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/fake"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

func TestPooling(t *testing.T) {
	for _, c := range []struct {
		pooling   modelspec.Pooling
		normalize bool
		cut       int
		want      []float32
	}{
		{modelspec.Mean, false, 2, []float32{(2 - 4 + 3) / 3., (2*2 - 4 + 2*3) / 3.}},
		{modelspec.CLS, false, 2, []float32{2, 4}},
		{modelspec.CLS, true, 2, []float32{float32(1 / math.Sqrt(5)), float32(2 / math.Sqrt(5))}},
		{modelspec.CLS, true, 1, []float32{1}},
	} {
		spec := modelspec.Spec{Pooling: c.pooling, Normalize: c.normalize, Dimensions: 2}
		e, err := embed.New(spec, nil, fake.Bert(2))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Embed(context.Background(), []int32{2, 4, 3}, c.cut); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, %v", c, got, err)
		}
	}
}

func TestModelThatPoolsItself(t *testing.T) {
	s := &fake.Session{
		In:  []runtime.Info{{Name: "input_ids", Type: tensor.Int32, Shape: []int64{-1, -1}}},
		Out: []runtime.Info{{Name: "tokens", Type: tensor.FP32, Shape: []int64{-1, -1, 2}}, {Name: "sentence", Type: tensor.FP32, Shape: []int64{-1, 2}}},
		Compute: func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			ids := tensor.View[int32](in[0])
			return []tensor.Tensor{{}, tensor.Of("sentence", tensor.FP32, []int64{1, 2}, []float32{float32(ids[0]), float32(len(ids))})}, nil
		},
	}
	e, err := embed.New(modelspec.Spec{Pooling: modelspec.None, Dimensions: 2}, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Embed(context.Background(), []int32{7, 8, 9}, 2); err != nil || !slices.Equal(got, []float32{7, 3}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEmbedRefusesWhatIsNotAnEmbedding(t *testing.T) {
	s := fake.Bert(2)
	e, err := embed.New(modelspec.Spec{Pooling: modelspec.Mean, Dimensions: 2}, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(shape []int64, data ...float32) {
		s.Compute = func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
			return []tensor.Tensor{tensor.Of("last_hidden_state", tensor.FP32, shape, data)}, nil
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		answer([]int64{1, 1, 2}, 1, float32(bad))
		if got, err := e.Embed(context.Background(), []int32{1}, 2); !errors.Is(err, embed.ErrNotFinite) {
			t.Errorf("%v: got %v, %v", bad, got, err)
		}
	}
	answer([]int64{1, 2, 2}, 1, 2, 3, 4)
	if got, err := e.Embed(context.Background(), []int32{1}, 2); err == nil || !strings.Contains(err.Error(), "has shape [1 2 2]") {
		t.Errorf("another shape: got %v, %v", got, err)
	}
	zero, err := embed.New(modelspec.Spec{Pooling: modelspec.Mean, Dimensions: 2, Normalize: true}, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	answer([]int64{1, 1, 2}, 0, 0)
	if got, err := zero.Embed(context.Background(), []int32{1}, 2); err != nil || !slices.Equal(got, []float32{0, 0}) {
		t.Errorf("a zero vector: got %v, %v", got, err)
	}
}

func TestNewRefuses(t *testing.T) {
	info := func(name string, typ tensor.Type, rank int) runtime.Info {
		return runtime.Info{Name: name, Type: typ, Shape: slices.Repeat([]int64{-1}, rank)}
	}
	ids := info("input_ids", tensor.Int64, 2)
	for name, c := range map[string]struct {
		in, out []runtime.Info
		err     string
	}{
		"another input": {[]runtime.Info{ids, info("pixels", tensor.Int64, 2)}, nil, `input "pixels"`},
		"floats":        {[]runtime.Info{info("input_ids", tensor.FP32, 2)}, nil, `input "input_ids" (FP32`},
		"rank":          {[]runtime.Info{info("input_ids", tensor.Int64, 3)}, nil, `input "input_ids"`},
		"no ids":        {[]runtime.Info{info("attention_mask", tensor.Int64, 2)}, nil, "no input input_ids"},
		"no vectors":    {[]runtime.Info{ids}, []runtime.Info{info("y", tensor.FP32, 2)}, "no FP32 output of 3 dimensions"},
	} {
		_, err := embed.New(modelspec.Spec{Pooling: modelspec.Mean}, nil, &fake.Session{In: c.in, Out: c.out})
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
	}
}
