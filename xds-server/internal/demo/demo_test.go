package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/echo"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

func example(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, problems := catalog.Load(t.Context(), file.NewFolder("../../../examples/local"))
	if problems != nil {
		t.Fatal(problems)
	}
	return c
}

// gateway plays the whole behind the demo, rightly or with one fault.
type gateway struct {
	catalog *catalog.Catalog
	fault   string
	mu      sync.Mutex
	spent   int            // requests of the burst
	asked   map[string]int // by user
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.URL.Path == "/v1/embeddings" {
		g.embeddings(w, r)
		return
	}
	if r.Header.Get("x-tenant-id") == "demo-burst" {
		g.burst(w, r)
		return
	}
	g.echo(w, r)
}

// echo masks and answers with what is left.
func (g *gateway) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	text := string(body)
	for _, s := range secrets {
		if g.fault != "leaks "+s.kind {
			text = strings.ReplaceAll(text, s.sent, s.seen)
		}
	}
	r.Body = io.NopCloser(strings.NewReader(text))
	echo.Handler().ServeHTTP(w, r)
}

// burst allows the first four requests, and one that comes after the burst.
func (g *gateway) burst(w http.ResponseWriter, r *http.Request) {
	g.spent++
	switch {
	case g.fault == "no budget", g.spent <= 4, g.spent > burstSize && g.fault != "never lets in again":
		g.echo(w, r)
		return
	case g.fault != "no retry-after":
		w.Header().Set("retry-after", "1")
		w.Header().Set("retry-after-ms", "1")
	}
	w.Header().Set("x-ratelimit-remaining-tokens", "0")
	code := "rate_limit_exceeded"
	if g.fault == "wrong code" {
		code = "overloaded"
	}
	refuse(w, http.StatusTooManyRequests, "tokens", code)
}

func refuse(w http.ResponseWriter, status int, kind, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":{"message":"no","type":%q,"param":null,"code":%q}}`, kind, code)
}

// embeddings answers with vectors that depend on text and version.
func (g *gateway) embeddings(w http.ResponseWriter, r *http.Request) {
	var request struct{ Input any }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		panic(err)
	}
	inputs, many := request.Input.([]any)
	if !many {
		inputs = []any{request.Input}
	}
	version := g.version(r)
	if version == "" {
		refuse(w, http.StatusNotFound, "invalid_request_error", "version_not_found")
		return
	}
	w.Header().Set("x-weir-version", version)
	var data []string
	for _, text := range inputs {
		data = append(data, fmt.Sprintf(`{"embedding":[%s]}`, g.vector(text.(string), version)))
	}
	_, _ = fmt.Fprintf(w, `{"data":[%s],"usage":{"prompt_tokens":7}}`, strings.Join(data, ","))
}

func (g *gateway) version(r *http.Request) string {
	model := g.catalog.Model(embedder)
	if forced := r.Header.Get(model.Route.VersionHeader); forced != "" {
		switch {
		case forced == "v99":
			return map[bool]string{true: "v1"}[g.fault == "takes any version"]
		case g.fault == "ignores the header":
			return "v1"
		}
		return forced
	}
	user := r.Header.Get("x-user-id")
	g.asked[user]++
	switch {
	case g.fault == "all to one":
		return "v1"
	case g.fault == "moves users" && g.asked[user] == 2:
		return map[string]string{"v1": "v2", "v2": "v1"}[expected(model, user)]
	}
	return expected(model, user)
}

// vector points one way for cats, another for taxes, and a little aside for v2.
func (g *gateway) vector(text, version string) string {
	v := make([]float64, dimensions)
	v[0] = 1
	if strings.Contains(text, "tax") && g.fault != "knows no taxes" {
		v[0], v[1] = 0, 1
	}
	if version == "v2" && g.fault != "one build" {
		v[0], v[2] = 0.995, 0.0998749
	}
	if g.fault == "short" {
		v = v[:10]
	}
	text = ""
	for i, x := range v {
		if i > 0 {
			text += ","
		}
		text += strconv.FormatFloat(x, 'f', -1, 64)
	}
	return text
}

// A demo that cannot find a wrong answer would prove nothing: each fault must
// be an error, and none must not.
func TestTellsRightFromWrong(t *testing.T) {
	c := example(t)
	for fault, want := range map[string]string{
		"":                    "",
		"short":               "10 dimensions",
		"knows no taxes":      "do not tell",
		"leaks phone":         "13812345678",
		"leaks bank card":     "4111 1111 1111 1111",
		"no budget":           "8 of 8 requests were allowed",
		"wrong code":          `code "overloaded"`,
		"no retry-after":      "when to come back",
		"never lets in again": "told to wait",
		"all to one":          "belongs to",
		"moves users":         "users moved",
		"ignores the header":  `x-model-version v2 was served by "v1"`,
		"one build":           "cosine of the two versions",
		"takes any version":   "not 404",
	} {
		t.Run(fault, func(t *testing.T) {
			server := httptest.NewServer(&gateway{catalog: c, fault: fault, asked: map[string]int{}})
			defer server.Close()
			var out bytes.Buffer
			err := Run(t.Context(), Config{Gateway: server.URL, Catalog: c, Out: &out})
			switch {
			case want == "" && err != nil:
				t.Errorf("right answers are called wrong: %v\n%s", err, &out)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("error %v, want one with %q\n%s", err, want, &out)
			case want != "" && !strings.Contains(out.String(), "✗"):
				t.Errorf("the wrong answer is not marked:\n%s", &out)
			}
			for i := range 5 {
				if !strings.Contains(out.String(), fmt.Sprintf("\n %d  ", i+1)) {
					t.Errorf("sample %d was not shown", i+1)
				}
			}
		})
	}
}

func TestNeedsTheExample(t *testing.T) {
	address, err := EchoEndpoint(example(t))
	if err != nil || address != "127.0.0.1:8080" {
		t.Errorf("%q, %v", address, err)
	}
	c := *example(t)
	c.Models = c.Models[:1]
	if _, err := EchoEndpoint(&c); err == nil {
		t.Error("resources without the models were taken")
	}
}

func TestColors(t *testing.T) {
	plain, colored := &demo{}, &demo{Config: Config{Color: true}}
	if got := plain.stars("a**b*") + plain.bar(0.5); got != "a**b*"+strings.Repeat("█", 20)+strings.Repeat("·", 20) {
		t.Errorf("plain: %q", got)
	}
	if got := colored.stars("a**b*"); got != "a\x1b[33m**\x1b[0mb\x1b[33m*\x1b[0m" {
		t.Errorf("coloured: %q", got)
	}
}
