package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/httpapi"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/fake"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
	"github.com/weirmesh/weir/inference-sidecar/internal/servetest"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

func mux(h *serve.House) *http.ServeMux {
	m := http.NewServeMux()
	(&httpapi.API{House: h, Name: "test", Version: "1"}).Register(m)
	return m
}

// two returns a model of two inputs, one INT64 and one BYTES, and outputs that are their equals.
func two() *fake.Session {
	infos := func(prefix string) []runtime.Info {
		return []runtime.Info{{Name: prefix + "n", Type: tensor.Int64, Shape: []int64{-1, 2}}, {Name: prefix + "s", Type: tensor.Text, Shape: []int64{-1}}}
	}
	return &fake.Session{In: infos(""), Out: infos("out_"), Compute: func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		n, s := in[0], in[1]
		n.Name, s.Name = "out_n", "out_s"
		return []tensor.Tensor{n, s}, nil
	}}
}

func house(t *testing.T) *serve.House {
	h, _ := servetest.House(t,
		servetest.Model{Name: "two", Version: "1", Session: two()},
		servetest.Model{Name: "f32", Version: "v1", Session: fake.Identity(tensor.FP32, -1, 2)},
		servetest.Model{Name: "f32", Version: "v2", Session: fake.Identity(tensor.FP32, -1, 2)},
		servetest.Model{Name: "f16", Version: "1", Session: fake.Identity(tensor.FP16, -1, 2)},
		servetest.Model{Name: "bytes", Version: "1", Session: fake.Identity(tensor.Text, -1)},
		servetest.Model{Name: "image", Version: "1", Session: fake.Identity(tensor.Uint8, -1, 3, -1)},
	)
	return h
}

// want is "STATUS BODY", where the body may be empty for any.
func check(t *testing.T, name string, res *httptest.ResponseRecorder, want string) {
	t.Helper()
	status, body, _ := strings.Cut(want, " ")
	if got := strings.TrimSpace(res.Body.String()); http.StatusText(res.Code) == "" || status != res.Result().Status[:3] || body != "" && got != body {
		t.Errorf("%s:\n got %s %s\nwant %s", name, res.Result().Status[:3], got, want)
	}
}

func TestGet(t *testing.T) {
	m := mux(house(t))
	f32 := `"platform":"onnx_onnxv1","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1,2]}]}`
	for path, want := range map[string]string{
		"/v2":                              `200 {"name":"test","version":"1","extensions":["binary_tensor_data"]}`,
		"/v2/health/live":                  `200 {"live":true,"ready":true}`,
		"/v2/health/ready":                 `200 {"live":true,"ready":true}`,
		"/v2/models/f32":                   `200 {"name":"f32","versions":["v1","v2"],` + f32,
		"/v2/models/f32/versions/v1":       `200 {"name":"f32","versions":["v1"],` + f32,
		"/v2/models/f32/ready":             `200 {"name":"f32","ready":true}`,
		"/v2/models/f32/versions/v2/ready": `200 {"name":"f32","ready":true}`,
		"/v2/models/none":                  `404 {"error":"unknown model \"none\""}`,
		"/v2/models/f32/versions/v3":       `404 {"error":"unknown version \"v3\" of model \"f32\""}`,
		"/v2/models/f32/versions/v3/ready": `404`,
		"/v2/models/a%2Fb/ready":           `404 {"error":"unknown model \"a/b\""}`,
		"/v2/models/f32/infer":             `405 {"error":"/v2/models/f32/infer takes POST, not GET"}`,
		"/v2/models/f32/stats":             `404 {"error":"unknown path \"/v2/models/f32/stats\""}`,
		"/v2/health":                       `404`,
	} {
		res := httptest.NewRecorder()
		m.ServeHTTP(res, httptest.NewRequest(http.MethodGet, path, nil))
		check(t, path, res, want)
		if got := res.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type %q", path, got)
		}
	}
}

