package catalog_test

import (
	"os"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

func TestExampleLoads(t *testing.T) {
	built, problems := catalog.Load(os.DirFS("../../../examples/local"))
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
