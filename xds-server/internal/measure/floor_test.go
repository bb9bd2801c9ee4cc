package measure

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
)

func TestFloorModuleIsValid(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, floorModule())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"proxy_on_configure": 1, "proxy_on_vm_start": 1} {
		if got, err := m.ExportedFunction(name).Call(ctx, 1, 0); err != nil || got[0] != want {
			t.Errorf("%s = %v, %v", name, got, err)
		}
	}
	if got, err := m.ExportedFunction("proxy_on_request_body").Call(ctx, 2, 1, 1); err != nil || got[0] != 0 {
		t.Errorf("proxy_on_request_body = %v, %v", got, err)
	}
}
