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
func emptyModule() []byte { return assemble(callbacks(actionContinue, code{})) }

// callingModule makes, for each request, the host calls that the filter makes for a clean
// one and its answer, and computes nothing. It holds the headers, reads all of them and the
// body, reserves in a page of buckets in shared data, lists that, sets four request headers
// and clears the route cache; it holds the answer's headers, reads all of them and the
// answer, sets seven headers, removes one, and settles. What Envoy costs with it is the
// floor of any filter that does what this one does.
func callingModule() []byte {
	return assemble(callbacks(actionPause, code{
		requestHeaders: call(hostPairs, 0, outA, outB),
		requestBody: atFirst(join(
			call(hostBuffer, 0, 0, bodySize, outA, outB),
			call(hostTime, outA), call(hostTime, outA), takePage, tellList,
			set(hostReplace, 0, nameModel, valueModel), set(hostReplace, 0, nameBucket, valueBucket),
			set(hostReplace, 0, nameDecision, valueDecision), set(hostAdd, 0, nameBaggage, valueDecision),
			call(hostForeign, clearCache.at, clearCache.size, 0, 0, 0, 0),
		)),
		responseHeaders: join(
			call(hostPairs, 2, outA, outB),
			set(hostReplace, 2, nameDecision, valueDecision),
			bytes.Repeat(set(hostReplace, 2, nameLimit, valueBucket), 6),
			call(hostRemove, 2, nameLength.at, nameLength.size),
		),
		responseBody: join(
			atFirst(call(hostBuffer, 1, 0, bodySize, outA, outB)),
			atLast(join(call(hostTime, outA), tellList, takePage)),
		),
	}))
}

// takePage takes a page of buckets and puts it back; tellList writes a list of open reservations.
var (
	takePage = join(
		call(hostGetShared, pageKey.at, pageKey.size, outA, outB, outC),
		call(hostSetShared, pageKey.at, pageKey.size, page, 256, 0),
	)
	tellList = call(hostSetShared, listKey.at, listKey.size, page, 1152, 0)
)

// set is the code of one host call that sets a header of a map.
func set(function, headers int, name, value span) []byte {
	return call(function, headers, name.at, name.size, value.at, value.size)
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

const decision = "weir.model=gpt-4,weir.by=route,weir.bucket=1234,weir.evaluation=0123456789abcdef,weir.tenant=0123456789abcdef,weir.time=1700000000000"

const data = "clear_route_cachex-weir-modelgpt-4x-weir-bucket1234weir.b.1234weir.o.0.0x-ratelimit-limit-tokens" +
	"x-weir-decisionbaggagecontent-length" + decision

var (
	clearCache    = within("clear_route_cache")
	nameModel     = within("x-weir-model")
	valueModel    = within("gpt-4")
	nameBucket    = within("x-weir-bucket")
	valueBucket   = within("1234")
	pageKey       = within("weir.b.1234")
	listKey       = within("weir.o.0.0")
	nameLimit     = within("x-ratelimit-limit-tokens")
	nameDecision  = within("x-weir-decision")
	nameBaggage   = within("baggage")
	nameLength    = within("content-length")
	valueDecision = within(decision)
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
	hostAdd
	hostRemove
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
	{"proxy_add_header_map_value", 5},
	{"proxy_remove_header_map_value", 3},
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

// atLast runs code if that parameter is set.
func atLast(code []byte) []byte {
	return join([]byte{0x20, 2, 0x04, 0x40}, code, []byte{0x0b}) // local.get 2, if, end
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

// code is what the callbacks do.
type code struct{ requestHeaders, requestBody, responseHeaders, responseBody []byte }

// callbacks are the filter's, with code in four of them; those of headers return onHeaders.
func callbacks(onHeaders int, c code) []callback {
	return []callback{
		{"proxy_abi_version_0_2_1", 0, false, 0, nil},
		{"_initialize", 0, false, 0, nil},
		{"malloc", 1, true, received, nil},
		{"proxy_on_context_create", 2, false, 0, nil},
		{"proxy_on_vm_start", 2, true, 1, nil},
		{"proxy_on_configure", 2, true, 1, nil},
		{"proxy_on_request_headers", 3, true, onHeaders, c.requestHeaders},
		{"proxy_on_request_body", 3, true, actionContinue, c.requestBody},
		{"proxy_on_response_headers", 3, true, onHeaders, c.responseHeaders},
		{"proxy_on_response_body", 3, true, actionContinue, c.responseBody},
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