func TestNotReady(t *testing.T) {
	loading, _ := servetest.House(t)
	draining := house(t)
	draining.Models.Drain()
	for name, c := range map[string]struct {
		house *serve.House
		infer string
	}{
		"loading":  {loading, `503 {"error":"the server is not ready"}`},
		"draining": {draining, "200"}, // what still comes is served
	} {
		m := mux(c.house)
		for path, want := range map[string]string{
			"/v2/health/live": `200 {"live":true,"ready":false}`, "/v2/health/ready": `503 {"live":true,"ready":false}`,
			"/v2/models/f32/ready": `503 {"error":"the server is not ready"}`,
		} {
			res := httptest.NewRecorder()
			m.ServeHTTP(res, httptest.NewRequest(http.MethodGet, path, nil))
			check(t, name+" "+path, res, want)
		}
		check(t, name, post{body: x + "}"}.send(m), c.infer)
	}
}

type post struct {
	name, path, body string
	header           map[string]string
	want             string
}

func (p post) send(m http.Handler) *httptest.ResponseRecorder {
	path := p.path
	if path == "" {
		path = "/v2/models/f32/infer"
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(p.body))
	for k, v := range p.header {
		r.Header.Set(k, v)
	}
	res := httptest.NewRecorder()
	m.ServeHTTP(res, r)
	return res
}

const x = `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.5,-1]}]`

func TestInferJSON(t *testing.T) {
	m := mux(house(t))
	y := func(version, more string) string {
		return `200 {"model_name":"f32","model_version":"` + version + `"` + more + `,"outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":[0.5,-1]}]}`
	}
	for _, p := range []post{
		{name: "default version", body: x + "}", want: y("v2", "")},
		{name: "version in the path", path: "/v2/models/f32/versions/v1/infer", body: x + "}", want: y("v1", "")},
		{name: "version in the header", header: map[string]string{"x-weir-version": "v1"}, body: x + "}", want: y("v1", "")},
		{name: "path above header", path: "/v2/models/f32/versions/v1/infer", header: map[string]string{"x-weir-version": "v2"}, body: x + "}", want: y("v1", "")},
		{name: "alias in the path", path: "/v2/models/alias/infer", header: map[string]string{"x-weir-model": "f32"}, body: x + "}", want: y("v2", "")},
		{name: "id", body: x + `,"id":"a\"b"}`, want: y("v2", `,"id":"a\"b"`)},
		{name: "nulls", body: x + `,"id":null,"parameters":null,"outputs":null}`, want: y("v2", "")},
		{name: "unknown parameters", body: x + `,"parameters":{"priority":1,"my":"own"}}`, want: y("v2", "")},
		{name: "features off", body: x + `,"parameters":{"sequence_id":0}}`, want: y("v2", "")},
		{name: "output asked for", body: x + `,"outputs":[{"name":"y"}]}`, want: y("v2", "")},
		{name: "nested, and data first", body: `{"inputs":[{"data":[[0.5,-1]],"datatype":"FP32","shape":[1,2],"name":"x"}]}`, want: y("v2", "")},
		{name: "exact integers and texts", path: "/v2/models/two/infer",
			body: `{"inputs":[{"name":"s","shape":[1],"datatype":"BYTES","data":["你\n"]},{"name":"n","shape":[1,2],"datatype":"INT64","data":[9007199254740993,-9223372036854775808]}]}`,
			want: `200 {"model_name":"two","model_version":"1","outputs":[{"name":"out_n","datatype":"INT64","shape":[1,2],"data":[9007199254740993,-9223372036854775808]},{"name":"out_s","datatype":"BYTES","shape":[1],"data":["你\n"]}]}`},
		{name: "one output of two", path: "/v2/models/two/infer",
			body: `{"inputs":[{"name":"s","shape":[0],"datatype":"BYTES","data":[]},{"name":"n","shape":[0,2],"datatype":"INT64","data":[]}],"outputs":[{"name":"out_s"}]}`,
			want: `200 {"model_name":"two","model_version":"1","outputs":[{"name":"out_s","datatype":"BYTES","shape":[0],"data":[]}]}`},
		{name: "not a number", body: `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[NaN,-Infinity]}]}`,
			want: `200 {"model_name":"f32","model_version":"v2","outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":["NaN","-Infinity"]}]}`},
	} {
		check(t, p.name, p.send(m), p.want)
	}
}

