package translate_test

import (
	"fmt"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// manyModels is the size that everything is built for.
const manyModels = 10_000

// mesh is a set of many models, half of them with two versions, each resource in
// a document of its own as etcd has them.
type mesh struct {
	set source.Set
}

const meshHead = `
apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "spiffe://weir.test/xds-server"}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: edge}
spec:
  envoys: ["spiffe://weir.test/envoy"]
  listeners: [{name: http, address: 127.0.0.1, port: 10000}]
`

func newMesh(models int) *mesh {
	m := &mesh{}
	m.add("0", meshHead)
	for i := range models {
		m.add(modelDocument(i))
		m.add(fmt.Sprintf("route-%05d", i), routeDocument(i, 50))
	}
	return m
}

func (m *mesh) add(name, text string) {
	m.set.Documents = append(m.set.Documents, source.Document{Name: name, Data: []byte(text)})
}

func (m *mesh) route(i, weight int) {
	m.set.Documents[2+2*i].Data = []byte(routeDocument(i, weight))
}

func modelDocument(i int) (name, text string) {
	text = fmt.Sprintf(`apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: model-%05d}
spec:
  versions:
    - {name: v1, endpoints: ["10.%d.%d.1:8000"], tls: {spiffeID: "spiffe://weir.test/sidecar"}}
`, i, i>>8, i&0xff)
	if i%2 == 0 {
		text += fmt.Sprintf("    - {name: v2, endpoints: [\"10.%d.%d.2:8000\"], tls: {spiffeID: \"spiffe://weir.test/sidecar\"}}\n", i>>8, i&0xff)
	}
	return fmt.Sprintf("model-%05d", i), text
}

func routeDocument(i, weight int) string {
	split := "    - {version: v1, weight: 100}\n"
	if i%2 == 0 {
		split = fmt.Sprintf("    - {version: v2, weight: %d}\n    - {version: v1, weight: %d}\n", weight, 100-weight)
	}
	return fmt.Sprintf("apiVersion: weir.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: model-%05d}\nspec:\n  model: model-%05d\n  split:\n%s", i, i, split)
}

// running is a mesh that is in force.
type running struct {
	*mesh
	builder    *catalog.Builder
	translator *translate.Translator
}

func start(b *testing.B, models int) *running {
	b.Helper()
	r := &running{mesh: newMesh(models), builder: catalog.NewBuilder(), translator: translate.NewTranslator(translate.Options{Module: []byte("module")})}
	r.translate(b, r.build(b))
	return r
}

func (r *running) build(b *testing.B) *catalog.Catalog {
	result := r.builder.Build(r.set)
	if len(result.Problems) > 0 {
		b.Fatal(result.Problems)
	}
	return result.Catalog
}

func (r *running) translate(b *testing.B, c *catalog.Catalog) {
	snapshots, err := r.translator.Translate(c)
	if err != nil || len(snapshots) != 1 {
		b.Fatal(snapshots, err)
	}
}

// BenchmarkFull is the first build and translation of all.
func BenchmarkFull(b *testing.B) {
	for b.Loop() {
		start(b, manyModels)
	}
}

// BenchmarkWeightStep is a change of one route's weights, with what it costs to
// build the catalog, and to translate it alone.
func BenchmarkWeightStep(b *testing.B) {
	b.Run("build", func(b *testing.B) {
		r, i := start(b, manyModels), 0
		for b.Loop() {
			i++
			r.route(2*(i%1000), i%100)
			r.build(b)
		}
	})
	b.Run("translate", func(b *testing.B) {
		r, i := start(b, manyModels), 0
		for b.Loop() {
			b.StopTimer()
			i++
			r.route(2*(i%1000), i%100)
			c := r.build(b)
			b.StartTimer()
			r.translate(b, c)
		}
	})
}

// BenchmarkModelAdded is a new model with its route: the policy document of all
// models is new too.
func BenchmarkModelAdded(b *testing.B) {
	b.Run("build", func(b *testing.B) {
		r, i := start(b, manyModels), manyModels
		for b.Loop() {
			r.addModel(&i)
			r.build(b)
		}
	})
	b.Run("translate", func(b *testing.B) {
		r, i := start(b, manyModels), manyModels
		for b.Loop() {
			b.StopTimer()
			r.addModel(&i)
			c := r.build(b)
			b.StartTimer()
			r.translate(b, c)
		}
	})
}

func (r *running) addModel(i *int) {
	r.set.Documents = r.set.Documents[:1+2*manyModels]
	r.add(modelDocument(*i))
	r.add(fmt.Sprintf("route-%05d", *i), routeDocument(*i, 50))
	*i++
}
