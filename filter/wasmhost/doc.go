// Package wasmhost is a proxy-wasm host on wazero. It runs the filter.wasm that
// ships the way Envoy 1.40 runs it: the same order of calls, the same buffer,
// header map and shared data rules, and the same deferred local replies. Tests,
// `weir check` and `weir explain` use it to ask the shipped bytes themselves.
//
// Where a guest would corrupt Envoy (use of a body buffer that Envoy has freed)
// this host fails the call instead, so that a test sees it.
//
// It speaks proxy-wasm ABI 0.2.x:
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1
package wasmhost
