package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// tokenized is a text with the tokens that the model's reference tokenizer
// makes of it.
type tokenized struct {
	Text      string `json:"text"`
	MaxTokens int    `json:"maxTokens"`
	IDs       []int  `json:"ids"`
}

// referenceTexts are the texts of the tokenizer's tests that no window cuts and
// that the gateway leaves as they are: it masks phone numbers and addresses.
func referenceTexts(t *testing.T) []tokenized {
	t.Helper()
	data, err := os.ReadFile("../../inference-sidecar/internal/tokenize/testdata/minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var all, whole []tokenized
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		personal := strings.Contains(c.Text, "@") || strings.Contains(c.Text, "13812345678")
		if c.Text != "" && len(c.IDs) < c.MaxTokens && !personal {
			whole = append(whole, c)
		}
	}
	if len(whole) < 10 {
		t.Fatalf("only %d reference texts", len(whole))
	}
	return whole
}

// runDirect computes the embeddings without anything of Weir: Python, ONNX
// Runtime and the tokens of the reference tokenizer.
func runDirect(t *testing.T, version string, texts []tokenized) [][]float64 {
	t.Helper()
	request := struct {
		Model string  `json:"model"`
		IDs   [][]int `json:"ids"`
	}{Model: artefact.Tool(t, "models/minilm/"+version+"/model.onnx")}
	for _, text := range texts {
		request.IDs = append(request.IDs, text.IDs)
	}
	in, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), artefact.Tool(t, "venv/bin/python"), filepath.Join("testdata", "embed.py"))
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("run the model directly: %v\n%s", err, stderr.String())
	}
	var vectors [][]float64
	if err := json.Unmarshal(stdout.Bytes(), &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != len(texts) {
		t.Fatalf("%d embeddings for %d texts", len(vectors), len(texts))
	}
	return vectors
}
