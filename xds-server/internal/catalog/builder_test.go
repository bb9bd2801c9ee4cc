package catalog_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// folder is what a source holds, by name.
type folder map[string]string

func (f folder) set() source.Set {
	var set source.Set
	for _, name := range slices.Sorted(maps.Keys(f)) {
		set.Documents = append(set.Documents, source.Document{Name: name, Data: []byte(f[name])})
	}
	return set
}

// content is a catalog without where its parts were written.
func content(c *catalog.Catalog) catalog.Catalog {
	if c == nil {
		return catalog.Catalog{}
	}
	bare := catalog.Catalog{TrustDomain: c.TrustDomain}
	for _, g := range c.Gateways {
		gateway := *g
		gateway.Origin = ""
		bare.Gateways = append(bare.Gateways, &gateway)
	}
	for _, m := range c.Models {
		model := *m
		model.Origin, model.RouteOrigin = "", ""
		bare.Models = append(bare.Models, &model)
	}
	for _, l := range c.Limits {
		bare.Limits = append(bare.Limits, &catalog.Limit{Limit: l.Limit})
	}
	for _, r := range c.Redactions {
		bare.Redactions = append(bare.Redactions, &catalog.Redaction{Redaction: r.Redaction})
	}
	return bare
}

func resource(kind, name, spec string) string {
	return "apiVersion: weir.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

func modelOf(name string, versions ...string) string {
	var list []string
	for _, v := range versions {
		list = append(list, `{name: `+v+`, endpoints: ["127.0.0.1:1"], insecure: true}`)
	}
	return resource("Model", name, "{versions: ["+strings.Join(list, ", ")+"]}")
}

func routeOf(model, version string) string {
	return resource("ModelRoute", model, "{model: "+model+", split: [{version: "+version+", weight: 100}]}")
}

const (
	trust   = "apiVersion: weir.dev/v1alpha1\nkind: TrustDomain\nmetadata: {name: weir.test}\nspec: {source: development, xdsServer: \"spiffe://weir.test/xds-server\"}\n"
	gateway = "apiVersion: weir.dev/v1alpha1\nkind: Gateway\nmetadata: {name: local}\nspec:\n  envoys: [\"spiffe://weir.test/envoy\"]\n  listeners: [{name: http, address: 127.0.0.1, port: 10000}]\n"
)

// right is a set that every case of TestLastGood starts from.
func right() folder {
	return folder{
		"trust.yaml": trust, "gateway.yaml": gateway,
		"a.yaml": modelOf("a", "v1") + "---\n" + routeOf("a", "v1"),
		"b.yaml": modelOf("b", "v1"), "b-route.yaml": routeOf("b", "v1"),
		"limit.yaml":  resource("TokenLimit", "limit", "{models: [a], tokens: {perSecond: 1, burst: 10}}"),
		"redact.yaml": resource("RedactionPolicy", "redact", "{models: [a], entities: [{kind: email, mode: mask}]}"),
	}
}

// TestLastGood: what is wrong stays as it was, what is new and wrong is not
// there, and the rest is as it is written.
func TestLastGood(t *testing.T) {
	two := resource("Model", "a", `{versions: [{name: v1, endpoints: ["127.0.0.1:1"], insecure: true}, {name: v2, endpoints: [], insecure: true}]}`)
	moved := strings.Replace(modelOf("b", "v1"), "127.0.0.1:1", "127.0.0.1:2", 1)
	redactNew := resource("RedactionPolicy", "more", "{models: [c], entities: [{kind: mail, mode: mask}]}")
	tests := []struct {
		name   string
		change folder // empty text: the document is removed
		held   []string
		want   folder // in force: as if this had been the change
	}{
		{"bad YAML in one of two resources of a document", folder{"a.yaml": modelOf("a", "v1") + "---\n" + "spec: [\n", "b.yaml": moved}, []string{"ModelRoute/a a.yaml:6"}, folder{"b.yaml": moved}},
		{"bad YAML at the top", folder{"a.yaml": "{\n" + modelOf("a", "v1"), "b.yaml": moved}, []string{"Model/a a.yaml:1", "ModelRoute/a a.yaml:6"}, folder{"b.yaml": moved}},
		{"not UTF-8", folder{"b.yaml": "\xff"}, []string{"Model/b b.yaml:1"}, nil},
		{"unknown field", folder{"b.yaml": modelOf("b", "v1") + "more: 1\n", "limit.yaml": ""}, []string{"Model/b b.yaml:1"}, folder{"limit.yaml": ""}},
		{"bad reference", folder{"b-route.yaml": routeOf("b", "v9"), "b.yaml": moved}, []string{"ModelRoute/b b-route.yaml:1"}, folder{"b.yaml": moved}},
		{"removed model that a route and a limit still name", folder{"a.yaml": routeOf("a", "v1"), "b.yaml": moved}, []string{"Model/a a.yaml:1"}, folder{"b.yaml": moved}},
		{"removed route of a model with two versions", folder{"b.yaml": modelOf("b", "v1", "v2"), "b-route.yaml": ""}, []string{"Model/b b.yaml:1"}, folder{"b-route.yaml": ""}},
		{"new bad resource", folder{"c.yaml": resource("Model", "c", "{}"), "b.yaml": moved}, []string{"Model/c -"}, folder{"b.yaml": moved}},
		{"new bad model with all that is about it", folder{"c.yaml": resource("Model", "c", "{}") + "---\n" + routeOf("c", "v1"), "limit.yaml": resource("TokenLimit", "limit", "{models: [a, c], tokens: {perSecond: 1, burst: 20}}")},
			[]string{"Model/c -", "ModelRoute/c -", "TokenLimit/limit limit.yaml:1"}, nil},
		{"two changes that need each other, one of them bad", folder{"a.yaml": two + "---\n" + routeOf("a", "v2")}, []string{"Model/a a.yaml:1", "ModelRoute/a a.yaml:6"}, nil},
		{"two changes that need each other, both good", folder{"b.yaml": modelOf("b", "v2"), "b-route.yaml": routeOf("b", "v2")}, nil, folder{"b.yaml": modelOf("b", "v2"), "b-route.yaml": routeOf("b", "v2")}},
		{"second definition", folder{"0.yaml": moved}, []string{"Model/b b.yaml:1"}, nil},
		{"second trust domain that is written first", folder{"0.yaml": strings.Replace(trust, "name: weir.test", "name: other.test", 1)}, []string{"TrustDomain/other.test -"}, nil},
		{"no gateway left", folder{"gateway.yaml": "", "b.yaml": moved}, []string{"Gateway/local gateway.yaml:1"}, folder{"b.yaml": moved}},
		{"alias that means another model", folder{"c.yaml": resource("Model", "c", `{aliases: [a], versions: [{name: v1, endpoints: ["127.0.0.1:1"], insecure: true}]}`)}, []string{"Model/c -"}, nil},
		{"alias in the place of a model that a limit names", folder{"a.yaml": resource("Model", "z", `{aliases: [a], versions: [{name: v1, endpoints: ["127.0.0.1:1"], insecure: true}]}`)}, []string{"Model/a a.yaml:1", "Model/z -"}, folder{"a.yaml": modelOf("a", "v1")}},
		{"what only the filter refuses", folder{"c.yaml": resource("TokenLimit", "c", "{models: [a], tokens: {perSecond: 999999999999, burst: 10}}")}, []string{"TokenLimit/c -"}, nil},
		{"new model of a new policy that is bad", folder{"c.yaml": modelOf("c", "v1"), "d.yaml": modelOf("d", "v1"), "redact-new.yaml": redactNew}, []string{"Model/c -", "RedactionPolicy/more -"}, folder{"d.yaml": modelOf("d", "v1")}},
		{"new model beside a policy that cannot be read", folder{"c.yaml": modelOf("c", "v1"), "b.yaml": moved, "redact.yaml": "kind: RedactionPolicy\n spec: {"}, []string{"Model/c -", "RedactionPolicy/redact redact.yaml:1"}, folder{"b.yaml": moved}},
		{"new model beside another document that cannot be read", folder{"c.yaml": modelOf("c", "v1"), "x.yaml": "{"}, nil, folder{"c.yaml": modelOf("c", "v1")}},
		{"removed model that another falls back to", folder{"b-route.yaml": strings.Replace(routeOf("b", "v1"), "{model", "{fallback: [{model: c, version: v1}], model", 1), "b.yaml": moved}, []string{"ModelRoute/b b-route.yaml:1"}, folder{"b.yaml": moved}},
		{"everything gone", folder{"trust.yaml": "", "gateway.yaml": "", "a.yaml": "", "b.yaml": "", "b-route.yaml": "", "limit.yaml": "", "redact.yaml": ""},
			[]string{"Gateway/local gateway.yaml:1", "Model/a a.yaml:1", "Model/b b.yaml:1", "TrustDomain/weir.test trust.yaml:1"}, folder{"limit.yaml": "", "redact.yaml": "", "b-route.yaml": "", "a.yaml": modelOf("a", "v1")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			builder := catalog.NewBuilder()
			if first := builder.Build(right().set()); len(first.Problems) > 0 {
				t.Fatal(first.Problems)
			}
			for range 2 { // what is held stays held
				checkHeld(t, builder.Build(right().with(test.change).set()), test.held, right().with(test.want))
			}
			back := builder.Build(right().set())
			if len(back.Problems) > 0 || len(back.Held) > 0 || !reflect.DeepEqual(content(back.Catalog), content(build(t, right().set()))) {
				t.Errorf("when all is right again: %+v", back)
			}
		})
	}
}

func (f folder) with(change folder) folder {
	next := maps.Clone(f)
	for name, text := range change {
		next[name] = text
		if text == "" {
			delete(next, name)
		}
	}
	return next
}

func checkHeld(t *testing.T, result catalog.Result, held []string, want folder) {
	t.Helper()
	var got []string
	for _, h := range result.Held {
		origin := h.Origin
		if origin == "" {
			origin = "-"
		}
		got = append(got, h.Resource+" "+origin)
		if len(h.Because) == 0 {
			t.Errorf("nothing says why %s is held", h.Resource)
		}
	}
	if !slices.Equal(got, held) {
		t.Errorf("held are %q, want %q; problems: %v", got, held, result.Problems)
	}
	if len(held) > 0 && len(result.Problems) == 0 {
		t.Error("something is held without a problem")
	}
	inForce := content(build(t, want.set()))
	if !reflect.DeepEqual(content(result.Catalog), inForce) {
		t.Errorf("in force is\n%+v, want\n%+v", result.Catalog, inForce)
	}
	if again := build(t, source.Set{Documents: result.Documents}); !reflect.DeepEqual(content(again), inForce) {
		t.Errorf("the documents give\n%+v, want\n%+v", again, inForce)
	}
}

// TestFirstBuild: nothing is guessed while there is nothing to fall back to.
func TestFirstBuild(t *testing.T) {
	builder := catalog.NewBuilder()
	bad := builder.Build(right().with(folder{"c.yaml": "{"}).set())
	if bad.Catalog != nil || len(bad.Problems) != 1 || bad.Documents != nil {
		t.Errorf("a bad first set gives %+v", bad)
	}
	good := builder.Build(right().set())
	if good.Catalog == nil || len(good.Problems) != 0 || len(good.Held) != 0 {
		t.Errorf("a good second set gives %+v", good)
	}
}

// TestPointers: what does not change is the same pointer.
func TestPointers(t *testing.T) {
	builder := catalog.NewBuilder()
	before := builder.Build(right().set())
	if again := builder.Build(right().set()); again.Catalog != before.Catalog {
		t.Error("the same set gives another catalog")
	}
	after := builder.Build(right().with(folder{
		"b-route.yaml": strings.Replace(routeOf("b", "v1"), "split", "timeout: 1s, split", 1), "c.yaml": modelOf("c", "v1"),
	}).set())
	if after.Catalog.Model("a") != before.Catalog.Model("a") || after.Catalog.Gateways[0] != before.Catalog.Gateways[0] ||
		after.Catalog.Limits[0] != before.Catalog.Limits[0] || after.Catalog.Redactions[0] != before.Catalog.Redactions[0] {
		t.Error("something that did not change is another pointer")
	}
	if after.Catalog.Model("b") == before.Catalog.Model("b") || before.Catalog.Model("c") != nil || len(before.Catalog.Models) != 2 {
		t.Error("an earlier catalog changed")
	}
}

// TestIncremental: whatever is edited, a builder that saw all of it says what a
// new one says of the last set, and what it keeps in force is right.
func TestIncremental(t *testing.T) {
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 1))
		builder := catalog.NewBuilder()
		state := right()
		builder.Build(state.set())
		for step := range 30 {
			edit(random, state)
			checkStep(t, builder.Build(state.set()), state)
			if t.Failed() {
				t.Fatalf("seed %d, step %d, documents %q", seed, step, state)
			}
		}
	}
}

