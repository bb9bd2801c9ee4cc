package measure

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// The two floors are modules that Envoy runs like the filter, in the WebAssembly
// binary format (core specification 1.0, section 5).

// emptyModule has the filter's callbacks and does nothing in them. What Envoy
// costs with it is the floor of any proxy-wasm filter.
func emptyModule() []byte { return assemble(callbacks(actionContinue, nil, nil, nil)) }

// callingModule makes, for each request, the host calls that the filter makes for
// a clean one, and computes nothing: it holds the headers, reads all of them and the
// body, sets two request headers, clears the route cache, takes a page of buckets from
// shared data and puts it back, and sets three response headers. What Envoy costs
// with it is the floor of any filter that does what this one does.
func callingModule() []byte {
	headers := call(hostPairs, 0, outA, outB)
	body := join(
		call(hostBuffer, 0, 0, bodySize, outA, outB),
		call(hostReplace, 0, nameModel.at, nameModel.size, valueModel.at, valueModel.size),
		call(hostReplace, 0, nameBucket.at, nameBucket.size, valueBucket.at, valueBucket.size),
		call(hostForeign, clearCache.at, clearCache.size, 0, 0, 0, 0),
		call(hostTime, outA),
		call(hostGetShared, pageKey.at, pageKey.size, outA, outB, outC),
		call(hostSetShared, pageKey.at, pageKey.size, page, 256, 0),
	)
	setLimit := call(hostReplace, 2, nameLimit.at, nameLimit.size, valueBucket.at, valueBucket.size)
	return assemble(callbacks(actionPause, headers, atFirst(body), join(setLimit, setLimit, setLimit)))
}

const (
	actionContinue = 0
	actionPause    = 1
)

// Where the module's memory holds what: results of host calls, what the host
// writes, a page of buckets, and the texts.
const (
	outA, outB, outC = 512, 516, 520
	texts            = 1024
	page             = 4096
	received         = 8192
)

type span struct{ at, size int }

const data = "clear_route_cachex-weir-modelgpt-4x-weir-bucket1234weir.b.1234x-ratelimit-limit-tokens"

var (
	clearCache  = within("clear_route_cache")
	nameModel   = within("x-weir-model")
	valueModel  = within("gpt-4")
	nameBucket  = within("x-weir-bucket")
	valueBucket = within("1234")
	pageKey     = within("weir.b.1234")
	nameLimit   = within("x-ratelimit-limit-tokens")
)

func within(text string) span {
	return span{texts + strings.Index(data, text), len(text)}
}

// The host functions, by index; all take i32s and return one.
const (
	hostPairs = iota
	hostBuffer
	hostReplace
	hostForeign
	hostTime
	hostGetShared
	hostSetShared
)

var hostFunctions = []struct {
	name   string
	params int
}{
	{"proxy_get_header_map_pairs", 3},
	{"proxy_get_buffer_bytes", 5},
	{"proxy_replace_header_map_value", 5},
	{"proxy_call_foreign_function", 6},
	{"proxy_get_current_time_nanoseconds", 1},
	{"proxy_get_shared_data", 5},
	{"proxy_set_shared_data", 5},
}

// bodySize as an argument is the callback's second parameter.
const bodySize = -1

// call is the code of one host call whose status is dropped.
func call(function int, arguments ...int) []byte {
	var code []byte
	for _, a := range arguments {
		if a == bodySize {
			code = append(code, 0x20, 1) // local.get 1
			continue
		}
		code = append(code, constant(a)...)
	}
	return append(code, 0x10, byte(function), 0x1a) // call, drop
}

// constant is i32.const v.
func constant(v int) []byte {
	code := []byte{0x41}
	for v >= 0x40 {
		code = append(code, byte(v&0x7f)|0x80)
		v >>= 7
	}
	return append(code, byte(v))
}

// atFirst runs code if the callback's last parameter, the end of the stream, is
// not set: Envoy tells the end of an HTTP/1.1 body in a callback of its own.
func atFirst(code []byte) []byte {
	return join([]byte{0x20, 2, 0x45, 0x04, 0x40}, code, []byte{0x0b}) // local.get 2, i32.eqz, if, end
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// callback is an exported function whose parameters are i32s.
type callback struct {
	name   string
	params int
	result bool // i32: value
	value  int
	code   []byte
}

// callbacks are the filter's, with code in three of them.
func callbacks(onHeaders int, headers, body, response []byte) []callback {
	return []callback{
		{"proxy_abi_version_0_2_1", 0, false, 0, nil},
		{"_initialize", 0, false, 0, nil},
		{"malloc", 1, true, received, nil},
		{"proxy_on_context_create", 2, false, 0, nil},
		{"proxy_on_vm_start", 2, true, 1, nil},
		{"proxy_on_configure", 2, true, 1, nil},
		{"proxy_on_request_headers", 3, true, onHeaders, headers},
		{"proxy_on_request_body", 3, true, actionContinue, body},
		{"proxy_on_response_headers", 3, true, actionContinue, response},
		{"proxy_on_response_body", 3, true, actionContinue, nil},
		{"proxy_on_log", 1, false, 0, nil},
		{"proxy_on_done", 1, true, 1, nil},
		{"proxy_on_delete", 1, false, 0, nil},
	}
}

func assemble(cs []callback) []byte {
	var types, imports, functions, exports, code []byte
	for i, f := range hostFunctions {
		types = append(types, signature(f.params, true)...)
		imports = append(imports, named("env")...)
		imports = append(append(imports, named(f.name)...), 0, byte(i))
	}
	exports = append(append(exports, named("memory")...), 2, 0)
	for i, c := range cs {
		index := byte(len(hostFunctions) + i)
		types = append(types, signature(c.params, c.result)...)
		functions = append(functions, index)
		exports = append(append(exports, named(c.name)...), 0, index)
		body := append([]byte{0}, c.code...) // no locals
		if c.result {
			body = append(body, constant(c.value)...)
		}
		body = append(body, 0x0b) // end
		code = append(code, vector(len(body), body)...)
	}
	n, hosts := len(cs), len(hostFunctions)
	return join([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, vector(hosts+n, types)), section(2, vector(hosts, imports)), section(3, vector(n, functions)),
		section(5, []byte{1, 0, 2}), // one memory of at least two pages
		section(7, vector(n+1, exports)), section(10, vector(n, code)),
		section(11, join([]byte{1, 0}, constant(texts), []byte{0x0b}, named(data))))
}

func signature(params int, result bool) []byte {
	s := append([]byte{0x60}, vector(params, bytes.Repeat([]byte{0x7f}, params))...)
	if result {
		return append(s, 1, 0x7f)
	}
	return append(s, 0)
}

func section(id byte, content []byte) []byte {
	return append([]byte{id}, vector(len(content), content)...)
}

// vector is content behind its count.
func vector(count int, content []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(count)), content...)
}

func named(name string) []byte { return vector(len(name), []byte(name)) }
