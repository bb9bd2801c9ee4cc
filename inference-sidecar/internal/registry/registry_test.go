package registry_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/fake"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

const vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n"

func put(t *testing.T, root, path, content string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func generic(name, version string, more ...string) string {
	return fmt.Sprintf("name: %s\nversion: %s\nformat: onnx\ntask: generic\n%s", name, version, strings.Join(more, "\n"))
}

func embedding(more ...string) string {
	return "name: bert\nversion: v1\nformat: onnx\ntask: embedding\ntokenizer: {kind: wordpiece, vocab: vocab.txt, maxTokens: 8}\npooling: mean\nnormalize: true\n" + strings.Join(more, "\n")
}

func load(dir string, engine fake.Engine) (*registry.Registry, error) {
	l := registry.Loader{Engine: engine, Metrics: telemetry.New(), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	return l.Load(context.Background(), dir)
}

func TestLoadAndFind(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "README.md", "not a model")
	put(t, dir, ".cache/x", "not a model")
	for _, v := range []string{"v9", "v10"} {
		put(t, dir, "copy/"+v+"/model.yaml", generic("copy", v, "sha256: "+fmt.Sprintf("%x", sha256.Sum256([]byte("copy")))))
		put(t, dir, "copy/"+v+"/model.onnx", "copy")
	}
	put(t, dir, "pinned/a/model.yaml", generic("pinned", "a", "default: true"))
	put(t, dir, "pinned/a/model.onnx", "copy")
	put(t, dir, "pinned/b/model.yaml", generic("pinned", "b"))
	put(t, dir, "pinned/b/model.onnx", "copy")
	put(t, dir, "bert/v1/model.yaml", embedding("dimensions: 4"))
	put(t, dir, "bert/v1/model.onnx", "bert")
	put(t, dir, "bert/v1/vocab.txt", vocabulary)
	copyModel := fake.Identity(tensor.FP32, -1, 2)
	r, err := load(dir, fake.Engine{"copy": copyModel, "bert": fake.Bert(4)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Names(), " "); got != "bert copy pinned" {
		t.Errorf("names are %s", got)
	}
	for _, c := range []struct {
		name, version, want string
		err                 error
	}{
		{"copy", "", "v10", nil}, {"copy", "v9", "v9", nil}, {"pinned", "", "a", nil}, {"bert", "", "v1", nil},
		{"copy", "v1", "", registry.ErrUnknownVersion}, {"none", "", "", registry.ErrUnknownModel},
	} {
		v, err := r.Find(c.name, c.version)
		if !errors.Is(err, c.err) || err == nil && v.Spec.Version != c.want {
			t.Errorf("%s %s: %+v, %v", c.name, c.version, v, err)
		}
	}
	if v, err := r.Find("bert", ""); err != nil || v.Embedder == nil || v.Modified.IsZero() {
		t.Errorf("bert is %+v, %v", v, err)
	}
	if err := r.Close(); err != nil || !copyModel.Closed() {
		t.Errorf("closing: %v, closed %v", err, copyModel.Closed())
	}
}

func TestLoadRefuses(t *testing.T) {
	yes := map[string]string{"m/v1/model.yaml": generic("m", "v1"), "m/v1/model.onnx": "copy"}
	for name, c := range map[string]struct {
		files map[string]string
		err   string
	}{
		"no models":       {map[string]string{"README": ""}, "no model: expected"},
		"no versions":     {map[string]string{"m/x": ""}, "a model without a version"},
		"no yaml":         {map[string]string{"m/v1/model.onnx": "copy"}, "model.yaml: no such file"},
		"bad yaml":        {map[string]string{"m/v1/model.yaml": "name: m\nnmae: x\n"}, `model.yaml:2:1: unknown field "nmae"`},
		"other folder":    {map[string]string{"m/v2/model.yaml": generic("m", "v1"), "m/v2/model.onnx": "copy"}, "the folders say m and v2"},
		"no model":        {map[string]string{"m/v1/model.yaml": generic("m", "v1")}, "model.onnx: no such file"},
		"wrong digest":    {map[string]string{"m/v1/model.yaml": generic("m", "v1", "sha256: "+strings.Repeat("a", 64)), "m/v1/model.onnx": "copy"}, "it is not the model that was meant"},
		"broken model":    {map[string]string{"m/v1/model.yaml": generic("m", "v1"), "m/v1/model.onnx": "?"}, "m/v1: not a model"},
		"two defaults":    {map[string]string{"m/v1/model.yaml": generic("m", "v1", "default: true"), "m/v1/model.onnx": "copy", "m/v2/model.yaml": generic("m", "v2", "default: true"), "m/v2/model.onnx": "copy"}, "both say default"},
		"no vocabulary":   {map[string]string{"bert/v1/model.yaml": embedding("dimensions: 4"), "bert/v1/model.onnx": "bert"}, "vocab.txt: no such file"},
		"bad vocabulary":  {map[string]string{"bert/v1/model.yaml": embedding("dimensions: 4"), "bert/v1/model.onnx": "bert", "bert/v1/vocab.txt": "a"}, "no [UNK]"},
		"not an encoder":  {map[string]string{"bert/v1/model.yaml": embedding("dimensions: 4"), "bert/v1/model.onnx": "copy", "bert/v1/vocab.txt": vocabulary}, `input "x"`},
		"dimensions":      {map[string]string{"bert/v1/model.yaml": embedding("dimensions: 5"), "bert/v1/model.onnx": "bert", "bert/v1/vocab.txt": vocabulary}, "has shape [1 8 4] where model.yaml says [1 8 5]"},
		"one of them bad": {map[string]string{"m/v1/model.yaml": yes["m/v1/model.yaml"], "m/v1/model.onnx": "copy", "n/v1/model.yaml": "x"}, "n/v1/model.yaml"},
	} {
		dir := t.TempDir()
		for path, content := range c.files {
			put(t, dir, path, content)
		}
		copyModel := fake.Identity(tensor.FP32, -1, 2)
		_, err := load(dir, fake.Engine{"copy": copyModel, "bert": fake.Bert(4)})
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
		if name == "one of them bad" && !copyModel.Closed() {
			t.Error("what was loaded before the error stays open")
		}
	}
	if _, err := load(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a directory that is not there is taken")
	}
}

func TestWarmup(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/v1/model.onnx", "picky")
	picky := fake.Identity(tensor.FP32, -1, 2)
	picky.Compute = func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		return nil, fmt.Errorf("cannot take %v", in[0].Shape)
	}
	put(t, dir, "m/v1/model.yaml", generic("m", "v1"))
	if _, err := load(dir, fake.Engine{"picky": picky}); err == nil || !strings.Contains(err.Error(), "cannot take [1 2]") {
		t.Errorf("error %v", err)
	}
	put(t, dir, "m/v1/model.yaml", generic("m", "v1", "warmup: false"))
	if _, err := load(dir, fake.Engine{"picky": picky}); err != nil {
		t.Errorf("without a warm-up: %v", err)
	}
}

func TestCurrent(t *testing.T) {
	var c registry.Current
	if err := c.Close(); err != nil {
		t.Errorf("closing before loading: %v", err)
	}
	if _, err := c.Get(); !errors.Is(err, registry.ErrNotReady) || c.Ready() {
		t.Errorf("before loading: %v, ready %v", err, c.Ready())
	}
	c.Set(&registry.Registry{})
	if _, err := c.Get(); err != nil || !c.Ready() {
		t.Errorf("loaded: %v, ready %v", err, c.Ready())
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing no model: %v", err)
	}
	c.Drain()
	if _, err := c.Get(); err != nil || c.Ready() {
		t.Errorf("draining: %v, ready %v", err, c.Ready())
	}
}
