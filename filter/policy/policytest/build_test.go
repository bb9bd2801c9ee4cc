package policytest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The policy packages build for the wasm module's platform by the Go compiler...
func TestBuildsForWasm(t *testing.T) {
	build := exec.Command("go", "build", "./...")
	build.Dir = ".."
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}

// ... and by TinyGo, which has no part of the standard library that it could not
// compile into the module.
func TestBuildsByTinyGo(t *testing.T) {
	tools := os.Getenv("WEIR_TOOLS")
	if tools == "" {
		t.Skip("WEIR_TOOLS is not set: TinyGo does not build the policy packages here")
	}
	tinygo := filepath.Join(tools, "bin", "tinygo")
	root, err := exec.Command(tinygo, "env", "TINYGOROOT").Output()
	if err != nil {
		t.Fatalf("tinygo env: %v", err)
	}
	target := "weir-filter.json"
	if _, err := os.Stat(filepath.Join(string(root[:len(root)-1]), "lib", "wasi-libc")); err == nil {
		target = "weir-filter-release.json"
	}
	output := filepath.Join(t.TempDir(), "policy.wasm")
	build := exec.Command(tinygo, "build", "-target="+filepath.Join("..", "..", "target", target),
		"-buildmode=c-shared", "-opt=1", "-no-debug", "-o", output, "./testdata/tinygo")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("tinygo build: %v\n%s", err, out)
	}
	info, err := os.Stat(output)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the policy packages alone are %d bytes", info.Size())
}
