package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/embed"
	"github.com/weirmesh/weir/inference-sidecar/internal/modelspec"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
	"github.com/weirmesh/weir/inference-sidecar/internal/tokenize"
)

// Loader loads models.
type Loader struct {
	Engine  runtime.Engine
	Metrics *telemetry.Metrics
	Log     *slog.Logger
	// Now tells the time, for measuring how long loading takes.
	Now func() time.Time
}

// Load loads every version in dir. If one is wrong, none is loaded, and the error names all that are: a server that came
// up with half of its models would be taken for healthy.
func (l Loader) Load(ctx context.Context, dir string) (*Registry, error) {
	paths, err := versionDirs(dir)
	if err != nil {
		return nil, err
	}
	var versions []*Version
	var errs []error
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		v, err := l.version(ctx, path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		versions = append(versions, v)
	}
	r, err := build(versions)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// versionDirs returns <model>/<version> for all models in dir. Files and hidden folders beside them are left alone.
func versionDirs(dir string) ([]string, error) {
	var out []string
	models, err := subdirs(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the models directory: %w", err)
	}
	for _, model := range models {
		versions, err := subdirs(model)
		if err != nil {
			return nil, fmt.Errorf("reading the models directory: %w", err)
		}
		if len(versions) == 0 {
			return nil, fmt.Errorf("%s: a model without a version: put it into a folder such as %s", model, filepath.Join(model, "v1"))
		}
		out = append(out, versions...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no model: expected <model>/<version>/model.yaml", dir)
	}
	return out, nil
}

func subdirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // follows links, which is how models are often mounted
		if err != nil {
			return nil, err
		}
		if info.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, path)
		}
	}
	return out, nil
}

func (l Loader) version(ctx context.Context, dir string) (*Version, error) {
	begun := l.Now()
	spec, err := readSpec(dir)
	if err != nil {
		return nil, err
	}
	v := &Version{Spec: spec, Platform: l.Engine.Platform()}
	if err := l.open(ctx, v, dir); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	took := l.Now().Sub(begun)
	v.Metrics = l.Metrics.Loaded(spec.Name, spec.Version, took)
	l.Log.Info("model loaded", "model", spec.Name, "version", spec.Version, "task", string(spec.Task), "took", took.Round(time.Millisecond))
	return v, nil
}

func readSpec(dir string) (modelspec.Spec, error) {
	path := filepath.Join(dir, "model.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		return modelspec.Spec{}, fmt.Errorf("reading what a model is: %w", err)
	}
	spec, err := modelspec.Parse(path, content)
	if err != nil {
		return spec, err
	}
	if name, version := filepath.Base(filepath.Dir(dir)), filepath.Base(dir); spec.Name != name || spec.Version != version {
		return spec, fmt.Errorf("%s: name and version are %s and %s, the folders say %s and %s", path, spec.Name, spec.Version, name, version)
	}
	return spec, nil
}

// open loads the model of v and runs it once.
func (l Loader) open(ctx context.Context, v *Version, dir string) error {
	model, err := readModel(v, filepath.Join(dir, "model.onnx"))
	if err != nil {
		return err
	}
	if v.Session, err = l.Engine.Load(model); err != nil {
		return err
	}
	if err := prepare(ctx, v, dir); err != nil {
		return errors.Join(err, v.Session.Close())
	}
	return nil
}

// readModel reads the model file once, so that the bytes checked are the bytes loaded.
func readModel(v *Version, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the model: %w", err)
	}
	v.Modified = info.ModTime()
	model, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the model: %w", err)
	}
	if v.Spec.SHA256 == "" {
		return model, nil
	}
	sum := sha256.Sum256(model)
	want, err := hex.DecodeString(v.Spec.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sha256 in model.yaml: %w", err)
	}
	if !bytes.Equal(sum[:], want) {
		return nil, fmt.Errorf("model.onnx has the sha256 %x, model.yaml says %s: it is not the model that was meant", sum, v.Spec.SHA256)
	}
	return model, nil
}

func prepare(ctx context.Context, v *Version, dir string) error {
	if v.Spec.Task == modelspec.Embedding {
		return prepareEmbedder(ctx, v, dir)
	}
	if !v.Spec.WarmsUp() {
		return nil
	}
	inputs, err := zeros(v.Session.Inputs())
	if err != nil {
		return err
	}
	if _, err := v.Session.Run(ctx, inputs); err != nil {
		return fmt.Errorf("warming up with zeros (warmup: false in model.yaml leaves it out): %w", err)
	}
	return nil
}

func prepareEmbedder(ctx context.Context, v *Version, dir string) error {
	vocabulary, err := os.Open(filepath.Join(dir, v.Spec.Tokenizer.Vocab))
	if err != nil {
		return fmt.Errorf("reading the vocabulary: %w", err)
	}
	defer vocabulary.Close()
	tokenizer, err := tokenize.NewWordPiece(vocabulary, tokenize.Options{Lowercase: v.Spec.Tokenizer.Lowercase, MaxTokens: v.Spec.Tokenizer.MaxTokens})
	if err != nil {
		return err
	}
	if v.Embedder, err = embed.New(v.Spec, tokenizer, v.Session); err != nil {
		return err
	}
	// The longest sequence shows whether the model can take as many tokens as model.yaml says.
	longest := strings.Repeat("a ", v.Spec.Tokenizer.MaxTokens)
	for _, text := range []string{longest, "warm up"} {
		if _, err := v.Embedder.Embed(ctx, tokenizer.Encode(text), v.Spec.Dimensions); err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
	}
	return nil
}

// zeros returns an input with 1 for each length that varies.
func zeros(infos []runtime.Info) ([]tensor.Tensor, error) {
	out := make([]tensor.Tensor, len(infos))
	for i, info := range infos {
		t := tensor.Tensor{Name: info.Name, Type: info.Type, Shape: make([]int64, len(info.Shape))}
		for d, n := range info.Shape {
			t.Shape[d] = max(n, -n) // -1 becomes 1
		}
		n, err := tensor.Count(t.Shape)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", info.Name, err)
		}
		if t.Type == tensor.Text {
			t.Elements = make([][]byte, n)
		} else {
			t.Data = make([]byte, n*t.Type.Size())
		}
		out[i] = t
	}
	return out, nil
}
