package catalog_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

func TestExampleLoads(t *testing.T) {
	built, problems := catalog.Load(t.Context(), file.NewFolder("../../../examples/local"))
	for _, p := range problems {
		t.Error(p)
	}
	if built == nil {
		t.FailNow()
	}
	if model := built.Model("minilm"); model == nil || len(model.Route.Split) != 2 {
		t.Errorf("the example's model is %+v", model)
	}
	if model := built.Model("nothing"); model != nil {
		t.Errorf("there is a model %+v", model)
	}
}

// TestLoadTellsOfSources: what a source cannot give is not taken for absent.
func TestLoadTellsOfSources(t *testing.T) {
	local, missing := file.NewFolder("../../../examples/local"), filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		sources []source.Source
		want    string
	}{
		"no source":       {nil, "no sources of resources"},
		"no folder":       {[]source.Source{file.NewFolder(missing)}, missing + ": it does not exist"},
		"no certificates": {[]source.Source{local, file.NewCertificates(missing)}, "the folder of certificates " + missing + ": it does not exist"},
		"one twice":       {[]source.Source{local, local}, "is given twice"},
	} {
		built, problems := catalog.Load(t.Context(), c.sources...)
		if built != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), c.want) {
			t.Errorf("%s: catalog %v, problems %v", name, built, problems)
		}
	}
}
