package translate_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// world is a mesh that is edited at random.
type world struct {
	random       *rand.Rand
	models       map[int]string
	gateways     [2]string
	redaction    string // a policy, or nothing
	certificates map[string][]byte
}

func (w *world) pick(words ...string) string { return words[w.random.IntN(len(words))] }

// edit changes one thing; all that comes of it is right.
func (w *world) edit() {
	i := w.random.IntN(6)
	switch w.random.IntN(9) {
	case 0:
		if len(w.models) > 1 {
			delete(w.models, i)
		}
	case 1:
		w.gateways[w.random.IntN(2)] = w.gateway()
	case 2:
		w.certificates = newCertificate()
	case 3:
		w.redaction = w.pick("", "encodings: refuse, ", "encodings: decompress, ", "encodings: decompress, threshold: 60, ")
	default:
		w.models[i] = w.model(i)
	}
}

func (w *world) gateway() string {
	return fmt.Sprintf("  envoys: [%s]\n  listeners: [{name: http, address: 127.0.0.1, port: PORT%s}]\n  accessLog: %s\n%s",
		w.pick(`"spiffe://weir.test/a"`, `"spiffe://weir.test/b"`, `"spiffe://weir.test/a", "spiffe://weir.test/b", "spiffe://weir.test/c"`),
		w.pick("", "", ", tls: {}", ", tls: {certificate: {certificateFile: public.crt, keyFile: public.key}}"), w.pick("true", "false"), w.pick("", "",
			"  jwt: {providers: [{name: a, issuer: a, anyAudience: true, jwks: {remote: {uri: \"https://a.test/keys\"}}}]}\n",
			"  jwt: {providers: [{name: a, issuer: a, anyAudience: true, jwks: {remote: {uri: \"http://127.0.0.1:1\", insecure: true}}}]}\n"))
}

// model is a model with one or two versions, and mostly a route.
func (w *world) model(i int) string {
	version := func(name string) string {
		return fmt.Sprintf("{name: %s, endpoints: [%q], %s}", name, w.pick("127.0.0.1:1", "127.0.0.1:2", "models.test:1"),
			w.pick("insecure: true", "insecure: true, upstreamModel: other", "insecure: true, outlierDetection: {}", `tls: {spiffeID: "spiffe://weir.test/sidecar"}`))
	}
	head := strings.Repeat("# moved\n", w.random.IntN(2)) + fmt.Sprintf("apiVersion: weir.dev/v1alpha1\nkind: Model\nmetadata: {name: m%d}\nspec: {versions: [", i)
	if w.random.IntN(3) == 0 {
		return head + version("v1") + "]}\n"
	}
	weight := w.random.IntN(101)
	more := w.pick("", ", fallback: [{version: v1}, {version: v2}]")
	if weight == 0 {
		more += w.pick("", ", mirrors: [{version: v1, sample: 50}]")
	}
	return head + version("v1") + ", " + version("v2") + fmt.Sprintf(
		"]}\n---\napiVersion: weir.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: m%d}\nspec: {model: m%d, split: [{version: v1, weight: %d}, {version: v2, weight: %d}]%s}\n",
		i, i, weight, 100-weight, more)
}

func (w *world) set() source.Set {
	head := "apiVersion: weir.dev/v1alpha1\nkind: TrustDomain\nmetadata: {name: weir.test}\nspec: {source: development, xdsServer: \"spiffe://weir.test/xds-server\"}\n"
	for i, g := range w.gateways {
		head += fmt.Sprintf("---\napiVersion: weir.dev/v1alpha1\nkind: Gateway\nmetadata: {name: g%d}\nspec:\n%s", i, strings.ReplaceAll(g, "PORT", fmt.Sprint(10000+i)))
	}
	set := source.Set{Certificates: w.certificates, Documents: []source.Document{{Name: "head", Data: []byte(head)}}}
	if w.redaction != "" {
		set.Documents = append(set.Documents, source.Document{Name: "redaction", Data: []byte(
			"apiVersion: weir.dev/v1alpha1\nkind: RedactionPolicy\nmetadata: {name: r}\nspec: {" + w.redaction + "entities: [{kind: phone, mode: mask}]}\n")})
	}
	for i := range 6 {
		if text := w.models[i]; text != "" {
			set.Documents = append(set.Documents, source.Document{Name: fmt.Sprintf("m%d", i), Data: []byte(text)})
		}
	}
	return set
}

