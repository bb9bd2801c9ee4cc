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
	if built == nil || len(built.Models) != 1 || len(built.Models[0].Route.Split) != 2 {
		t.Fatalf("catalog of the example is %+v", built)
	}
}
