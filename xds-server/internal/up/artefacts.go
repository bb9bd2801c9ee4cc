package up

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Artefacts are the files that a whole Weir needs: what this repository builds
// and what it fetches. All paths are absolute and free of symbolic links, as
// the kernel names a running program.
type Artefacts struct {
	XDSServer   string // build/xds-server
	Sidecar     string // build/inference-sidecar
	Filter      string // build/filter.wasm
	Envoy       string
	ONNXRuntime string // libonnxruntime.so
	Models      string // a folder of models
}

// artefact is one file and the places where it is looked for.
type artefact struct {
	to       *string
	what     string
	variable string // environment variable that names it; empty: none
	below    []string
	hint     string
}

// Find looks for the artefacts: where ENVOY and ONNXRUNTIME_LIB say, in
// WEIR_BUILD and WEIR_TOOLS, beside the running binary and in .tools next to
// its folder. models overrides the folder of models. One error names all that
// are missing, where they were looked for, and how to get them.
func Find(getenv func(string) string, executable, models string) (Artefacts, error) {
	var found Artefacts
	build, tools := folders(getenv, executable)
	wanted := []artefact{
		{&found.XDSServer, "xds-server", "", join(build, "xds-server"), "run `make build`"},
		{&found.Sidecar, "inference-sidecar", "", join(build, "inference-sidecar"), "run `make build`"},
		{&found.Filter, "filter.wasm", "", join(build, "filter.wasm"), "run `make filter`"},
		{&found.Envoy, "envoy", "ENVOY", join(tools, "bin/envoy"), "run `make tools`, or set ENVOY to its path"},
		{&found.ONNXRuntime, "libonnxruntime.so", "ONNXRUNTIME_LIB", join(tools, "lib/libonnxruntime.so"), "run `make tools`, or set ONNXRUNTIME_LIB to its path"},
		{&found.Models, "models", "", join(tools, "models"), "run `make models`, or name a folder with --models"},
	}
	if models != "" {
		wanted[5].below = []string{models}
	}
	var missing []string
	for _, a := range wanted {
		if problem := a.find(getenv); problem != "" {
			missing = append(missing, problem)
		}
	}
	if missing != nil {
		return Artefacts{}, fmt.Errorf("parts are missing:\n  %s", strings.Join(missing, "\n  "))
	}
	return found, nil
}

// FindFilter looks for filter.wasm alone, as Find does.
func FindFilter(getenv func(string) string, executable string) (string, error) {
	var path string
	build, _ := folders(getenv, executable)
	a := artefact{&path, "filter.wasm", "", join(build, "filter.wasm"), "run `make filter`"}
	if problem := a.find(getenv); problem != "" {
		return "", fmt.Errorf("%s", problem)
	}
	return path, nil
}

// folders returns the folders of built and of fetched artefacts, the first
// choice first.
func folders(getenv func(string) string, executable string) (build, tools []string) {
	own := filepath.Dir(executable)
	if dir := getenv("WEIR_BUILD"); dir != "" {
		build = append(build, dir)
	}
	build = append(build, own)
	if dir := getenv("WEIR_TOOLS"); dir != "" {
		tools = append(tools, dir)
	}
	return build, append(tools, filepath.Join(own, "..", ".tools"))
}

func join(folders []string, name string) []string {
	paths := make([]string, len(folders))
	for i, dir := range folders {
		paths[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return paths
}

// find sets the path, or returns what to tell the user.
func (a artefact) find(getenv func(string) string) string {
	places := a.below
	if a.variable != "" && getenv(a.variable) != "" {
		places = []string{getenv(a.variable)} // said on purpose: nothing else will do
	}
	for _, place := range places {
		if path, err := resolve(place); err == nil {
			*a.to = path
			return ""
		}
	}
	return fmt.Sprintf("%s is not at %s: %s", a.what, strings.Join(places, " or "), a.hint)
}

// resolve returns the absolute path without symbolic links of what exists.
func resolve(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	real, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return "", fmt.Errorf("find %s: %w", path, fs.ErrInvalid)
	}
	return real, nil
}
