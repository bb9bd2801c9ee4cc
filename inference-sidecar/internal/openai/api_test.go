package openai_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	client "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/weirmesh/weir/inference-sidecar/internal/openai"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/fake"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/servetest"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

func mux(h *serve.House) *http.ServeMux {
	m := http.NewServeMux()
	(&openai.API{House: h}).Register(m)
	return m
}

func house(t *testing.T) *serve.House {
	h, _ := servetest.House(t,
		servetest.Model{Name: "text", Version: "v1", Session: fake.Bert(4), Text: 4},
		servetest.Model{Name: "text", Version: "v2", Session: fake.Bert(2), Text: 2},
		servetest.Model{Name: "nested", Version: "1", Session: fake.Bert(4), Text: 4, More: "matryoshka: true\n"},
		servetest.Model{Name: "image", Version: "1", Session: fake.Identity(tensor.FP32, -1)},
	)
	return h
}

// vector is what fake.Bert gives for ids after mean pooling, cutting and normalising.
func vector(dimensions, cut int, ids ...float64) []float64 {
	v := make([]float64, cut)
	for i, id := range ids {
		for d := range v {
			if i%2 == 1 {
				v[d] -= id
			} else {
				v[d] += id * float64(d+1)
			}
		}
	}
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	for d := range v {
		v[d] /= math.Sqrt(sum)
	}
	return v
}

type answer struct {
	Object, Model string
	Data          []struct {
		Object    string
		Index     int
		Embedding json.RawMessage
	}
	Usage struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	}
}

func send(m http.Handler, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/embeddings", strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res := httptest.NewRecorder()
	m.ServeHTTP(res, r)
	return res
}

func near(got []float64, want []float64) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-6 {
			return false
		}
	}
	return true
}

func TestEmbeddings(t *testing.T) {
	m := mux(house(t))
	for _, c := range []struct {
		name, body string
		header     []string
		want       [][]float64
		tokens     int
	}{
		{"a text", `{"model":"text","input":"Hello worlds","user":"me","unknown":{}}`, nil, [][]float64{vector(2, 2, 2, 4, 5, 6, 3)}, 5},
		{"version by header", `{"model":"text","input":"hello"}`, []string{"x-weir-version", "v1"}, [][]float64{vector(4, 4, 2, 4, 3)}, 3},
		{"alias", `{"model":"other name","input":"hello"}`, []string{"x-weir-model", "text"}, [][]float64{vector(2, 2, 2, 4, 3)}, 3},
		{"texts", `{"model":"text","input":["hello","world","hello"],"dimensions":null,"encoding_format":"float"}`, nil, [][]float64{vector(2, 2, 2, 4, 3), vector(2, 2, 2, 5, 3), vector(2, 2, 2, 4, 3)}, 9},
		{"token ids", `{"model":"text","input":[4,5]}`, nil, [][]float64{vector(2, 2, 2, 4, 5, 3)}, 4},
		{"lists of token ids", `{"model":"text","input":[[4],[2,5,3]]}`, nil, [][]float64{vector(2, 2, 2, 4, 3), vector(2, 2, 2, 5, 3)}, 6},
		{"cut off", `{"model":"text","input":"hello hello hello hello hello hello world world"}`, nil, [][]float64{vector(2, 2, 2, 4, 4, 4, 4, 4, 4, 3)}, 8},
		{"all dimensions", `{"model":"text","input":"hello","dimensions":2}`, nil, [][]float64{vector(2, 2, 2, 4, 3)}, 3},
		{"fewer dimensions", `{"model":"nested","input":"hello","dimensions":3}`, nil, [][]float64{vector(4, 3, 2, 4, 3)}, 3},
	} {
		res := send(m, c.body, c.header...)
		var a answer
		if err := json.Unmarshal(res.Body.Bytes(), &a); err != nil || res.Code != 200 || len(a.Data) != len(c.want) {
			t.Errorf("%s: %d %s, %v", c.name, res.Code, res.Body, err)
			continue
		}
		if a.Object != "list" || a.Usage.Prompt != c.tokens || a.Usage.Total != c.tokens {
			t.Errorf("%s: %s", c.name, res.Body)
		}
		for i, d := range a.Data {
			var v []float64
			if err := json.Unmarshal(d.Embedding, &v); err != nil || d.Index != i || d.Object != "embedding" || !near(v, c.want[i]) {
				t.Errorf("%s: entry %d is %s, want %v", c.name, i, d.Embedding, c.want[i])
			}
		}
	}
}

