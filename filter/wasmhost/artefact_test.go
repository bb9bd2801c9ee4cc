package wasmhost

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// artefact is the path of a built or downloaded file. Without its environment
// variable the test is skipped; with it, a missing file is a failure.
func artefact(tb testing.TB, env, name string) string {
	tb.Helper()
	dir := os.Getenv(env)
	if dir == "" {
		tb.Skipf("%s is not set: no %s to test (make test sets it)", env, name)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%s is set, but: %v", env, err)
	}
	return path
}

// filterModule compiles the filter that ships.
func filterModule(tb testing.TB) *Module {
	tb.Helper()
	return loadModule(tb, "filter.wasm")
}

func loadModule(tb testing.TB, name string) *Module {
	tb.Helper()
	wasm, err := os.ReadFile(artefact(tb, "WEIR_BUILD", name))
	if err != nil {
		tb.Fatal(err)
	}
	m, err := Load(context.Background(), wasm, Compiler)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

// newVM runs the filter that ships with testdata/policy.json.
func newVM(tb testing.TB, m *Module, o Options) *VM {
	tb.Helper()
	vm, err := m.NewVM(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	if err := vm.Configure(policy(tb)); err != nil {
		tb.Fatal(err)
	}
	vm.Trace()
	return vm
}

func policy(tb testing.TB) []byte {
	tb.Helper()
	document, err := os.ReadFile("testdata/policy.json")
	if err != nil {
		tb.Fatal(err)
	}
	return document
}
