package arrows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modules are the folders of the repository's modules.
var modules = []string{"filter/policy", "filter", "inference-sidecar", "xds-server"}

func TestArrows(t *testing.T) {
	for _, target := range []struct {
		name        string
		environment []string
		modules     []string
	}{
		{"native", nil, modules},
		// cgo is off for WebAssembly; the modules below are the ones that are built for it.
		{"wasm", []string{"GOOS=wasip1", "GOARCH=wasm"}, []string{"filter/policy", "filter"}},
	} {
		t.Run(target.name, func(t *testing.T) {
			var packages []goPackage
			for _, module := range target.modules {
				packages = append(packages, list(t, module, target.environment)...)
			}
			for _, rule := range book {
				for _, line := range rule.broken(packages) {
					t.Errorf("%s, but %s", rule.arrow, line)
				}
			}
		})
	}
}

// The policy module's file must say by itself that it needs nothing.
func TestPolicyRequiresNothing(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository(t), "filter/policy/go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "require") {
		t.Errorf("filter/policy/go.mod has a require block:\n%s", text)
	}
}

// A rule that finds nothing could be a rule that looks at nothing.
func TestRulesFindWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name string
		have goPackage
		want []string
	}{
		{"clock in the policy", goPackage{ImportPath: home + "filter/policy/bucket", Imports: []string{"time"}, Deps: []string{"time"}}, []string{
			home + "filter/policy/bucket imports time", home + "filter/policy/bucket links time",
		}},
		{"module in the policy", goPackage{ImportPath: home + "filter/policy/policytest", Deps: []string{"golang.org/x/text"}}, []string{
			home + "filter/policy/policytest links golang.org/x/text",
		}},
		{"pure policy", goPackage{ImportPath: home + "filter/policy/bucket", Imports: []string{"math/bits", home + "filter/policy/spec"}}, nil},
		{"SDK in the host", goPackage{ImportPath: home + "filter/wasmhost", Deps: []string{sdk + "/proxywasm"}}, []string{
			home + "filter/wasmhost links " + sdk + "/proxywasm",
		}},
		{"SDK in the plugin", goPackage{ImportPath: home + "filter/plugin", Deps: []string{sdk + "/proxywasm"}}, nil},
		{"host in the plugin", goPackage{ImportPath: home + "filter/plugin", Deps: []string{wazero}}, []string{
			home + "filter/plugin links " + wazero,
		}},
		{"control plane in the sidecar", goPackage{ImportPath: home + "inference-sidecar/internal/app", Deps: []string{home + "xds-server/api"}}, []string{
			home + "inference-sidecar/internal/app links " + home + "xds-server/api",
			home + "inference-sidecar/internal/app links " + home + "xds-server/api",
		}},
		{"plugin in the control plane", goPackage{ImportPath: home + "xds-server/cmd/weir", Deps: []string{home + "filter/plugin", home + "filter/wasmhost"}}, []string{
			home + "xds-server/cmd/weir links " + home + "filter/plugin",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, rule := range book {
				got = append(got, rule.broken([]goPackage{test.have})...)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

// list asks the go command about every package of a module and what those import. Tests that are not ready to compile
// do not matter to it.
func list(t *testing.T, module string, environment []string) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports,Deps,DepOnly,Standard", "./...")
	command.Dir = filepath.Join(repository(t), module)
	command.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("listing the packages of %s: %v\n%s", module, err, stderr.String())
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading the packages of %s: %v", module, err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatalf("%s has no packages", module)
	}
	return packages
}

// repository returns the repository's root, which is where go.work lies.
func repository(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.work")); err == nil {
			return folder
		}
	}
	t.Fatal("there is no go.work above this package")
	return ""
}
