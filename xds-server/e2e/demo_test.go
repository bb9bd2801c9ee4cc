package e2e

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// TestDemo runs `weir demo` as `DEMO_ONCE=1 make demo` does, on other ports. It
// checks its own answers; here it is enough that it ends well and said so.
func TestDemo(t *testing.T) {
	weir := artefact.Built(t, "weir")
	s := &stack{}
	s.reserve(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // the demo's own echo model
	if err != nil {
		t.Fatal(err)
	}
	s.dir = s.resources(t, l.Addr().String(), nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	args := s.arguments(t.TempDir())
	args[0] = "demo"
	cmd := exec.CommandContext(t.Context(), weir, args...)
	cmd.Env = append(os.Environ(), "DEMO_ONCE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		" 1  An embedding", "384 dimensions", "138****5678", "429", "asked again, all 200 users stayed",
		"served by v2", "All answers were right.", "| xds-server stopped",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo did not print %q", want)
		}
	}
	if strings.Contains(string(out), "✗") || t.Failed() {
		t.Errorf("the demo printed:\n%s", out)
	}
}
