package onnx_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/onnx"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

const memoryLimit = 512 << 20

// The library can be open once in a process: all tests share it.
var shared struct {
	once   sync.Once
	engine *onnx.Engine
	err    error
}

func engine(t testing.TB) *onnx.Engine {
	t.Helper()
	tools := os.Getenv("WEIR_TOOLS")
	if tools == "" {
		t.Skip("needs ONNX Runtime: set WEIR_TOOLS to a folder that has lib/libonnxruntime.so (make test does)")
	}
	shared.once.Do(func() {
		shared.engine, shared.err = onnx.Open(onnx.Options{
			Library: filepath.Join(tools, "lib", "libonnxruntime.so"), Device: onnx.CPU,
			MemoryLimit: memoryLimit, Log: slog.New(slog.DiscardHandler),
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.engine
}

func load(t testing.TB, name string) runtime.Session {
	t.Helper()
	e := engine(t)
	model, err := os.ReadFile(filepath.Join("testdata", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Load(model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEveryTypePassesUnchanged(t *testing.T) {
	for name, typ := range map[string]tensor.Type{
		"bool": tensor.Bool, "u8": tensor.Uint8, "u16": tensor.Uint16, "u32": tensor.Uint32, "u64": tensor.Uint64,
		"i8": tensor.Int8, "i16": tensor.Int16, "i32": tensor.Int32, "i64": tensor.Int64,
		"f16": tensor.FP16, "bf16": tensor.BF16, "f32": tensor.FP32, "f64": tensor.FP64, "text": tensor.Text,
	} {
		for _, rows := range []int64{3, 1, 0} {
			s := load(t, "identity_"+name)
			in := tensor.Tensor{Name: "in_" + name, Type: typ, Shape: []int64{rows, 2}, Data: make([]byte, int(rows)*2*typ.Size())}
			for i := range in.Data {
				in.Data[i] = byte(i % 2)
			}
			if typ == tensor.Text {
				in.Data, in.Elements = nil, [][]byte{[]byte("你好"), {}, []byte("x"), []byte("\xff"), []byte("a b"), {}}[:rows*2]
			}
			if want := []int64{-1, 2}; s.Inputs()[0].Type != typ || !slices.Equal(s.Inputs()[0].Shape, want) {
				t.Errorf("%s: input is %+v", name, s.Inputs()[0])
			}
			out, err := s.Run(context.Background(), []tensor.Tensor{in})
			if err != nil {
				t.Errorf("%s, %d rows: %v", name, rows, err)
				continue
			}
			if out[0].Name != "out_"+name || out[0].Type != typ || !slices.Equal(out[0].Shape, in.Shape) {
				t.Errorf("%s, %d rows: got %+v", name, rows, out[0])
			}
			if string(out[0].Data) != string(in.Data) || !slices.EqualFunc(out[0].Elements, in.Elements, slices.Equal) {
				t.Errorf("%s, %d rows: got %v %q, want %v %q", name, rows, out[0].Data, out[0].Elements, in.Data, in.Elements)
			}
		}
	}
}

func TestScalars(t *testing.T) {
	s := load(t, "scalar")
	out, err := s.Run(context.Background(), []tensor.Tensor{
		tensor.Of("x", tensor.FP32, []int64{3}, []float32{1, 2, 3}),
		tensor.Of("bias", tensor.FP32, nil, []float32{0.5}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := tensor.View[float32](out[0]); len(out[0].Shape) != 0 || len(got) != 1 || got[0] != 6.5 {
		t.Errorf("got %+v = %v", out[0], got)
	}
}

func TestOutputOfUnknownRank(t *testing.T) {
	s := load(t, "rankless")
	x := tensor.Of("x", tensor.FP32, []int64{2, 2}, []float32{1, 2, 3, 4})
	out, err := s.Run(context.Background(), []tensor.Tensor{x})
	if err != nil {
		t.Fatal(err)
	}
	if string(out[0].Data) != string(x.Data) {
		t.Errorf("got %+v", out[0])
	}
}

func TestTensorOutputsOfAModelWithOthers(t *testing.T) {
	s := load(t, "logreg_iris")
	if len(s.Outputs()) != 1 || s.Outputs()[0].Name != "label" {
		t.Fatalf("outputs are %+v", s.Outputs())
	}
	in := s.Inputs()[0]
	shape := slices.Clone(in.Shape)
	for i := range shape {
		shape[i] = max(shape[i], 1)
	}
	n, err := tensor.Count(shape)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(context.Background(), []tensor.Tensor{tensor.Of(in.Name, in.Type, shape, make([]float32, n))})
	if err != nil {
		t.Fatal(err)
	}
	if out[0].Type != tensor.Int64 || len(tensor.View[int64](out[0])) == 0 {
		t.Errorf("got %+v", out[0])
	}
}

func TestLoadRefuses(t *testing.T) {
	e := engine(t)
	half, err := os.ReadFile("testdata/half_unknown.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model []byte
		err   string
	}{
		{nil, "empty"},
		{[]byte("not a model"), "reading the model"},
		{half, `output "y" is FP16 of shape [-1 -1]`},
	} {
		if _, err := e.Load(c.model); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v, want %q", err, c.err)
		}
	}
}

func TestRunBlamesTheInput(t *testing.T) {
	for _, c := range []struct {
		name, model string
		inputs      []tensor.Tensor
		err         error
		text        string
	}{
		{"index out of range", "lookup", []tensor.Tensor{tensor.Of("i", tensor.Int64, []int64{1}, []int64{7})}, runtime.ErrInput, "out of data bounds"},
		{"zero byte", "identity_text", []tensor.Tensor{{Name: "in_text", Type: tensor.Text, Shape: []int64{1, 2}, Elements: [][]byte{nil, []byte("a\x00b")}}}, runtime.ErrInput, "element 1 holds a zero byte"},
		{"memory", "expand", []tensor.Tensor{tensor.Of("x", tensor.FP32, []int64{1}, []float32{1}), tensor.Of("shape", tensor.Int64, []int64{1}, []int64{1 << 30})}, runtime.ErrMemory, ""},
	} {
		_, err := load(t, c.model).Run(context.Background(), c.inputs)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v with %q", c.name, err, c.err, c.text)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s := load(t, "loop")
	inputs := []tensor.Tensor{
		tensor.Of("n", tensor.Int64, nil, []int64{1 << 40}),
		tensor.Of("x", tensor.FP32, nil, []float32{1}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := s.Run(ctx, inputs)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the run went on")
	}
	if _, err := s.Run(ctx, inputs); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that begins too late: %v", err)
	}
}

func TestManyRunsAndAClose(t *testing.T) {
	s := load(t, "identity_f32")
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for g := range 8 {
		wg.Go(func() {
			x := tensor.Of("in_f32", tensor.FP32, []int64{1, 2}, []float32{float32(g), 1})
			for i := 0; ; i++ {
				out, err := s.Run(context.Background(), []tensor.Tensor{x})
				if errors.Is(err, runtime.ErrClosed) {
					return
				}
				if err != nil || tensor.View[float32](out[0])[0] != float32(g) {
					t.Errorf("got %v, %v", out, err)
					return
				}
				if i == 100 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestOpenRefuses(t *testing.T) {
	e := engine(t)
	if _, err := onnx.Open(onnx.Options{Library: "/nowhere.so", Device: onnx.CPU}); err == nil || !strings.Contains(err.Error(), "open already") {
		t.Errorf("a second engine: %v", err)
	}
	if !strings.Contains(e.Version(), ".") {
		t.Errorf("version %q", e.Version())
	}
}

func TestParseDevice(t *testing.T) {
	for _, name := range []string{"cpu", "cuda"} {
		if d, err := onnx.ParseDevice(name); err != nil || string(d) != name {
			t.Errorf("%q: %v, %v", name, d, err)
		}
	}
	if _, err := onnx.ParseDevice("gpu"); err == nil {
		t.Error("gpu is taken")
	}
}
