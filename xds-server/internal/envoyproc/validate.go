package envoyproc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Validate asks the Envoy at the path binary whether it would take a bootstrap,
// YAML or JSON, which is written to the directory dir. It returns Envoy's
// warnings; the error holds what else it said.
func Validate(ctx context.Context, binary, dir string, bootstrap []byte) (warnings string, err error) {
	path := filepath.Join(dir, bootstrapFile)
	if err := os.WriteFile(path, bootstrap, 0o600); err != nil {
		return "", fmt.Errorf("write envoy's bootstrap: %w", err)
	}
	// Envoy ends with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, binary, "--mode", "validate", "-c", path, "--use-dynamic-base-id", "--log-level", "warning")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("envoy refuses the bootstrap: %w\n%s", err, out)
	}
	return string(out), nil
}
