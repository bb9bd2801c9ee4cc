package staticenvoy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Filter is the HTTP filter before the router. The zero value is none.
type Filter struct {
	config object
	// A discovered filter's configuration stands in a file that Envoy watches.
	resource func(policy string) object
	policy   string
}

// Lua is Envoy's Lua filter with the given source.
func Lua(source string) Filter {
	return Filter{config: object{"name": "envoy.filters.http.lua", "typed_config": object{
		"@type":               typePrefix + "filters.http.lua.v3.Lua",
		"default_source_code": object{"inline_string": source},
	}}}
}

// Wasm is a proxy-wasm module with its plugin configuration, found by
// extension configuration discovery, as in production: Update replaces the
// policy of a running Envoy.
func Wasm(module, policy string) Filter { return WasmIn("weir", module, policy) }

// WasmIn is Wasm in a virtual machine with a name of its own. Shared data, and
// so the token buckets, belong to that name: another name starts with none.
func WasmIn(vm, module, policy string) Filter {
	name := "weir-filter"
	wasm := func(policy string) object {
		return object{"@type": typePrefix + "filters.http.wasm.v3.Wasm", "config": object{
			"name": "weir", "root_id": "weir", "failure_policy": "FAIL_RELOAD",
			"allow_on_headers_stop_iteration": true,
			"configuration":                   object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy},
			"vm_config": object{"vm_id": vm, "runtime": "envoy.wasm.runtime.v8",
				"code": object{"local": object{"filename": module}}},
		}}
	}
	return Filter{policy: policy, config: object{"name": name}, resource: func(policy string) object {
		return object{"resources": []any{object{
			"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
			"name":  name, "typed_config": wasm(policy),
		}}}
	}}
}

// prepare writes what the filter keeps in dir.
func (f *Filter) prepare(dir string) error {
	if f.resource == nil {
		return nil
	}
	path := filepath.Join(dir, "filter.json")
	f.config["config_discovery"] = object{
		"config_source": object{"resource_api_version": "V3", "path_config_source": object{"path": path}},
		"type_urls":     []any{typePrefix + "filters.http.wasm.v3.Wasm"},
	}
	return f.write(dir, f.policy)
}

// write replaces the watched file in one step: Envoy reacts to the rename.
func (f *Filter) write(dir, policy string) error {
	b, err := json.Marshal(f.resource(policy))
	if err != nil {
		return fmt.Errorf("encode filter configuration: %w", err)
	}
	next := filepath.Join(dir, "filter.json.next")
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("write filter configuration: %w", err)
	}
	if err := os.Rename(next, filepath.Join(dir, "filter.json")); err != nil {
		return fmt.Errorf("replace filter configuration: %w", err)
	}
	return nil
}

// Update gives a running Envoy a new policy. It returns when the file is
// replaced; Envoy's counters tell when it was taken.
func (e *Envoy) Update(f Filter, policy string) error { return f.write(e.dir, policy) }
