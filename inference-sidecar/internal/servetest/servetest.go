// Package servetest makes houses of fake models, for the tests of both APIs.
package servetest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/body"
	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/fake"
	"github.com/weirmesh/weir/inference-sidecar/internal/sched"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

// Vocabulary is that of text models: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, hello 4, world 5, ##s 6.
const Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nworld\n##s\n"

// Model is a version of a model of a House.
type Model struct {
	Name, Version string
	Session       *fake.Session
	// Text makes it an embedding model of the given dimensions, which takes at most 8 tokens.
	Text int
	// More is added to its model.yaml.
	More string
}

// House serves the given models with one slot, a queue of one, 4096 bytes for a request and 8192 for all. Without
// models it is not ready.
func House(t testing.TB, models ...Model) (*serve.House, *telemetry.Metrics) {
	t.Helper()
	metrics := telemetry.New()
	h := &serve.House{
		Models: &registry.Current{}, Gate: sched.New(1, 1), Room: body.NewRoom(4096, 8192),
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	if len(models) == 0 {
		return h, metrics
	}
	dir := t.TempDir()
	engine := fake.Engine{}
	for _, m := range models {
		key := m.Name + "@" + m.Version
		engine[key] = m.Session
		at := filepath.Join(dir, m.Name, m.Version)
		task := "task: generic\nwarmup: false\n"
		if m.Text > 0 {
			task = fmt.Sprintf("task: embedding\ntokenizer: {kind: wordpiece, vocab: vocab.txt, lowercase: true, maxTokens: 8}\npooling: mean\nnormalize: true\ndimensions: %d\n", m.Text)
		}
		put(t, at, "model.yaml", fmt.Sprintf("name: %s\nversion: %s\nformat: onnx\n%s%s", m.Name, m.Version, task, m.More))
		put(t, at, "model.onnx", key)
		put(t, at, "vocab.txt", Vocabulary)
	}
	r, err := registry.Loader{Engine: engine, Metrics: metrics, Log: h.Log, Now: h.Now}.Load(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	h.Models.Set(r)
	return h, metrics
}

func put(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
