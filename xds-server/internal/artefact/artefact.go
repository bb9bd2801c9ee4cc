// Package artefact finds what was built and fetched, for tests. Where the
// environment does not say where that is, the test is skipped; where it does,
// what is missing is a failure.
package artefact

import (
	"os"
	"path/filepath"
	"testing"
)

// Built is the path of a built file, such as "filter.wasm", in WEIR_BUILD.
func Built(tb testing.TB, name string) string {
	tb.Helper()
	return find(tb, "WEIR_BUILD", name)
}

// Tool is the path of a fetched file, such as "bin/envoy", in WEIR_TOOLS.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	return find(tb, "WEIR_TOOLS", name)
}

// Envoy is the path of Envoy, by which the kernel shows it: ENVOY, or that of
// WEIR_TOOLS.
func Envoy(tb testing.TB) string {
	tb.Helper()
	if own := os.Getenv("ENVOY"); own != "" {
		return resolve(tb, "ENVOY", own)
	}
	return Tool(tb, "bin/envoy")
}

func find(tb testing.TB, variable, name string) string {
	tb.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		tb.Skipf("%s is not set, so there is no %s to test with; make test sets it", variable, name)
	}
	return resolve(tb, variable, filepath.Join(dir, filepath.FromSlash(name)))
}

func resolve(tb testing.TB, variable, path string) string {
	tb.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		tb.Fatalf("%s is set, but: %v", variable, err)
	}
	real, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		tb.Fatalf("%s is set, but: %v; make build tools models makes it", variable, err)
	}
	return real
}