func TestInferRefuses(t *testing.T) {
	m := mux(house(t))
	in := func(more string) string { return `{"inputs":[{"name":"x",` + more + `}]}` }
	for _, p := range []post{
		{name: "no JSON", body: "x", want: "400 {\"error\":\"invalid JSON at byte 0: no value starts with 'x'\"}"},
		{name: "empty", body: "", want: `400 {"error":"invalid JSON at byte 0: the document ends where an object should be"}`},
		{name: "more after it", body: x + "} {}", want: `400`},
		{name: "duplicate", body: x + `,"inputs":[]}`, want: `400 {"error":"invalid JSON at byte 73: the key \"inputs\" occurs twice"}`},
		{name: "no inputs", body: "{}", want: `400 {"error":"the request has no inputs"}`},
		{name: "no name", body: `{"inputs":[{"shape":[1,2],"datatype":"FP32","data":[1,2]}]}`, want: `400 {"error":"input 0: it has no name"}`},
		{name: "no datatype", body: in(`"shape":[1,2],"data":[1,2]`), want: `400 {"error":"input \"x\": it has no datatype"}`},
		{name: "no shape", body: in(`"datatype":"FP32","data":[1,2]`), want: `400 {"error":"input \"x\": it has no shape"}`},
		{name: "no data", body: in(`"shape":[1,2],"datatype":"FP32"`), want: `400 {"error":"input \"x\": it needs either data or the parameter binary_data_size"}`},
		{name: "unknown datatype", body: in(`"datatype":"FLOAT"`), want: `400`},
		{name: "other datatype", body: in(`"shape":[1,2],"datatype":"INT8","data":[1,2]`), want: `400 {"error":"input \"x\" is INT8, the model takes FP32"}`},
		{name: "other shape", body: in(`"shape":[2,1],"datatype":"FP32","data":[1,2]`), want: `400 {"error":"input \"x\" has shape [2 1], the model takes [-1 2]"}`},
		{name: "other rank", body: in(`"shape":[2],"datatype":"FP32","data":[1,2]`), want: `400`},
		{name: "too little data", body: in(`"shape":[1,2],"datatype":"FP32","data":[1]`), want: `400 {"error":"input \"x\": shape [1 2] has 2 elements, the data 1 (at byte 65)"}`},
		{name: "data of another type, and first", body: `{"inputs":[{"data":["a",1],"name":"x","datatype":"FP32","shape":[1,2]}]}`, want: `400 {"error":"input \"x\": found a string where a number should be (only \"NaN\", \"Infinity\" and \"-Infinity\" may be strings) (at byte 20)"}`},
		{name: "unknown input", body: `{"inputs":[{"name":"z","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`, want: `400 {"error":"unexpected input \"z\": the model has [x]"}`},
		{name: "input twice", body: `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]},{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`, want: `400 {"error":"input \"x\" is given twice"}`},
		{name: "input missing", path: "/v2/models/two/infer", body: `{"inputs":[{"name":"s","shape":[0],"datatype":"BYTES","data":[]}]}`, want: `400 {"error":"input \"n\" is missing: the model has [n s]"}`},
		{name: "unknown output", body: x + `,"outputs":[{"name":"z"}]}`, want: `400 {"error":"output \"z\" is asked for, which the model does not have"}`},
		{name: "output twice", body: x + `,"outputs":[{"name":"y"},{"name":"y"}]}`, want: `400 {"error":"output \"y\" is asked for twice"}`},
		{name: "sequences", body: x + `,"parameters":{"sequence_id":7}}`, want: `400 {"error":"parameter \"sequence_id\": this server has no sequence_id (at byte 101)"}`},
		{name: "classification", body: x + `,"outputs":[{"name":"y","parameters":{"classification":3}}]}`, want: `400`},
		{name: "shared memory", body: in(`"shape":[1,2],"datatype":"FP32","parameters":{"shared_memory_region":"a"}`), want: `400`},
		{name: "negative timeout", body: x + `,"parameters":{"timeout":-1}}`, want: `400`},
		{name: "FP16 in JSON", path: "/v2/models/f16/infer", body: in(`"shape":[1,2],"datatype":"FP16","data":[1,2]`), want: `400 {"error":"input \"x\": FP16 has no JSON form: send it as binary data"}`},
		{name: "unknown model", path: "/v2/models/none/infer", body: x + "}", want: `404`},
		{name: "unknown version", header: map[string]string{"x-weir-version": "v9"}, body: x + "}", want: `404`},
		{name: "too large", body: strings.Repeat(" ", 5000), want: `413 {"error":"the request body is larger than the 4096 bytes allowed"}`},
		{name: "compressed as nobody does", header: map[string]string{"Content-Encoding": "br"}, body: x + "}", want: `415 {"error":"unknown content-encoding \"br\": it is gzip, deflate or none"}`},
		{name: "not compressed", header: map[string]string{"Content-Encoding": "gzip"}, body: x + "}", want: `400 {"error":"the request body is not gzip: gzip: invalid header"}`},
		{name: "large when decompressed", header: map[string]string{"Content-Encoding": "gzip"}, body: compressed(t, "gzip", strings.Repeat(" ", 100_000)), want: `413 {"error":"the request body is larger than the 4096 bytes allowed"}`},
		{name: "compressed and cut off", header: map[string]string{"Content-Encoding": "gzip"}, body: compressed(t, "gzip", x+"}")[:40], want: `400 {"error":"reading the request body: unexpected EOF"}`},
		{name: "deep", body: strings.Repeat("[", 1000), want: `400`},
		{name: "header length of no number", header: map[string]string{"Inference-Header-Content-Length": "-1"}, body: x + "}", want: `400`},
		{name: "header length beyond the body", header: map[string]string{"Inference-Header-Content-Length": "4097"}, body: x + "}", want: `400 {"error":"the header Inference-Header-Content-Length is 4097, the body has 73 bytes"}`},
	} {
		check(t, p.name, p.send(m), p.want)
	}
}

