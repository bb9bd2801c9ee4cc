package arrows

import (
	"fmt"
	"slices"
	"strings"
)

// home is the module path that all modules of the repository begin with.
const home = "github.com/weirmesh/weir/"

// goPackage is one package as `go list -deps -json` tells of it. Imports of test files are not in it.
type goPackage struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // direct and indirect
	DepOnly    bool     // named only because another package needs it
	Standard   bool     // part of Go
}

// ruleBook is one arrow: what it holds to, and which imports break it.
type ruleBook struct {
	arrow string
	// from says whether the arrow speaks about a package.
	from func(path string) bool
	// direct says whether the package may import the path in its own files; nil: anything.
	direct func(path string) bool
	// linked says whether the path may be among everything that the package pulls in; nil: anything.
	linked func(path string) bool
}

// broken returns one line for each import that goes against the rule.
func (r ruleBook) broken(packages []goPackage) []string {
	var lines []string
	for _, p := range packages {
		if p.Standard || p.DepOnly || !r.from(p.ImportPath) {
			continue
		}
		for _, path := range p.Imports {
			if r.direct != nil && !r.direct(path) {
				lines = append(lines, fmt.Sprintf("%s imports %s", p.ImportPath, path))
			}
		}
		for _, path := range p.Deps {
			if r.linked != nil && !r.linked(path) {
				lines = append(lines, fmt.Sprintf("%s links %s", p.ImportPath, path))
			}
		}
	}
	return lines
}

// below says whether path is the package or in a folder below it, for any of the packages.
func below(path string, packages ...string) bool {
	return slices.ContainsFunc(packages, func(name string) bool {
		return path == name || strings.HasPrefix(path, name+"/")
	})
}

func only(packages ...string) func(string) bool {
	return func(path string) bool { return below(path, packages...) }
}

func never(packages ...string) func(string) bool {
	return func(path string) bool { return !below(path, packages...) }
}

// policyImports is all of Go that a policy package may name: nothing with a clock, a goroutine, a log or reflection.
var policyImports = []string{
	"bytes", "cmp", "encoding/binary", "errors", "iter", "maps", "math", "slices", "sort", "strconv", "strings",
	"sync/atomic", "unicode", "unsafe", home + "filter/policy",
}

const (
	sdk    = "github.com/tetratelabs/proxy-wasm-go-sdk"
	wazero = "github.com/tetratelabs/wazero"
)

// book is the arrows of docs/ARCHITECTURE.md.
var book = []ruleBook{
	{
		arrow: "a policy package imports nothing but pure parts of Go",
		from: func(path string) bool {
			return below(path, home+"filter/policy") && !below(path, home+"filter/policy/policytest")
		},
		direct: only(policyImports...),
		linked: never("fmt", "regexp", "encoding/json", "time", "log", "os", "net", "context", "math/rand"),
	},
	{
		arrow: "the policy module needs no other module",
		from:  only(home + "filter/policy"),
		linked: func(path string) bool {
			host, _, _ := strings.Cut(path, "/") // Go's own packages are of none
			return !strings.Contains(host, ".") || below(path, home+"filter/policy")
		},
	},
	{
		arrow:  "filter/plugin and filter/cmd alone import the proxy-wasm SDK",
		from:   func(path string) bool { return !below(path, home+"filter/plugin", home+"filter/cmd") },
		linked: never(sdk),
	},
	{
		arrow:  "the filter module brings no WebAssembly host with it",
		from:   only(home+"filter/plugin", home+"filter/cmd", home+"filter/policy"),
		linked: never(wazero, home+"filter/wasmhost"),
	},
	{
		arrow:  "the data plane never imports the control plane",
		from:   only(home+"filter", home+"inference-sidecar"),
		linked: never(home + "xds-server"),
	},
	{
		arrow:  "the sidecar imports no other module of the repository",
		from:   only(home + "inference-sidecar"),
		linked: never(home+"filter", home+"xds-server"),
	},
	{
		arrow: "of the data plane the control plane imports the policy, the host for the module and the model manifests",
		from:  only(home + "xds-server"),
		linked: func(path string) bool {
			return !below(path, home+"filter", home+"inference-sidecar") ||
				below(path, home+"filter/policy", home+"filter/wasmhost", home+"inference-sidecar/manifest")
		},
	},
}
