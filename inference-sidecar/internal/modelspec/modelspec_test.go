package modelspec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/modelspec"
)

const good = `name: minilm
version: v1
format: onnx
task: embedding
tokenizer:
  kind: wordpiece
  vocab: vocab.txt
  lowercase: true
  maxTokens: 256
pooling: mean
normalize: true
dimensions: 384
`

func TestParse(t *testing.T) {
	s, err := modelspec.Parse("model.yaml", []byte(good+"sha256: "+strings.Repeat("aB", 32)+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "minilm" || s.Tokenizer.MaxTokens != 256 || s.Pooling != modelspec.Mean || !s.WarmsUp() || s.Default {
		t.Errorf("got %+v", s)
	}
	s, err = modelspec.Parse("model.yaml", []byte("{name: iris, version: '2', format: onnx, task: generic, warmup: false, default: true}"))
	if err != nil || s.WarmsUp() || !s.Default {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ old, new, err string }{
		{"task: embedding", "tusk: embedding", `m.yaml:4:1: unknown field "tusk"`},
		{"version: v1", "version: v1\nversion: v2", "m.yaml:3:1: mapping key \"version\" already defined"},
		{"  maxTokens: 256", "  maxTokens: many", "m.yaml:9:14: "},
		{"  maxTokens: 256", "  maxTokens: 2", "m.yaml:9:14: tokenizer.maxTokens: 2 is not between"},
		{"vocab: vocab.txt", "vocab: ../vocab.txt", "m.yaml:7:10: tokenizer.vocab: "},
		{"name: minilm", "name: a/b", `m.yaml:1:7: name: "a/b" is not a name`},
		{"version: v1\n", "", "m.yaml: version: "},
		{"pooling: mean", "pooling: max", "m.yaml:10:10: pooling: "},
		{"task: embedding", "task: generic", "m.yaml:10:10: pooling: it is for task: embedding"},
		{"dimensions: 384", "dimensions: 0", "dimensions: it must be"},
		{"normalize: true", "normalize: false\nmatryoshka: true", "matryoshka: it needs normalize"},
		{"format: onnx", "format: onnx\nsha256: abc", "m.yaml:4:9: sha256: "},
		{"format: onnx", "format: onnx\nwarmup: false", "m.yaml:4:9: warmup: "},
		{"name: minilm", "name: [", "m.yaml:"},
	} {
		_, err := modelspec.Parse("m.yaml", []byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q for %q: error %v, want %q", c.new, c.old, err, c.err)
		}
	}
	if _, err := modelspec.Parse("m.yaml", nil); err == nil {
		t.Error("an empty file is taken")
	}
}

func TestCompareVersions(t *testing.T) {
	want := []string{"1", "1.9", "1.10", "2", "007", "10", "a", "v", "v1", "v1-rc", "v2", "v10"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, modelspec.CompareVersions)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if modelspec.CompareVersions("v1", "v01") == 0 || modelspec.CompareVersions("v1", "v1") != 0 {
		t.Error("different versions must not be equal, equal ones must")
	}
}
