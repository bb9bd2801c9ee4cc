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

// Envoy is the path of Envoy as the kernel shows it: without symbolic links. It
// is what ENVOY names, or that of WEIR_TOOLS.
func Envoy(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv("ENVOY")
	if path == "" {
		path = Tool(tb, "bin/envoy")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		tb.Fatal(err)
	}
	return real
}

func find(tb testing.TB, variable, name string) string {
	tb.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		tb.Skipf("%s is not set, so there is no %s to test with; make test sets it", variable, name)
	}
	path, err := filepath.Abs(filepath.Join(dir, filepath.FromSlash(name)))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		tb.Fatalf("%s is set, but %v; run make build tools models", variable, err)
	}
	return path
}

// Program is the path of a program that the environment variable names, for
// tests of components that only `make test-components` builds.
func Program(tb testing.TB, variable string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		tb.Skipf("%s is not set, so there is no such component to test with; make test-components sets it", variable)
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		tb.Fatalf("%s is set, but %v; run make test-components", variable, err)
	}
	return path
}
