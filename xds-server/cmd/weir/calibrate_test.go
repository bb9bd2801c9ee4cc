package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// accessLog has n requests to a model that makes 1.5 tokens of a word.
func accessLog(model string, n int) string {
	var log strings.Builder
	for i := range n {
		words := 10 + i*7%90
		fmt.Fprintf(&log, `{"status":200,"weir":"{\"outcome\":\"forward\",\"model\":\"%s\",\"promptTokens\":%d,`+
			`\"counts\":{\"words\":%d,\"requests\":1},\"settled\":{\"by\":\"usage\",\"saidInputTokens\":%d}}"}`+"\n",
			model, words, words, words+words/2)
	}
	return log.String()
}

// What is printed is what a Model takes.
func TestCalibrate(t *testing.T) {
	log := accessLog("chat", 60) + accessLog("rare", 5) + accessLog("embed", 60) + `{"status":404}` + "\n"
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, models string }{
		{path, "chat embed"}, {"-", "chat embed"}, {"--model chat " + path, "chat"}, {path + " --model embed", "embed"},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), append([]string{"calibrate"}, strings.Fields(c.args)...), strings.NewReader(log), &stdout, &stderr); status != exitOK {
			t.Fatalf("%s: status %d: %s", c.args, status, &stderr)
		}
		blocks := strings.SplitAfter(stdout.String(), "requests: ")
		for i, model := range strings.Fields(c.models) {
			if !strings.Contains(blocks[i], "# Model/"+model+": the mean error of 60 estimates was 33.0%") || !strings.Contains(blocks[i], "words: 1.4") {
				t.Errorf("%s: block %d is\n%s", c.args, i, blocks[i])
			}
		}
		if !strings.Contains(stderr.String(), "125 requests read; 1 lines have no counts") ||
			strings.Contains(stderr.String(), "Model/rare: 5 requests") != (len(c.args) < len(path)+2) {
			t.Errorf("%s: %s", c.args, &stderr)
		}
	}
}

func TestCalibratedModelIsRight(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"calibrate", "-"}, strings.NewReader(accessLog("minilm", 60)), &stdout, &stderr); status != exitOK {
		t.Fatal(stderr.String())
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(stdout.String(), "spec:\n")
	calibrated := strings.Replace(string(text), "spec:\n", "spec:\n"+block, 1)
	if err := os.WriteFile(path, []byte(calibrated), 0o600); err != nil {
		t.Fatal(err)
	}
	built, problems := catalog.Load(t.Context(), []source.Source{file.NewFolder(dir)}...)
	if len(problems) > 0 {
		t.Fatalf("%v in\n%s", problems, calibrated)
	}
	if e := built.Model("minilm").Estimate; e == nil || e[0] < 1_400 || e[0] > 1_500 {
		t.Errorf("the estimate is %v", e)
	}
}

func TestCalibrateRefuses(t *testing.T) {
	for _, c := range []struct {
		args, log string
		status    int
		stderr    string
	}{
		{"", "", exitUsage, "name one file"},
		{"a b", "", exitUsage, "name one file"},
		{"nowhere.log", "", exitWrong, "nowhere.log"},
		{"-", "", exitWrong, "accessLog: true"},
		{"-", accessLog("m", 19), exitWrong, "Model/m: 19 requests"},
		{"-", `{"outcome":"forward"`, exitWrong, "line 1"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), append([]string{"calibrate"}, strings.Fields(c.args)...), strings.NewReader(c.log), &stdout, &stderr)
		if status != c.status || !strings.Contains(stderr.String(), c.stderr) || stdout.Len() > 0 {
			t.Errorf("%q: status %d, %s%s", c.args, status, &stdout, &stderr)
		}
	}
}
