package catalog_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

const head = `
apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "spiffe://weir.test/xds-server"}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: local}
spec:
  envoys: ["spiffe://weir.test/envoy"]
  listeners: [{name: http, address: 127.0.0.1, port: 10000}]
  identity: {tenant: {header: X-Tenant}}
---
`

func model(name string) string {
	return "apiVersion: weir.dev/v1alpha1\nkind: Model\nmetadata: {name: " + name + "}\n" +
		"spec: {versions: [{name: v1, endpoints: [\"127.0.0.1:1\"], insecure: true}]}\n---\n"
}

func buildText(t *testing.T, text string) *catalog.Catalog {
	t.Helper()
	return build(t, source.Set{Documents: []source.Document{{Name: "f.yaml", Data: []byte(text)}}})
}

func build(t *testing.T, set source.Set) *catalog.Catalog {
	t.Helper()
	built, problems := catalog.Build(set)
	for _, p := range problems {
		t.Error(p)
	}
	if built == nil {
		t.FailNow()
	}
	return built
}

// What is written of an estimate is taken, the rest is the default; an estimate that
// says nothing new is none.
func TestEstimate(t *testing.T) {
	with := func(tokens string) *spec.Estimate {
		text := strings.Replace(model("only"), "spec: {", "spec: {tokens: {"+tokens+"}, ", 1)
		return buildText(t, head+text).Policy(&catalog.Gateway{}).Models[0].Estimate
	}
	want := spec.DefaultEstimate
	want[spec.ClassHan], want[spec.ClassRequests] = 715, 3_000
	if got := with("han: 0.715, requests: 3"); got == nil || *got != want {
		t.Errorf("%v, want %v", got, want)
	}
	for _, tokens := range []string{"", "words: 1, messages: 4.000, requests: 0"} {
		if got := with(tokens); got != nil {
			t.Errorf("%q: %v, want none", tokens, got)
		}
	}
}

func TestDefaults(t *testing.T) {
	built := buildText(t, head+model("only"))
	gateway := built.Gateways[0]
	want := spec.Settings{TenantHeader: "x-tenant", HoldLimit: 1 << 20, WorkerHoldLimit: 16 << 20, MaxDepth: 64}
	if !reflect.DeepEqual(gateway.Settings, want) {
		t.Errorf("settings are %+v, want %+v", gateway.Settings, want)
	}
	listener := gateway.Listeners[0]
	if listener.MaxRequestHeadersKB != 96 || listener.StreamIdleTimeout != 5*time.Minute || listener.ConnectionBuffer != 1<<20 || listener.TLS != nil {
		t.Errorf("listener is %+v", listener)
	}
	if gateway.AccessLog || gateway.ModuleFile != "" {
		t.Errorf("gateway is %+v", gateway)
	}
	route := catalog.Route{Salt: "only", Split: []catalog.Share{{Version: "v1", Weight: 10_000}}}
	if !reflect.DeepEqual(built.Models[0].Route, route) {
		t.Errorf("route without ModelRoute is %+v, want %+v", built.Models[0].Route, route)
	}
	if version := built.Models[0].Versions[0]; version.ConnectTimeout != 5*time.Second || version.HealthCheck != nil || !version.Peer.IsZero() {
		t.Errorf("version is %+v", version)
	}
}

// TestSemanticDefaults: the formula's numbers, and the rows of the three models
// that are known, as far as they are there and counted.
func TestSemanticDefaults(t *testing.T) {
	models := model("gpt-4") + model("llama3-70b") + model("phi-3") + model("other")
	rows := func(limit string) []spec.SemanticModel {
		built := buildText(t, head+models+"apiVersion: weir.dev/v1alpha1\nkind: TokenLimit\nmetadata: {name: l}\nspec: "+limit)
		return built.Limits[0].Semantic.Models
	}
	gpt := spec.SemanticModel{Model: "gpt-4", BaseMilli: 100_000, KMilli: 1_200}
	llama := spec.SemanticModel{Model: "llama3-70b", BaseMilli: 80_000, KMilli: 1_000}
	phi := spec.SemanticModel{Model: "phi-3", BaseMilli: 30_000, KMilli: 600}
	tests := map[string][]spec.SemanticModel{
		"{semantic: {}}":                         {gpt, llama, phi},
		"{models: [phi-3, other], semantic: {}}": {phi},
		"{semantic: {models: [{model: gpt-4, base: 0.5, temperatureSensitivity: 0}]}}":                       {{Model: "gpt-4", BaseMilli: 500}, llama, phi},
		"{models: [other], semantic: {models: [{model: other, base: 7.25, temperatureSensitivity: 1.001}]}}": {{Model: "other", BaseMilli: 7_250, KMilli: 1_001}},
	}
	for limit, want := range tests {
		if got := rows(limit); !reflect.DeepEqual(got, want) {
			t.Errorf("rows of %s are %+v, want %+v", limit, got, want)
		}
	}
	built := buildText(t, head+model("other")+"apiVersion: weir.dev/v1alpha1\nkind: TokenLimit\nmetadata: {name: l}\nspec: {key: [tenant], semantic: {}}")
	want := spec.Semantic{FloorMilli: 20_000, RefillMilli: 300, TokensPerUnit: 512, MaxTokens: 512, DefaultOutput: 512, DefaultKMilli: 1_000}
	if got := built.Limits[0]; !reflect.DeepEqual(got.Semantic, want) || got.OnFailure != spec.FailClosed {
		t.Errorf("limit is %+v, want the numbers %+v", got, want)
	}
}

func TestTokenWeights(t *testing.T) {
	limit := func(tokens string) spec.Tokens {
		resource := "apiVersion: weir.dev/v1alpha1\nkind: TokenLimit\nmetadata: {name: l}\nspec: {tokens: " + tokens + "}"
		return buildText(t, head+model("m")+resource).Limits[0].Tokens
	}
	plain := spec.Tokens{Capacity: 10, RefillMilli: 1_000, DefaultOutput: 512}
	if got := limit("{perSecond: 1, burst: 10, weights: {input: 1, output: 1.000}}"); got != plain {
		t.Errorf("weights of 1 are %+v, want them left out", got)
	}
	plain.InputMilli, plain.CachedMilli, plain.OutputMilli = 500, 1, 1_000_000
	if got := limit("{perSecond: 1, burst: 10, weights: {input: 0.5, cached: 0.001, output: 1000}}"); got != plain {
		t.Errorf("weights are %+v, want %+v", got, plain)
	}
}

// TestOrder: the same resources give the same catalog, however they are spread
// over files.
func TestOrder(t *testing.T) {
	data, err := os.ReadFile("testdata/problems/right.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := buildText(t, string(data))
	parts := bytes.Split(data, []byte("---\n"))
	var documents []source.Document
	for i := len(parts) - 1; i >= 0; i-- {
		documents = append(documents, source.Document{Name: string(rune('a'+len(documents))) + ".yaml", Data: parts[i]})
	}
	got, problems := catalog.Build(source.Set{Documents: documents})
	if len(problems) > 0 || !reflect.DeepEqual(content(got), content(want)) {
		t.Errorf("catalog is %+v with problems %v, want %+v", got, problems, want)
	}
}
