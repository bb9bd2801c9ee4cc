package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// guideBlocks returns the blocks of a language in a guide.
func guideBlocks(t *testing.T, name, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(found[1]))
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no block of %s", name, language)
	}
	return blocks
}

// TestGuidePolicies has `weir check` read each policy of the guide in place of the
// example's.
func TestGuidePolicies(t *testing.T) {
	module := artefact.Built(t, "filter.wasm")
	for _, block := range guideBlocks(t, "REDACTION.md", "yaml") {
		if !strings.HasPrefix(block, "apiVersion") {
			block = "apiVersion: weir.dev/v1alpha1\nkind: RedactionPolicy\nmetadata: {name: personal-data}\n" + block
		}
		folder := t.TempDir()
		if err := os.CopyFS(folder, os.DirFS(example)); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"redactionpolicy.yaml": block, "customers.words": "Ada Lovelace\n王小明\n"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr strings.Builder
		if status := run(t.Context(), []string{"check", "-f", folder, "--filter-module", module}, strings.NewReader(""), &stdout, &stderr); status != exitOK {
			t.Errorf("status %d, %s, for\n%s", status, stderr.String(), block)
		}
	}
}

// TestGuideCommands runs each `weir redact` of the guide.
func TestGuideCommands(t *testing.T) {
	const value = "13812345678"
	folder := t.TempDir()
	for name, text := range map[string]string{
		"report.txt": "call " + value + "\n", "key.bin": "0123456789abcdef", "log.json": `{"a":"` + value + `"}` + "\n",
		"answer.txt": `data: {"choices":[{"delta":{"content":"` + value + `"}}]}` + "\n\ndata: [DONE]\n\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for _, block := range guideBlocks(t, "REDACTION.md", "sh") {
		for line := range strings.Lines(block) {
			command, _, _ := strings.Cut(line, "#")
			words := strings.Fields(command)
			if len(words) < 3 || words[0] != "weir" || words[1] != "redact" {
				continue
			}
			for i, word := range words {
				if strings.Contains(word, ".") {
					words[i] = filepath.Join(folder, word)
				}
			}
			var stdout, stderr strings.Builder
			status := run(t.Context(), words[1:], strings.NewReader("a\nb\n call mobile "+value), &stdout, &stderr)
			detects := strings.Contains(command, "detect")
			if status != exitOK || strings.Contains(stdout.String(), value) != detects || strings.Contains(stderr.String(), value) {
				t.Errorf("%s: status %d, %q, %q", command, status, stdout.String(), stderr.String())
			}
			ran++
		}
	}
	if ran < 5 {
		t.Errorf("the guide has %d commands", ran)
	}
}
