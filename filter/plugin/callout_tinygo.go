//go:build wasip1 && tinygo

package plugin

import _ "unsafe" // for go:linkname

// registerHTTPCallout tells the SDK who is called back with an answer. What it has
// for calls itself brings in strconv and errors, which are 12 KB.
//
//go:linkname registerHTTPCallout github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.RegisterHttpCallout
func registerHTTPCallout(id uint32, answered func(headers, size, trailers int))
