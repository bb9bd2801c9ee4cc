package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/weirmesh/weir/inference-sidecar/internal/app"
	"github.com/weirmesh/weir/inference-sidecar/internal/identitytest"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/onnx"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
	"github.com/weirmesh/weir/inference-sidecar/internal/tokenize"
)

func tools(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_TOOLS")
	if dir == "" {
		t.Skip("needs ONNX Runtime and models: set WEIR_TOOLS to a folder that has lib/libonnxruntime.so and models/minilm (make test does)")
	}
	return dir
}

// program is a run of the program.
type program struct {
	t       *testing.T
	address string
	stop    context.CancelFunc
	status  chan int
	once    sync.Once
	code    int
}

// start runs the program with flags and waits until it is ready.
func start(t *testing.T, flags ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	p := &program{t: t, stop: cancel, status: make(chan int, 1)}
	args := append([]string{"--onnxruntime-lib", filepath.Join(tools(t), "lib", "libonnxruntime.so"), "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--log-format", "json"}, flags...)
	go func() {
		p.status <- app.Run(ctx, args, func(string) string { return "" }, io.Discard, w)
		w.Close()
	}()
	t.Cleanup(func() { p.end() })
	ready := make(chan string, 1)
	go func() {
		defer close(ready)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var line struct{ Msg, HTTP string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
				ready <- line.HTTP
			}
		}
	}()
	var ok bool
	if p.address, ok = <-ready; !ok {
		t.Fatalf("the program ended with status %d before it was ready", p.end())
	}
	return p
}

// end stops the program and returns its exit status.
func (p *program) end() int {
	p.once.Do(func() {
		p.stop()
		p.code = <-p.status
	})
	return p.code
}

func cosine(a, b []float64) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot, aa, bb = dot+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	return dot / math.Sqrt(aa*bb)
}

var sentences = []string{
	"A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.",
	"A cheetah is running behind its prey.", "机器学习模型服务", "naïve café résumé 😀", strings.Repeat("long text ", 300),
}

