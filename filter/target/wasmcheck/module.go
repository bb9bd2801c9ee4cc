package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
)

// module is what of a WebAssembly module the rules look at.
type module struct {
	size    int      // bytes
	imports []string // host functions, "module.name", sorted
	exports []string // function names, sorted
}

// describe validates the module and lists its functions at the border. Nothing of it is run.
func describe(ctx context.Context, code []byte) (module, error) {
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	compiled, err := runtime.CompileModule(ctx, code)
	if err != nil {
		return module{}, fmt.Errorf("not a valid module: %w", err)
	}
	m := module{size: len(code)}
	for _, function := range compiled.ImportedFunctions() {
		from, name, _ := function.Import()
		m.imports = append(m.imports, from+"."+name)
	}
	for name := range compiled.ExportedFunctions() {
		m.exports = append(m.exports, name)
	}
	slices.Sort(m.imports)
	slices.Sort(m.exports)
	if err := runtime.Close(ctx); err != nil {
		return module{}, fmt.Errorf("closing the WebAssembly runtime: %w", err)
	}
	return m, nil
}
