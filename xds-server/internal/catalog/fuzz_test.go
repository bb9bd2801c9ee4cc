package catalog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Each kind has a target of its own, so that each gets its share of the time.

func FuzzGateway(f *testing.F)         { fuzzKind(f, "Gateway") }
func FuzzModel(f *testing.F)           { fuzzKind(f, "Model") }
func FuzzModelRoute(f *testing.F)      { fuzzKind(f, "ModelRoute") }
func FuzzTokenLimit(f *testing.F)      { fuzzKind(f, "TokenLimit") }
func FuzzRedactionPolicy(f *testing.F) { fuzzKind(f, "RedactionPolicy") }
func FuzzTrustDomain(f *testing.F)     { fuzzKind(f, "TrustDomain") }

// fuzzKind puts whatever bytes beside resources that are right and in force: what
// is in force after is right, the filter accepts it, and every problem says what
// and where it is. Then the bytes are gone, and all is as before.
func fuzzKind(f *testing.F, kind string) {
	for _, text := range seeds(f, kind) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		builder := catalog.NewBuilder()
		before := builder.Build(right().set())
		set := right().set()
		set.Documents = append(set.Documents, source.Document{Name: "z.yaml", Origin: "etcd:/weir/z@7", Data: data})
		result := builder.Build(set)
		if result.Catalog == nil || len(result.Held) > 0 && len(result.Problems) == 0 {
			t.Fatalf("catalog %v, held %v, problems %v", result.Catalog, result.Held, result.Problems)
		}
		if alone, problems := catalog.Build(set); (alone == nil) != (len(problems) > 0) || !reflect.DeepEqual(problems, result.Problems) {
			t.Fatalf("problems are %v, by themselves %v", result.Problems, problems)
		}
		for _, p := range result.Problems {
			if p.Message == "" || p.File == "" && p.Line != 0 {
				t.Errorf("problem %+v does not say what and where", p)
			}
		}
		again := build(t, source.Set{Documents: result.Documents})
		if !reflect.DeepEqual(content(again), content(result.Catalog)) {
			t.Errorf("the documents in force give %+v, want %+v", again, result.Catalog)
		}
		for _, gateway := range result.Catalog.Gateways {
			if _, err := spec.Parse(spec.Encode(result.Catalog.Policy(gateway))); err != nil {
				t.Errorf("the filter refuses what the catalog accepts: %v", err)
			}
		}
		if after := builder.Build(right().set()); !reflect.DeepEqual(content(after.Catalog), content(before.Catalog)) || len(after.Held) > 0 {
			t.Errorf("without the bytes there is %+v, held %v", after.Catalog, after.Held)
		}
	})
}

// seeds are the documents of a kind in all test data, alone and with what stands
// around them.
func seeds(f *testing.F, kind string) [][]byte {
	var all [][]byte
	for _, pattern := range []string{"testdata/problems/*.yaml", "../translate/testdata/in/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			for _, part := range bytes.Split(data, []byte("---\n")) {
				if bytes.Contains(part, []byte("kind: "+kind+"\n")) {
					all = append(all, part)
				}
			}
		}
	}
	if len(all) == 0 {
		f.Fatalf("no seeds of kind %s", kind)
	}
	return all
}