func compressed(t *testing.T, encoding, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := io.WriteCloser(gzip.NewWriter(&b))
	if encoding == "deflate" {
		w = zlib.NewWriter(&b)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestInferCompressed: the length of the JSON is that before it was compressed.
func TestInferCompressed(t *testing.T) {
	m := mux(house(t))
	document := `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}`
	for _, encoding := range []string{"gzip", "deflate"} {
		p := binary(encoding, "", document, "\x00\x00\x00\x3f\x00\x00\x80\xbf", `200 {"model_name":"f32","model_version":"v2","outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":[0.5,-1]}]}`)
		p.body = compressed(t, encoding, p.body)
		p.header["Content-Encoding"] = encoding
		check(t, encoding, p.send(m), p.want)
	}
}

// binary is a request with a JSON part and what follows it.
func binary(name, path, document, blobs, want string) post {
	return post{name: name, path: path, body: document + blobs, want: want, header: map[string]string{"Inference-Header-Content-Length": itoa(len(document))}}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestInferBinary(t *testing.T) {
	m := mux(house(t))
	f32 := `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]`
	blob := "\x00\x00\x00\x3f\x00\x00\x80\xbf"
	jsonY := `"outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":[0.5,-1]}]}`
	binY := `"outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}`
	head := `200 {"model_name":"f32","model_version":"v2",`
	twoIn := `{"inputs":[{"name":"s","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":10}},{"name":"n","shape":[1,2],"datatype":"INT64","data":[1,2]}]`
	for _, p := range []post{
		binary("binary in, JSON out", "", f32+"}", blob, head+jsonY),
		binary("all outputs binary", "", f32+`,"parameters":{"binary_data_output":true}}`, blob, head+binY+blob),
		binary("an output's own word stands above", "", f32+`,"parameters":{"binary_data_output":true},"outputs":[{"name":"y","parameters":{"binary_data":false}}]}`, blob, head+jsonY),
		binary("one output binary", "", f32+`,"outputs":[{"name":"y","parameters":{"binary_data":true}}]}`, blob, head+binY+blob),
		{name: "JSON in, binary out", body: x + `,"parameters":{"binary_data_output":true}}`, want: head + binY + blob},
		binary("mixed", "/v2/models/two/infer", twoIn+`,"outputs":[{"name":"out_s","parameters":{"binary_data":true}},{"name":"out_n"}]}`, "\x02\x00\x00\x00a\xff\x00\x00\x00\x00",
			`200 {"model_name":"two","model_version":"1","outputs":[{"name":"out_s","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}},{"name":"out_n","datatype":"INT64","shape":[1,2],"data":[1,2]}]}`+"\x02\x00\x00\x00a\xff\x00\x00\x00\x00"),
		binary("empty tensor", "", `{"inputs":[{"name":"x","shape":[0,2],"datatype":"FP32","parameters":{"binary_data_size":0}}],"parameters":{"binary_data_output":true}}`, "",
			`200 {"model_name":"f32","model_version":"v2","outputs":[{"name":"y","datatype":"FP32","shape":[0,2],"parameters":{"binary_data_size":0}}]}`),
		{name: "raw", body: blob, header: map[string]string{"Inference-Header-Content-Length": "0"}, want: head + binY + blob},
		{name: "raw BYTES", path: "/v2/models/bytes/infer", body: "hi", header: map[string]string{"Inference-Header-Content-Length": "0"},
			want: `200 {"model_name":"bytes","model_version":"1","outputs":[{"name":"y","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}` + "\x02\x00\x00\x00hi"},
		{name: "raw of a second varying length", path: "/v2/models/image/infer", body: "abcdef", header: map[string]string{"Inference-Header-Content-Length": "0"},
			want: `200 {"model_name":"image","model_version":"1","outputs":[{"name":"y","datatype":"UINT8","shape":[1,3,2],"parameters":{"binary_data_size":6}}]}abcdef`},
		{name: "raw of the wrong size", body: "abc", header: map[string]string{"Inference-Header-Content-Length": "0"}, want: `400 {"error":"input \"x\": shape [1 2] of FP32 takes 8 bytes, the binary data has 3"}`},
		{name: "raw with two inputs", path: "/v2/models/two/infer", body: "abc", header: map[string]string{"Inference-Header-Content-Length": "0"}, want: `400`},
		binary("too few bytes", "", f32+"}", blob[:7], `400 {"error":"input \"x\": binary_data_size is 8, 7 bytes are left"}`),
		binary("bytes left", "", f32+"}", blob+"z", `400 {"error":"1 bytes are left after the binary data of all inputs"}`),
		binary("negative size", "", strings.Replace(f32, "8}", "-8}", 1)+"}", blob, `400`),
		binary("size and data", "", strings.Replace(f32, `"parameters"`, `"data":[1,2],"parameters"`, 1)+"}", blob, `400`),
		{name: "no header", body: f32 + "}" + blob, want: `400`},
		{name: "no header and no bytes", body: f32 + "}", want: `400 {"error":"input \"x\" has the parameter binary_data_size, but the request has no header Inference-Header-Content-Length"}`},
	} {
		res := p.send(m)
		check(t, p.name, res, p.want)
		length := res.Header().Get("Inference-Header-Content-Length")
		if isBinary := strings.Contains(p.want, "binary_data_size\":") && strings.HasPrefix(p.want, "200"); isBinary {
			if res.Header().Get("Content-Type") != "application/octet-stream" || length != itoa(strings.LastIndexByte(res.Body.String(), '}')+1) {
				t.Errorf("%s: headers %v", p.name, res.Header())
			}
		} else if length != "" {
			t.Errorf("%s: headers %v", p.name, res.Header())
		}
	}
	f16 := binary("FP16", "/v2/models/f16/infer", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP16","parameters":{"binary_data_size":4}}]}`, "\x00\x3c\x00\x40", `400 {"error":"output \"y\": FP16 has no JSON form: ask for binary data"}`)
	check(t, f16.name, f16.send(m), f16.want)
}

func TestErrorsOfModels(t *testing.T) {
	var failure error
	s := fake.Identity(tensor.FP32, -1, 2)
	s.Compute = func(ctx context.Context, _ []tensor.Tensor) ([]tensor.Tensor, error) {
		if failure == nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, failure
	}
	h, metrics := servetest.House(t, servetest.Model{Name: "f32", Version: "v1", Session: s})
	m := mux(h)
	for _, c := range []struct {
		err   error
		body  string
		want  string
		again bool
	}{
		{errors.New("broken"), x + "}", `500 {"error":"broken"}`, false},
		{runtime.InputErrorf("bad"), x + "}", `400 {"error":"bad"}`, false},
		{runtime.ErrMemory, x + "}", `429 {"error":"out of memory for models"}`, true},
		{runtime.ErrClosed, x + "}", `503 {"error":"the model is unloaded"}`, true},
		{nil, x + `,"parameters":{"timeout":1}}`, `504 {"error":"the request's timeout of 1µs expired: context deadline exceeded"}`, false},
	} {
		failure = c.err
		res := post{body: c.body}.send(m)
		check(t, c.want, res, c.want)
		if got := res.Header().Get("Retry-After"); c.again != (got == "1") {
			t.Errorf("%s: Retry-After is %q", c.want, got)
		}
	}
	page := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`nv_inference_request_failure{model="f32",reason="BACKEND",version="v1"} 2`, `nv_inference_request_failure{model="f32",reason="OTHER",version="v1"} 2`,
		`nv_inference_request_failure{model="f32",reason="CANCELED",version="v1"} 1`, `nv_inference_request_success{model="f32",version="v1"} 0`,
		`nv_inference_pending_request_count{model="f32",version="v1"} 0`, `weir_inference_request_duration_seconds_count{model="f32",version="v1"} 5`,
	} {
		if !strings.Contains(page.Body.String(), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

func TestOverloadIsAnsweredAtOnce(t *testing.T) {
	s := fake.Identity(tensor.FP32, -1, 2)
	compute, running, goOn := s.Compute, make(chan struct{}), make(chan struct{})
	s.Compute = func(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		running <- struct{}{}
		<-goOn
		return compute(ctx, in)
	}
	h, metrics := servetest.House(t, servetest.Model{Name: "f32", Version: "v1", Session: s})
	m := mux(h)
	answer := make(chan *httptest.ResponseRecorder)
	go func() { answer <- post{body: x + "}"}.send(m) }()
	<-running
	leave, err := h.Gate.Admit() // one runs, one waits
	if err != nil {
		t.Fatal(err)
	}
	res := post{body: x + "}"}.send(m)
	check(t, "the third", res, `429 {"error":"too many requests are waiting"}`)
	if res.Header().Get("Retry-After") != "1" {
		t.Errorf("headers %v", res.Header())
	}
	leave()
	close(goOn)
	check(t, "the one that was let in", <-answer, "200")
	page := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(page.Body.String(), `nv_inference_request_failure{model="f32",reason="REJECTED",version="v1"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	m := mux(house(t))
	r := httptest.NewRequest(http.MethodPost, "/v2/models/f32/infer", io.MultiReader(strings.NewReader(x), brokenReader{}))
	r.ContentLength = 1000
	res := httptest.NewRecorder()
	m.ServeHTTP(res, r)
	check(t, "broken off", res, `400 {"error":"reading the request body: unexpected EOF"}`)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