// direct computes embeddings with ONNX Runtime and nothing of the server but the tokenizer, which has a test of its own.
func direct(t *testing.T, version string) [][]float64 {
	t.Helper()
	dir := filepath.Join(tools(t), "models", "minilm", version)
	engine, err := onnx.Open(onnx.Options{Library: filepath.Join(tools(t), "lib", "libonnxruntime.so"), Device: onnx.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	model, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := engine.Load(model)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	vocabulary, err := os.Open(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer vocabulary.Close()
	words, err := tokenize.NewWordPiece(vocabulary, tokenize.Options{Lowercase: true, MaxTokens: 256})
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for _, s := range sentences {
		ids := words.Encode(s)
		given := map[string][]int64{"input_ids": make([]int64, len(ids)), "attention_mask": make([]int64, len(ids)), "token_type_ids": make([]int64, len(ids))}
		for i, id := range ids {
			given["input_ids"][i], given["attention_mask"][i] = int64(id), 1
		}
		var inputs []tensor.Tensor
		for _, in := range session.Inputs() {
			inputs = append(inputs, tensor.Of(in.Name, tensor.Int64, []int64{1, int64(len(ids))}, given[in.Name]))
		}
		hidden, err := session.Run(context.Background(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		mean := make([]float64, 384)
		for i, x := range tensor.View[float32](hidden[0]) {
			mean[i%384] += float64(x) / float64(len(ids))
		}
		out = append(out, mean)
	}
	return out
}

func embed(t *testing.T, c client.Client, version string, texts ...string) [][]float64 {
	t.Helper()
	res, err := c.Embeddings.New(context.Background(), client.EmbeddingNewParams{Model: "minilm", Input: client.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts}},
		option.WithHeader("x-weir-version", version))
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(texts))
	for _, d := range res.Data {
		out[d.Index] = d.Embedding
	}
	return out
}

func TestServesRealModels(t *testing.T) {
	p := start(t, "--models", filepath.Join(tools(t), "models"), "--insecure-plaintext", "--workers", "2")
	c := client.NewClient(option.WithBaseURL("http://"+p.address+"/v1/"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	got := map[string][][]float64{}
	for _, version := range []string{"v1", "v2"} {
		got[version] = embed(t, c, version, sentences...)
		v := got[version]
		if similar, other := cosine(v[0], v[1]), cosine(v[0], v[3]); similar < other+0.3 {
			t.Errorf("%s: similar sentences have cosine %.3f, different ones %.3f", version, similar, other)
		}
		aloneIsTheSame(t, c, version, v)
	}
	if cosine(got["v1"][0], got["v2"][0]) > 0.99999 {
		t.Error("the two versions are the same")
	}
	inferIsTheSame(t, "http://"+p.address, got["v1"][0])
	if status := p.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	for version, vectors := range got {
		for i, want := range direct(t, version) {
			if c := cosine(vectors[i], want); c < 0.99999 {
				t.Errorf("%s, %.30q: cosine %v with the model run directly", version, sentences[i], c)
			}
		}
	}
}

// aloneIsTheSame asks for each sentence by itself, all at once: neither a batch nor other requests change a vector.
func aloneIsTheSame(t *testing.T, c client.Client, version string, want [][]float64) {
	var wg sync.WaitGroup
	for i, s := range sentences {
		wg.Go(func() {
			for d, x := range embed(t, c, version, s)[0] {
				if x != want[i][d] {
					t.Errorf("%s, %.30q: alone %v, with others %v", version, s, x, want[i][d])
					return
				}
			}
		})
	}
	wg.Wait()
}

// inferIsTheSame runs the first sentence over the Open Inference Protocol and pools here.
func inferIsTheSame(t *testing.T, url string, want []float64) {
	t.Helper()
	ids := "101,1037,2158,2003,5983,2833,1012,102"
	n := strings.Count(ids, ",") + 1
	input := func(name, data string) string {
		return fmt.Sprintf(`{"name":%q,"datatype":"INT64","shape":[1,%d],"data":[%s]}`, name, n, data)
	}
	same := func(digit string) string { return strings.TrimSuffix(strings.Repeat(digit+",", n), ",") }
	body := `{"inputs":[` + input("input_ids", ids) + "," + input("attention_mask", same("1")) + "," + input("token_type_ids", same("0")) + `]}`
	res, err := http.Post(url+"/v2/models/minilm/versions/v1/infer", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Outputs []struct {
			Name  string
			Shape []int
			Data  []float64
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK || len(answer.Outputs) != 1 {
		t.Fatalf("status %d, %+v, %v", res.StatusCode, answer, err)
	}
	mean := make([]float64, len(want))
	for i, x := range answer.Outputs[0].Data {
		mean[i%len(want)] += x
	}
	if c := cosine(mean, want); c < 0.99999 {
		t.Errorf("the Open Inference Protocol gives another vector: cosine %v", c)
	}
}

func TestMutualTLS(t *testing.T) {
	ca := identitytest.NewAuthority(t)
	api, updates := identitytest.Serve(t)
	updates <- ca.SVID("/inference-sidecar")
	p := start(t, "--models", filepath.Join(tools(t), "models"), "--workload-api", api, "--allow-peer", "spiffe://weir.test/envoy", "--allow-peer", "spiffe://weir.test/client")
	get := func(path string, http2 bool, presented ...tls.Certificate) (string, string, error) {
		// That the server is who it says is the subject of package identity's tests.
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: presented}, ForceAttemptHTTP2: http2}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get("https://" + p.address + path)
		if err != nil {
			return "", "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.Proto, strings.TrimSpace(string(b)), err
	}
	for _, peer := range []string{"/envoy", "/client"} {
		for proto, http2 := range map[string]bool{"HTTP/2.0": true, "HTTP/1.1": false} {
			if got, body, err := get("/v2/health/ready", http2, identitytest.Certificate(t, ca.SVID(peer))); err != nil || got != proto || body != `{"live":true,"ready":true}` {
				t.Errorf("%s: %s %s, %v", peer, got, body, err)
			}
		}
	}
	if _, body, err := get("/v2/health/live", true, identitytest.Certificate(t, ca.SVID("/stranger"))); err == nil {
		t.Errorf("a stranger is served: %s", body)
	}
	if _, body, err := get("/v2/health/live", true); err == nil {
		t.Errorf("a client without identity is served: %s", body)
	}
	if res, err := http.Get("http://" + p.address + "/v2/health/live"); err == nil {
		defer res.Body.Close()
		if res.StatusCode == http.StatusOK {
			t.Error("plaintext is served")
		}
	}
	if status := p.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := tools(t)
	library := filepath.Join(dir, "lib", "libonnxruntime.so")
	bad := t.TempDir()
	if err := os.MkdirAll(filepath.Join(bad, "m", "v1"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"model.yaml": "name: m\nversion: v1\nformat: onnx\ntask: generic\nsha256: " + strings.Repeat("ab", 32), "model.onnx": "x"} {
		if err := os.WriteFile(filepath.Join(bad, "m", "v1", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	common := []string{"--http", "127.0.0.1:0", "--metrics", "", "--identity-timeout", "50ms"}
	for _, c := range []struct {
		flags  string
		status int
		text   string
	}{
		{"--models " + bad + " --insecure-plaintext --onnxruntime-lib " + library, 1, "it is not the model that was meant"},
		{"--models " + bad + " --insecure-plaintext --onnxruntime-lib " + library + " --device cuda", 1, "offers no usable CUDA provider"},
		{"--models " + bad + " --insecure-plaintext --onnxruntime-lib " + filepath.Join(bad, "m", "v1", "model.onnx"), 1, "opening ONNX Runtime"},
		{"--models " + bad + " --insecure-plaintext --onnxruntime-lib /none.so", 1, "no such file"},
		{"--models " + bad + " --allow-peer spiffe://weir.test/a --workload-api unix:///none.sock --onnxruntime-lib " + library, 1, "getting an X.509-SVID"},
		{"--models " + bad + " --insecure-plaintext --http " + taken.Addr().String() + " --onnxruntime-lib " + library, 1, "--http: listen tcp"},
		{"--models", 2, "flag needs an argument"},
		{"--help", 0, "Flags:"},
	} {
		var stderr bytes.Buffer
		args := append(append([]string{}, common...), strings.Fields(c.flags)...)
		status := app.Run(context.Background(), args, func(string) string { return "" }, io.Discard, &stderr)
		if status != c.status || !strings.Contains(stderr.String(), c.text) {
			t.Errorf("%s: status %d, %s; want %d, %q", c.flags, status, stderr.String(), c.status, c.text)
		}
	}
	var stdout bytes.Buffer
	if status := app.Run(context.Background(), []string{"--version"}, os.Getenv, &stdout, io.Discard); status != 0 || stdout.String() != app.Version+"\n" {
		t.Errorf("version: %d, %q", status, stdout.String())
	}
}

func TestToldToStopWhileLoading(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr bytes.Buffer
	begun := time.Now()
	status := app.Run(ctx, []string{"--models", filepath.Join(tools(t), "models"), "--insecure-plaintext", "--http", "127.0.0.1:0", "--metrics", "", "--onnxruntime-lib", filepath.Join(tools(t), "lib", "libonnxruntime.so")}, os.Getenv, io.Discard, &stderr)
	if status != 0 || time.Since(begun) > 30*time.Second {
		t.Errorf("status %d after %s: %s", status, time.Since(begun), stderr.String())
	}
}
