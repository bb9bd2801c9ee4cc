package dryrun_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/wasmhost"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/dryrun"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

var update = flag.Bool("update", false, "write the golden files")

// module is the built filter; without WEIR_BUILD the test is skipped.
func module(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(artefact.Built(t, "filter.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func folder(path string) []source.Source { return []source.Source{file.NewFolder(path)} }

func TestCheckExample(t *testing.T) {
	report, err := dryrun.Check(t.Context(), folder("../../../examples/local"), module(t))
	if err != nil {
		t.Fatal(err)
	}
	text := report.Format()
	if len(report.Problems) > 0 || !strings.Contains(text, "Gateway/local: the filter accepts its policy") || !strings.Contains(text, "spiffe://weir.test/envoy: ") {
		t.Errorf("report is\n%s", text)
	}
}

func TestCheckProblems(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("kind: Modle\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := dryrun.Check(t.Context(), folder(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "a.yaml:1:7: kind: \"Modle\" is not a kind of resource (did you mean \"Model\"?)\n1 problem in the resources\n"
	if got := report.Format(); got != want {
		t.Errorf("report is %q, want %q", got, want)
	}
}

func TestCheckModule(t *testing.T) {
	for name, bytes := range map[string][]byte{"none": nil, "no wasm": []byte("module")} {
		if _, err := dryrun.Check(t.Context(), folder("../../../examples/local"), bytes); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestExplain runs each request of testdata through the built filter and
// compares the whole explanation.
func TestExplain(t *testing.T) {
	filter := module(t)
	built, problems := catalog.Load(t.Context(), folder("testdata/resources")...)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	requests, err := filepath.Glob("testdata/requests/*.http")
	if err != nil || len(requests) == 0 {
		t.Fatalf("no requests: %v", err)
	}
	for _, path := range requests {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			request, err := dryrun.ParseRequest(data)
			if err != nil {
				t.Fatal(err)
			}
			explanation, err := dryrun.Explain(t.Context(), built, filter, dryrun.Sample{Request: request})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, strings.TrimSuffix(path, ".http")+".txt", explanation.Format())
		})
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if got != string(want) {
		t.Errorf("explanation is\n%swant\n%s", got, want)
	}
}

func TestExplainGateway(t *testing.T) {
	built, problems := catalog.Load(t.Context(), folder("testdata/resources")...)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	request := &dryrun.Request{Method: http.MethodGet, Path: "/v1/models"}
	if _, err := dryrun.Explain(t.Context(), built, nil, dryrun.Sample{Gateway: "other", Request: request}); err == nil || !strings.Contains(err.Error(), "only local") {
		t.Errorf("error is %v", err)
	}
}

func TestParseRequest(t *testing.T) {
	want := &dryrun.Request{
		Method: "POST", Path: "/v1/x?y=z",
		Headers: []wasmhost.Header{{Name: "x-a", Value: "b: c"}, {Name: "content-length", Value: "3"}},
		Body:    []byte("a\n\n"),
	}
	for _, text := range []string{
		"POST /v1/x?y=z\nX-A: b: c\n\na\n\n", "POST /v1/x?y=z HTTP/1.1\r\nX-A:b: c\r\ncontent-length: 3\r\n\r\na\n\n",
	} {
		got, err := dryrun.ParseRequest([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	got, err := dryrun.ParseRequest([]byte("GET /v1/models\n"))
	if err != nil || got.Method != http.MethodGet || len(got.Headers) != 0 || got.Body != nil {
		t.Errorf("without headers and body it is %+v, %v", got, err)
	}
	for _, text := range []string{
		"", "GET", "GET http://x/", "GET / x y", "GET /\nheader\n\n", "GET /\na b: c\n\n", "GET /\n: c\n\n",
		"POST /\ncontent-length: 4\n\nabc", "POST /\ntransfer-encoding: chunked\n\nabc",
	} {
		if got, err := dryrun.ParseRequest([]byte(text)); err == nil {
			t.Errorf("%q is %+v, want an error", text, got)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("POST /v1/x\nA: b\n\nbody"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		request, err := dryrun.ParseRequest(data)
		if err == nil && (request.Method == "" || !strings.HasPrefix(request.Path, "/")) {
			t.Errorf("request is %+v", request)
		}
	})
}

// TestCheckServedLimits: who keeps a budget is said, and what that means.
func TestCheckServedLimits(t *testing.T) {
	report, err := dryrun.Check(t.Context(), folder("testdata/resources"), module(t))
	if err != nil || len(report.Problems) > 0 {
		t.Fatal(report, err)
	}
	for _, want := range []string{
		"TokenLimit by-service (all.yaml:", "kept by the rate limit service of Gateway/local, domain models, which lets requests through while it does not answer; before a request",
		"TokenLimit by-service/requests (all.yaml:", "it counts requests when they come, refused ones too",
	} {
		if text := report.Format(); !strings.Contains(text, want) {
			t.Errorf("report is\n%s\nwithout %q", text, want)
		}
	}
}

// TestCheckLargeBodies: what has no fallback is said.
func TestCheckLargeBodies(t *testing.T) {
	report, err := dryrun.Check(t.Context(), folder("testdata/resources"), module(t))
	if err != nil || len(report.Problems) > 0 {
		t.Fatal(report, err)
	}
	const want = "Model/chat: bodies above 2KiB have no fallback, and Gateway/local lets bodies up to 1MiB through"
	if text := report.Format(); !strings.Contains(text, want) {
		t.Errorf("report is\n%s\nwithout %q", text, want)
	}
}
