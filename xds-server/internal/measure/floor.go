package measure

import (
	"bytes"
	"encoding/binary"
)

// floorModule is the smallest proxy-wasm module that has the filter's callbacks
// and does nothing in them, in the WebAssembly binary format (core
// specification 1.0, section 5). What Envoy costs with it is the floor of any
// proxy-wasm filter.
func floorModule() []byte {
	callbacks := []struct {
		name   string
		params int  // all i32
		result bool // i32: 0 is continue; proxy_on_done and the configuration callbacks want 1
		value  byte
	}{
		{"proxy_abi_version_0_2_1", 0, false, 0},
		{"_initialize", 0, false, 0},
		{"malloc", 1, true, 0},
		{"proxy_on_context_create", 2, false, 0},
		{"proxy_on_vm_start", 2, true, 1},
		{"proxy_on_configure", 2, true, 1},
		{"proxy_on_request_headers", 3, true, 0},
		{"proxy_on_request_body", 3, true, 0},
		{"proxy_on_response_headers", 3, true, 0},
		{"proxy_on_response_body", 3, true, 0},
		{"proxy_on_log", 1, false, 0},
		{"proxy_on_done", 1, true, 1},
		{"proxy_on_delete", 1, false, 0},
	}
	var types, functions, exports, code []byte
	exports = append(exports, export("memory", 2, 0)...)
	for i, c := range callbacks {
		types = append(append(types, 0x60), vector(c.params, bytes.Repeat([]byte{0x7f}, c.params))...)
		body := []byte{0} // no locals
		if c.result {
			types = append(types, 1, 0x7f)
			body = append(body, 0x41, c.value) // i32.const
		} else {
			types = append(types, 0)
		}
		functions = append(functions, byte(i))
		exports = append(exports, export(c.name, 0, byte(i))...)
		body = append(body, 0x0b) // end
		code = append(code, vector(len(body), body)...)
	}
	n := len(callbacks)
	m := []byte("\x00asm\x01\x00\x00\x00")
	m = append(m, section(1, vector(n, types))...)
	m = append(m, section(3, vector(n, functions))...)
	m = append(m, section(5, []byte{1, 0, 1})...) // one memory of at least one page
	m = append(m, section(7, vector(n+1, exports))...)
	return append(m, section(10, vector(n, code))...)
}

func section(id byte, content []byte) []byte {
	return append([]byte{id}, vector(len(content), content)...)
}

// vector is content behind its count.
func vector(count int, content []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(count)), content...)
}

func export(name string, kind, index byte) []byte {
	return append(vector(len(name), []byte(name)), kind, index)
}
