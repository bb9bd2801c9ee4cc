package translate_test

import (
	"os"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// FuzzTranslate: every catalog that can be built has a consistent snapshot for
// each Envoy.
func FuzzTranslate(f *testing.F) {
	for _, path := range []string{"testdata/in/example.yaml", "testdata/in/everything.yaml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		built, problems := catalog.Build(source.Set{Documents: []source.Document{{Name: "f.yaml", Data: data}}})
		if len(problems) > 0 {
			return
		}
		snapshots, err := translate.Translate(built, translate.Options{Module: []byte("module")})
		if err != nil {
			t.Fatal(err)
		}
		for _, gateway := range built.Gateways {
			for _, id := range gateway.Envoys {
				if snapshots[id].Size() == 0 {
					t.Errorf("%s gets nothing", id)
				}
			}
		}
	})
}