func checkStep(t *testing.T, got catalog.Result, state folder) {
	t.Helper()
	want, problems := catalog.Build(state.set())
	if !reflect.DeepEqual(got.Problems, problems) {
		t.Errorf("problems are\n%v, want\n%v", got.Problems, problems)
	}
	if want != nil && (!reflect.DeepEqual(got.Catalog, want) || len(got.Held) > 0) {
		t.Errorf("catalog is\n%+v, want\n%+v; held %v", got.Catalog, want, got.Held)
	}
	for _, held := range got.Held {
		if len(held.Because) == 0 {
			t.Errorf("nothing says why %s is held", held.Resource)
		}
	}
	again, problems := catalog.Build(source.Set{Documents: got.Documents})
	if len(problems) > 0 || !reflect.DeepEqual(content(again), content(got.Catalog)) {
		t.Errorf("the documents in force give problems %v and\n%+v, want\n%+v", problems, content(again), content(got.Catalog))
	}
}

// edit changes something at random: right or wrong, by itself or with another.
func edit(random *rand.Rand, state folder) {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	model := func() string { return pick("a", "b", "c", "d", "x y") }
	version := func() string { return pick("v1", "v1", "v2") }
	var text, home string
	switch random.IntN(9) {
	case 0, 1:
		name := model()
		text, home = modelOf(name, slices.Compact([]string{"v1", version()})...), name
		text = strings.Replace(text, "spec: {", "spec: {"+pick("", "", "aliases: [b1], ", "aliases: [c], "), 1)
		text = strings.ReplaceAll(text, "insecure: true", "insecure: true"+pick("", ", upstreamModel: other"))
	case 2, 3:
		name := pick(model(), "b1")
		text, home = routeOf(name, version()), name+"-route"
		further := pick("", "", "fallback: [{model: "+model()+", version: "+version()+"}], ", "fallback: [{version: "+version()+"}], mirrors: [{version: v2}], ")
		text = strings.Replace(text, "spec: {", "spec: {"+further, 1)
	case 4:
		text, home = resource("TokenLimit", pick("limit", "other"), "{models: ["+pick(model(), "b1")+"], "+pick("key: [tenant], ", "")+"tokens: {perSecond: 1, burst: 10}}"), "limit"
	case 5:
		text, home = resource("RedactionPolicy", pick("redact", "other"), "{models: ["+pick("a", "b", "c", "")+"], entities: [{kind: email, mode: "+pick("mask", "tag", "hide")+"}]}"), "redact"
	case 6:
		text, home = strings.Replace(gateway, "spec:", "spec:\n  identity: {tenant: {header: x-tenant}}", random.IntN(2)), "gateway"
		text = strings.Replace(text, "10000", pick("10000", "10001"), 1)
		text = strings.Replace(text, "local", pick("local", "local", "second"), 1)
	case 7:
		text, home = pick("{", "kind: Nothing\n", "# nothing\n"), "n1"
	case 8:
		text, home = pick(trust, trust, strings.ReplaceAll(trust, "weir.test", "other.test")), "trust"
	}
	if random.IntN(4) > 0 { // mostly each where it belongs, so that much of it is right
		state[home+".yaml"] = text
		return
	}
	name := fmt.Sprintf("%s.yaml", pick("a", "b", "b-route", "limit", "redact", "gateway", "n1", "n2"))
	switch other := state[name]; random.IntN(4) {
	case 0:
		delete(state, name)
	case 1:
		state[name] = other + "---\n" + text
	case 2:
		state[name] = text + "---\n" + other
	default:
		state[name] = text
	}
}

