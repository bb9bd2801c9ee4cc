package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// testModels asks the models through the gateway, as clients that know nothing
// of Weir do.
func testModels(t *testing.T, s *stack) {
	t.Run("openai client", func(t *testing.T) { testOpenAIClient(t, s) })
	t.Run("batch", func(t *testing.T) { testBatch(t, s) })
	t.Run("open inference protocol", func(t *testing.T) { testOpenInference(t, s) })
	t.Run("model list", func(t *testing.T) {
		client := s.openai()
		page, err := client.Models.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range page.Data {
			names = append(names, m.ID)
		}
		for _, want := range []string{"minilm", "all-MiniLM-L6-v2", "echo"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s is not among the models %q", want, names)
			}
		}
	})
}

func (s *stack) openai(headers ...string) openai.Client {
	options := []option.RequestOption{option.WithBaseURL(s.url("/v1")), option.WithAPIKey("none"), option.WithMaxRetries(0)}
	for i := 0; i+1 < len(headers); i += 2 {
		options = append(options, option.WithHeader(headers[i], headers[i+1]))
	}
	return openai.NewClient(options...)
}

// The embeddings are those of the same model when it is run without anything
// of Weir in between.
func testOpenAIClient(t *testing.T, s *stack) {
	texts := referenceTexts(t)
	for _, version := range []string{"v1", "v2"} {
		direct := runDirect(t, version, texts)
		for i, text := range texts {
			client := s.openai("x-tenant-id", fmt.Sprintf("embeddings-%s-%d", version, i), "x-model-version", version)
			got, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
				Model: "all-MiniLM-L6-v2", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String(text.Text)},
			})
			if err != nil {
				t.Fatalf("%q: %v", text.Text, err)
			}
			if n := int64(len(text.IDs)); len(got.Data) != 1 || got.Usage.PromptTokens != n || got.Usage.TotalTokens != n {
				t.Fatalf("%q: %d embeddings, usage %+v, want %d tokens", text.Text, len(got.Data), got.Usage, n)
			}
			if c := cosine(got.Data[0].Embedding, direct[i]); !(c > 0.9999) {
				t.Errorf("%s: cosine %.6f to the model run directly for %q", version, c, text.Text)
			}
		}
	}
}

// Several texts in one request come back in their order.
func testBatch(t *testing.T, s *stack) {
	texts := referenceTexts(t)
	direct := runDirect(t, "v1", texts)
	inputs := make([]string, len(texts))
	for i, text := range texts {
		inputs[i] = text.Text
	}
	client := s.openai("x-tenant-id", "batch", "x-model-version", "v1")
	got, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "minilm", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: inputs},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != len(texts) {
		t.Fatalf("%d embeddings for %d texts", len(got.Data), len(texts))
	}
	for i, e := range got.Data {
		if c := cosine(e.Embedding, direct[e.Index]); e.Index != int64(i) || !(c > 0.9999) {
			t.Errorf("embedding %d has the index %d and the cosine %.6f for %q", i, e.Index, c, inputs[i])
		}
	}
}

// tensor is one of the Open Inference Protocol v2 in JSON.
type tensor struct {
	Name     string    `json:"name"`
	Shape    []int     `json:"shape"`
	Datatype string    `json:"datatype"`
	Data     []float64 `json:"data"`
}

// A client that brings its own tokens gets the model's raw output: pooled, it is
// what /v1/embeddings answers.
func testOpenInference(t *testing.T, s *stack) {
	tokens := []float64{101, 7592, 2088, 102} // [CLS] hello world [SEP]
	input := func(name string, data []float64) tensor { return tensor{name, []int{1, len(data)}, "INT64", data} }
	request, err := json.Marshal(map[string]any{"inputs": []tensor{
		input("input_ids", tokens), input("attention_mask", []float64{1, 1, 1, 1}), input("token_type_ids", []float64{0, 0, 0, 0}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for path, version := range map[string]string{"/v2/models/minilm/infer": "", "/v2/models/minilm/versions/v2/infer": "v2"} {
		a := s.post(t, path, string(request), "x-tenant-id", "oip"+version, "x-user-id", "oip")
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		served := a.header.Get("x-weir-version")
		if served == "" || version != "" && served != version {
			t.Errorf("%s was served by %q", path, served)
		}
		pooled, err := meanPool(a.body, len(tokens))
		if err != nil {
			t.Fatal(err)
		}
		client := s.openai("x-tenant-id", "oip-embedding"+version, "x-model-version", served)
		e, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
			Model: "minilm", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("hello world")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if c := cosine(pooled, e.Data[0].Embedding); !(c > 0.9999) {
			t.Errorf("%s: cosine %.6f between pooled output and embedding", path, c)
		}
	}
}

// meanPool averages the rows of the output last_hidden_state [1, rows, width].
func meanPool(body []byte, rows int) ([]float64, error) {
	var got struct {
		ModelName string   `json:"model_name"`
		Outputs   []tensor `json:"outputs"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, err
	}
	for _, o := range got.Outputs {
		if o.Name != "last_hidden_state" {
			continue
		}
		if len(o.Shape) != 3 || o.Shape[1] != rows || len(o.Data) != rows*o.Shape[2] {
			return nil, fmt.Errorf("shape %v with %d values", o.Shape, len(o.Data))
		}
		mean := make([]float64, o.Shape[2])
		for i, v := range o.Data {
			mean[i%len(mean)] += v / float64(rows)
		}
		return mean, nil
	}
	return nil, fmt.Errorf("no output last_hidden_state in %s", clip(body))
}

func cosine(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	var ab, aa, bb float64
	for i := range a {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	return ab / math.Sqrt(aa*bb)
}