// TestIncremental: whatever is edited, a translator that saw all of it makes
// what a new one makes of the last catalog.
func TestIncremental(t *testing.T) {
	for seed := range uint64(10) {
		w := &world{random: rand.New(rand.NewPCG(seed, 1)), models: make(map[int]string), certificates: certificates}
		w.models[0], w.gateways = w.model(0), [2]string{w.gateway(), w.gateway()}
		builder, translator := catalog.NewBuilder(), translate.NewTranslator(translate.Options{Module: []byte("module")})
		for step := range 60 {
			w.edit()
			result := builder.Build(w.set())
			if len(result.Problems) > 0 {
				t.Fatal(result.Problems)
			}
			if step%10 == 9 {
				fail(t, translator, result.Catalog)
			}
			compareAll(t, translator, result.Catalog)
			if t.Failed() {
				t.Fatalf("seed %d, step %d: %+v", seed, step, w)
			}
		}
	}
}

// fail lets a translation fail, which must leave nothing behind.
func fail(t *testing.T, translator *translate.Translator, c *catalog.Catalog) {
	t.Helper()
	translator.SetModule(nil)
	if _, err := translator.Translate(c); err == nil {
		t.Error("a filter without a module is translated")
	}
	translator.SetModule([]byte("module"))
}

func compareAll(t *testing.T, translator *translate.Translator, c *catalog.Catalog) {
	t.Helper()
	got, err := translator.Translate(c)
	if err != nil {
		t.Fatal(err)
	}
	want, err := translate.Translate(c, translate.Options{Module: []byte("module")})
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d snapshots, want %d, %v", len(got), len(want), err)
	}
	for id, snap := range want {
		if got[id].Version() != snap.Version() || !reflect.DeepEqual(origins(got[id]), origins(snap)) {
			t.Errorf("%s gets %v, want %v", id, origins(got[id]), origins(snap))
		}
	}
	again, err := translator.Translate(c)
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("the same catalog gives other snapshots: %v", err)
	}
	for id := range again {
		if again[id] != got[id] {
			t.Errorf("the same catalog gives %s another snapshot", id)
		}
	}
}

// origins are the resources of a snapshot, each with its version and origin.
func origins(s *snapshot.Snapshot) map[string]string {
	all := make(map[string]string)
	for _, url := range snapshot.Types() {
		for r := range s.All(url) {
			all[url+" "+r.Name] = r.Version + " " + r.Origin
		}
	}
	return all
}

// TestWeightStep: a weight touches the routes of its model, and nothing else.
func TestWeightStep(t *testing.T) {
	w := newMesh(20)
	builder, translator := catalog.NewBuilder(), translate.NewTranslator(translate.Options{Module: []byte("module")})
	next := func() *snapshot.Snapshot {
		result := builder.Build(w.set)
		snapshots, err := translator.Translate(result.Catalog)
		if len(result.Problems) > 0 || err != nil {
			t.Fatal(result.Problems, err)
		}
		return snapshots[result.Catalog.Gateways[0].Envoys[0]]
	}
	before := next()
	w.route(4, 51)
	want := []snapshot.Change{{TypeURL: snapshot.RouteType, Changed: []string{"model-00004"}}}
	if got := snapshot.Diff(before, next()); !reflect.DeepEqual(got, want) {
		t.Errorf("a weight changes %+v, want %+v", got, want)
	}
}
