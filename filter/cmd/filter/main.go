//go:build wasip1

// Command filter is the wasm module that Envoy runs, a reactor: the host calls
// _initialize, which registers the plugin, and then only its callbacks.
package main

import "github.com/weirmesh/weir/filter/plugin"

func init() { plugin.Register() }

func main() {}