func TestManyBadReferences(t *testing.T) {
	state := right()
	for i := range 300 {
		state[fmt.Sprintf("r%d.yaml", i)] = strings.Replace(routeOf(fmt.Sprintf("gone-%d", i), "v1"), "name: gone", "name: route", 1)
	}
	_, problems := catalog.Build(state.set())
	if len(problems) != 300 {
		t.Errorf("%d problems, want 300", len(problems))
	}
}

// TestLimitNeedsTenants: a gateway cannot stop naming what a limit counts by.
func TestLimitNeedsTenants(t *testing.T) {
	named := strings.Replace(gateway, "spec:", "spec:\n  identity: {tenant: {header: x-tenant}}", 1)
	state := right().with(folder{"gateway.yaml": named, "limit.yaml": resource("TokenLimit", "limit", "{key: [tenant], tokens: {perSecond: 1, burst: 10}}")})
	builder := catalog.NewBuilder()
	if first := builder.Build(state.set()); len(first.Problems) > 0 {
		t.Fatal(first.Problems)
	}
	checkHeld(t, builder.Build(state.with(folder{"gateway.yaml": gateway}).set()), []string{"Gateway/local gateway.yaml:1"}, state)
}

// TestFallbackHoldsWhatItNeeds: a version that another model falls back to stays as
// it was while that does.
func TestFallbackHoldsWhatItNeeds(t *testing.T) {
	named := func(version string) string {
		return strings.Replace(modelOf("c", version), "insecure: true", "insecure: true, upstreamModel: c", 1)
	}
	state := right().with(folder{
		"c.yaml":       named("v1"),
		"b-route.yaml": strings.Replace(routeOf("b", "v1"), "{model", "{fallback: [{model: c, version: v1}], model", 1),
	})
	for name, change := range map[string]string{"removed": "", "another version": named("v2"), "no name of its own": modelOf("c", "v1")} {
		t.Run(name, func(t *testing.T) {
			builder := catalog.NewBuilder()
			if first := builder.Build(state.set()); len(first.Problems) > 0 {
				t.Fatal(first.Problems)
			}
			checkHeld(t, builder.Build(state.with(folder{"c.yaml": change}).set()), []string{"Model/c c.yaml:1"}, state)
			if back := builder.Build(state.set()); len(back.Problems) > 0 || len(back.Held) > 0 {
				t.Errorf("when all is right again: %+v", back)
			}
		})
	}
}
