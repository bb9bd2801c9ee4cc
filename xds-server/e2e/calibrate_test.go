package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// TestCalibrateFromAccessLog sends texts through a real Envoy to a real model, and
// calibrates from what Envoy logs.
func TestCalibrateFromAccessLog(t *testing.T) {
	text, err := os.ReadFile("../internal/calibrate/testdata/texts/english.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := boot(t, change{"gateway.yaml", "spec:\n", "spec:\n  accessLog: true\n"})
	prompts := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	for i, prompt := range prompts {
		client := s.openai("x-tenant-id", fmt.Sprintf("calibrate-%d", i))
		if _, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
			Model: "minilm", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String(prompt)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 30*time.Second, func() error {
		if n := strings.Count(s.log.text(), "saidInputTokens"); n < len(prompts) {
			return fmt.Errorf("%d of %d requests are logged", n, len(prompts))
		}
		return nil
	})
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), artefact.Built(t, "weir"), "calibrate", "-")
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(s.log.text()), &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	said := regexp.MustCompile(`^# Model/minilm: the mean error of (\d+) estimates was ([\d.]+)%, with these numbers it is ([\d.]+)%\.\n`).FindStringSubmatch(stdout.String())
	if said == nil {
		t.Fatalf("it said\n%s%s", &stdout, &stderr)
	}
	before, _ := strconv.ParseFloat(said[2], 64)
	after, _ := strconv.ParseFloat(said[3], 64)
	if said[1] != strconv.Itoa(len(prompts)) || after > 10 || after > before {
		t.Errorf("of %d requests it said\n%s", len(prompts), &stdout)
	}
}
