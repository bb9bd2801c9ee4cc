package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func TestEmptyModuleDoesNothing(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	m, _ := instantiate(ctx, t, r, emptyModule())
	for name, want := range map[string]uint64{"proxy_on_configure": 1, "proxy_on_vm_start": 1} {
		if got, err := m.ExportedFunction(name).Call(ctx, 1, 0); err != nil || got[0] != want {
			t.Errorf("%s = %v, %v", name, got, err)
		}
	}
	if got, err := m.ExportedFunction("proxy_on_request_body").Call(ctx, 2, 1, 1); err != nil || got[0] != 0 {
		t.Errorf("proxy_on_request_body = %v, %v", got, err)
	}
}

func TestCallingModuleMakesTheFiltersCalls(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	m, calls := instantiate(ctx, t, r, callingModule())
	for _, c := range []struct {
		callback  string
		size, end uint64
	}{
		{"proxy_on_request_headers", 10, 0}, {"proxy_on_request_body", 991, 0}, {"proxy_on_request_body", 0, 1},
		{"proxy_on_response_headers", 5, 0}, {"proxy_on_response_body", 120, 0}, {"proxy_on_response_body", 0, 1},
	} {
		if _, err := m.ExportedFunction(c.callback).Call(ctx, 2, c.size, c.end); err != nil {
			t.Fatalf("%s: %v", c.callback, err)
		}
	}
	limit := "proxy_replace_header_map_value[x-ratelimit-limit-tokens: 1234]"
	want := []string{
		"proxy_get_header_map_pairs", "proxy_get_buffer_bytes[991]",
		"proxy_get_current_time_nanoseconds", "proxy_get_current_time_nanoseconds",
		"proxy_get_shared_data[weir.b.1234]", "proxy_set_shared_data[weir.b.1234]", "proxy_set_shared_data[weir.o.0.0]",
		"proxy_replace_header_map_value[x-weir-model: gpt-4]", "proxy_replace_header_map_value[x-weir-bucket: 1234]",
		"proxy_replace_header_map_value[x-weir-decision: " + decision + "]", "proxy_add_header_map_value[baggage: " + decision + "]",
		"proxy_call_foreign_function[clear_route_cache]",
		"proxy_get_header_map_pairs", "proxy_replace_header_map_value[x-weir-decision: " + decision + "]",
		limit, limit, limit, limit, limit, limit, "proxy_remove_header_map_value[content-length]",
		"proxy_get_buffer_bytes[120]", "proxy_get_current_time_nanoseconds", "proxy_set_shared_data[weir.o.0.0]",
		"proxy_get_shared_data[weir.b.1234]", "proxy_set_shared_data[weir.b.1234]",
	}
	if !slices.Equal(*calls, want) {
		t.Errorf("host calls\n%s\nwant\n%s", strings.Join(*calls, "\n"), strings.Join(want, "\n"))
	}
}

// instantiate runs a floor on a host that notes its calls, with the texts and
// the size that they name.
func instantiate(ctx context.Context, t *testing.T, r wazero.Runtime, module []byte) (api.Module, *[]string) {
	t.Helper()
	calls := new([]string)
	host := r.NewHostModuleBuilder("env")
	for _, f := range hostFunctions {
		note := func(_ context.Context, m api.Module, stack []uint64) {
			text := func(i int) string {
				b, _ := m.Memory().Read(uint32(stack[i]), uint32(stack[i+1]))
				return string(b)
			}
			switch f.name {
			case "proxy_get_buffer_bytes":
				*calls = append(*calls, fmt.Sprintf("%s[%d]", f.name, stack[2]))
			case "proxy_replace_header_map_value", "proxy_add_header_map_value":
				*calls = append(*calls, fmt.Sprintf("%s[%s: %s]", f.name, text(1), text(3)))
			case "proxy_remove_header_map_value":
				*calls = append(*calls, fmt.Sprintf("%s[%s]", f.name, text(1)))
			case "proxy_call_foreign_function", "proxy_get_shared_data", "proxy_set_shared_data":
				*calls = append(*calls, fmt.Sprintf("%s[%s]", f.name, text(0)))
			default:
				*calls = append(*calls, f.name)
			}
			stack[0] = 0
		}
		host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(note),
			slices.Repeat([]api.ValueType{api.ValueTypeI32}, f.params), []api.ValueType{api.ValueTypeI32}).Export(f.name)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	return m, calls
}
