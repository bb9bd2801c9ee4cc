package dryrun_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/dryrun"
)

// A request in a content coding that Envoy undoes is explained without it, and others
// as the filter sees them.
func TestExplainCoding(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../../examples/local")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "redactionpolicy.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, "  encodings: decompress\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	filter := module(t)
	report, err := dryrun.Check(t.Context(), folder(dir), filter)
	if err != nil || !strings.Contains(report.Format(), "RedactionPolicy/personal-data (redactionpolicy.yaml:1): gateways decompress requests to all models") {
		t.Errorf("%v, report is\n%s", err, report.Format())
	}
	built, problems := catalog.Load(t.Context(), folder(dir)...)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for coding, want := range map[string]string{
		"gzip": "gzip is undone by Envoy", "BR": "BR is undone by Envoy", "deflate": "unsupported_content_encoding", "gzip, gzip": "unsupported_content_encoding",
	} {
		request, err := dryrun.ParseRequest([]byte("POST /v1/chat/completions\ncontent-type: application/json\ncontent-encoding: " + coding +
			"\n\n" + `{"model":"echo","messages":[{"role":"user","content":"13812345678"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		explanation, err := dryrun.Explain(t.Context(), built, filter, dryrun.Sample{Request: request})
		if err != nil {
			t.Fatal(err)
		}
		if text := explanation.Format(); !strings.Contains(text, want) || strings.Contains(want, "undone") != strings.Contains(text, "138****5678") {
			t.Errorf("%s: explanation is\n%s", coding, text)
		}
	}
}