func TestEmbeddingsRefuse(t *testing.T) {
	m := mux(house(t))
	for _, c := range []struct{ body, param, code, text string }{
		{`{`, "", "invalid_json", "invalid JSON at byte 1"},
		{`{"model":"text","input":["a",}`, "", "invalid_json", "no value starts with '}'"},
		{`[]`, "", "invalid_request", "found an array where an object should be"},
		{`{"input":"a"}`, "model", "missing_model", "no model"},
		{`{"model":null,"input":"a"}`, "model", "invalid_parameter", "found null where a string"},
		{`{"model":7,"input":"a"}`, "model", "invalid_parameter", "found a number where a string"},
		{`{"model":"text"}`, "input", "invalid_parameter", "missing or empty"},
		{`{"model":"text","input":null}`, "input", "invalid_parameter", "it is a string, an array"},
		{`{"model":"text","input":""}`, "input", "invalid_parameter", "empty string"},
		{`{"model":"text","input":[]}`, "input", "invalid_parameter", "missing or empty"},
		{`{"model":"text","input":["a",""]}`, "input", "invalid_parameter", "element 1 is an empty string"},
		{`{"model":"text","input":["a",1]}`, "input", "invalid_parameter", "element 1 is a number"},
		{`{"model":"text","input":[1,"a"]}`, "input", "invalid_parameter", "element 1 is a string"},
		{`{"model":"text","input":[[1],2]}`, "input", "invalid_parameter", "element 1 is a number"},
		{`{"model":"text","input":[[1],[]]}`, "input", "invalid_parameter", "element 1 is an empty array"},
		{`{"model":"text","input":[[1.5]]}`, "input", "invalid_parameter", "not an integer"},
		{`{"model":"text","input":[7]}`, "input", "invalid_parameter", "token 0 is 7, the vocabulary has 0 to 6"},
		{`{"model":"text","input":[` + strings.Repeat(`[1],`, 900) + `{}]}`, "input", "invalid_parameter", "element 900 is an object"},
		{`{"model":"text","input":"a","encoding_format":"int8"}`, "encoding_format", "invalid_parameter", "it is float or base64"},
		{`{"model":"text","input":"a","dimensions":0}`, "dimensions", "invalid_parameter", "at least 1"},
		{`{"model":"text","input":"a","dimensions":1}`, "dimensions", "invalid_parameter", "not trained for fewer"},
		{`{"model":"nested","input":"a","dimensions":5}`, "dimensions", "invalid_parameter", "the model has 4"},
		{`{"model":"text","input":"a","dimensions":"2"}`, "dimensions", "invalid_parameter", "found a string"},
		{`{"model":"image","input":"a"}`, "model", "invalid_parameter", "not for embeddings"},
		{`{"model":"none","input":"a"}`, "model", "model_not_found", `unknown model "none"`},
	} {
		expect(t, send(m, c.body), 400, c.param, c.code, c.text)
	}
	expect(t, send(m, `{"model":"text","input":"a"}`, "x-weir-version", "v7"), 404, "model", "version_not_found", "v7")
	expect(t, send(m, strings.Repeat(" ", 5000)), 413, "", "request_too_large", "4096")
	expect(t, send(m, "{}", "content-encoding", "br"), 415, "", "unsupported_content_encoding", "content-encoding")
}

func expect(t *testing.T, res *httptest.ResponseRecorder, status int, param, code, text string) {
	t.Helper()
	var e struct {
		Error struct{ Message, Type, Param, Code string }
	}
	if err := json.Unmarshal(res.Body.Bytes(), &e); err != nil {
		t.Errorf("%s: %v", res.Body, err)
	}
	if code == "model_not_found" {
		status = 404
	}
	if res.Code != status || e.Error.Param != param || e.Error.Code != code || e.Error.Type == "" || !strings.Contains(e.Error.Message, text) {
		t.Errorf("got %d %s, want %d, param %q, code %q, %q", res.Code, res.Body, status, param, code, text)
	}
}

