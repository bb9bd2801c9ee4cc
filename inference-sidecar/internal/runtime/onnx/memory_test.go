package onnx_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// residentMiB returns the resident memory of this process.
func residentMiB(t *testing.T) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

func TestUnloadingGivesMemoryBack(t *testing.T) {
	e := engine(t)
	model, err := os.ReadFile(filepath.Join(os.Getenv("WEIR_TOOLS"), "models", "minilm", "v1", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, 64)
	input := func(name string) tensor.Tensor { return tensor.Of(name, tensor.Int64, []int64{1, 64}, ids) }
	cycle := func() {
		s, err := e.Load(model)
		if err != nil {
			t.Fatal(err)
		}
		inputs := make([]tensor.Tensor, len(s.Inputs()))
		for i, in := range s.Inputs() {
			inputs[i] = input(in.Name)
		}
		if _, err := s.Run(context.Background(), inputs); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	const first, rest = 3, 9
	for range first {
		cycle()
	}
	debug.FreeOSMemory()
	before := residentMiB(t)
	for range rest {
		cycle()
	}
	debug.FreeOSMemory()
	after := residentMiB(t)
	t.Logf("resident: %d MiB after %d loads, %d MiB after %d", before, first, after, first+rest)
	if after > before+32 {
		t.Errorf("loading and unloading grew resident memory from %d to %d MiB", before, after)
	}
}