func TestErrorsOfModels(t *testing.T) {
	var failure error
	s := fake.Bert(4)
	compute := s.Compute
	s.Compute = func(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		if failure != nil {
			return nil, failure
		}
		out, err := compute(ctx, in)
		if in[0].Shape[1] == 5 {
			tensor.View[float32](out[0])[0] = float32(math.NaN())
		}
		return out, err
	}
	h, _ := servetest.House(t, servetest.Model{Name: "text", Version: "v1", Session: s, Text: 4})
	m := mux(h)
	expect(t, send(m, `{"model":"text","input":["hello","hello worlds"]}`), 500, "", "not_finite", "not finite")
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{{context.DeadlineExceeded, 504, "timeout"}, {runtime.ErrMemory, 429, "overloaded"}, {runtime.ErrClosed, 503, "not_ready"}, {runtime.InputErrorf("bad"), 400, "invalid_request"}} {
		failure = c.err
		expect(t, send(m, `{"model":"text","input":["hello","hello"]}`), c.status, "", c.code, c.err.Error())
	}
	failure = nil
	var leaves []func()
	for range 2 {
		leave, err := h.Gate.Admit()
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	res := send(m, `{"model":"text","input":"hello"}`)
	expect(t, res, 429, "", "overloaded", "too many requests")
	if res.Header().Get("Retry-After") != "1" {
		t.Errorf("headers %v", res.Header())
	}
	for _, leave := range leaves {
		leave()
	}
	if res := send(m, `{"model":"text","input":"hello"}`); res.Code != 200 {
		t.Errorf("after the overload: %d %s", res.Code, res.Body)
	}
}

func TestOtherPaths(t *testing.T) {
	m := mux(house(t))
	get := func(method, path string) *httptest.ResponseRecorder {
		res := httptest.NewRecorder()
		m.ServeHTTP(res, httptest.NewRequest(method, path, nil))
		return res
	}
	expect(t, get("GET", "/v1/chat/completions"), 404, "", "unknown_url", "/v1/chat/completions")
	expect(t, get("GET", "/v1/embeddings"), 405, "", "method_not_allowed", "takes POST")
	expect(t, get("GET", "/v1/models/none"), 404, "model", "model_not_found", "none")
	empty, _ := servetest.House(t)
	m = mux(empty)
	expect(t, get("GET", "/v1/models"), 503, "", "not_ready", "not ready")
	expect(t, send(m, `{"model":"text","input":"a"}`), 503, "", "not_ready", "not ready")
}

// TestOpenAIClient uses the public client library, as a user does.
func TestOpenAIClient(t *testing.T) {
	server := httptest.NewServer(mux(house(t)))
	defer server.Close()
	c := client.NewClient(option.WithBaseURL(server.URL+"/v1/"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	ctx := context.Background()
	want := vector(2, 2, 2, 4, 3)

	asFloat, err := c.Embeddings.New(ctx, client.EmbeddingNewParams{
		Model: "text", Input: client.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"world", "hello"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asFloat.Data) != 2 || !near(asFloat.Data[1].Embedding, want) || asFloat.Usage.PromptTokens != 6 || asFloat.Model != "text" {
		t.Errorf("float: %s", asFloat.RawJSON())
	}

	var raw []byte
	_, err = c.Embeddings.New(ctx, client.EmbeddingNewParams{
		Model: "text", Input: client.EmbeddingNewParamsInputUnion{OfString: client.String("hello")},
		EncodingFormat: client.EmbeddingNewParamsEncodingFormatBase64,
	}, option.WithResponseBodyInto(&raw))
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	var encoded string
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(a.Data[0].Embedding, &encoded); err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for ; len(b) >= 4; b = b[4:] {
		got = append(got, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}
	if !near(got, want) {
		t.Errorf("base64: %v, want %v", got, want)
	}

	models, err := c.Models.List(ctx)
	if err != nil || len(models.Data) != 3 || models.Data[2].ID != "text" || models.Data[2].Created == 0 {
		t.Errorf("models: %+v, %v", models, err)
	}
	if one, err := c.Models.Get(ctx, "text"); err != nil || one.ID != "text" {
		t.Errorf("a model: %+v, %v", one, err)
	}
	_, err = c.Embeddings.New(ctx, client.EmbeddingNewParams{Model: "none", Input: client.EmbeddingNewParamsInputUnion{OfString: client.String("hello")}})
	var apiError *client.Error
	if !errors.As(err, &apiError) || apiError.StatusCode != http.StatusNotFound || apiError.Code != "model_not_found" || apiError.Param != "model" {
		t.Errorf("error %v", err)
	}
}
