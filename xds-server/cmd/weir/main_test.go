package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

const example = "../../../examples/local"

func TestCommandLine(t *testing.T) {
	empty := t.TempDir()
	broken := filepath.Join(t.TempDir(), "broken.http")
	if err := os.WriteFile(broken, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name           string
		args           string
		status         int
		stdout, stderr string // a part of it
	}{
		{"nothing", "", exitUsage, "", "Commands:"},
		{"help", "help", exitOK, "--certificates DIR", ""},
		{"help as a flag", "--help", exitOK, "weir COMMAND -h", ""},
		{"help of a command", "up -h", exitOK, "", "-xds-address"},
		{"unknown command", "rollout", exitUsage, "", `no command "rollout"`},
		{"unknown flag", "check --folder x", exitUsage, "", "-folder"},
		{"argument", "check -f " + empty + " more", exitUsage, "", `"more" is not a flag`},
		{"help of sources", "check -h", exitOK, "", "-certificates folder"},
		{"no folder", "up", exitUsage, "", "-f DIR"},
		{"etcd without a port", "check --etcd host", exitUsage, "", "is not host:port"},
		{"not a folder", "check -f main.go", exitUsage, "", "not a folder"},
		{"bad address", "up -f " + empty + " --xds-address here", exitUsage, "", "xds-address"},
		{"bad colour", "up -f " + empty + " --color blue", exitUsage, "", "auto, always or never"},
		{"no resources", "check -f " + empty, exitWrong, "", ""},
		{"no request", "explain -f " + example, exitUsage, "", "--request"},
		{"bad output", "explain -f " + example + " --request x --output yaml", exitUsage, "", "text or json"},
		{"bad peer", "explain -f " + example + " --request x --peer me", exitUsage, "", "--peer me"},
		{"request not there", "explain -f " + example + " --request nowhere", exitWrong, "", "nowhere"},
		{"request broken", "explain -f " + example + " --request " + broken, exitWrong, "", "not a request line"},
		{"filter not there", "check -f " + example + " --filter-module nowhere.wasm", exitWrong, "", "nowhere.wasm"},
		{"echo on a bad address", "echo --listen 127.0.0.1:x", exitWrong, "", "echo model"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), strings.Fields(tc.args), strings.NewReader(""), &stdout, &stderr)
			if status != tc.status || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
				t.Errorf("status %d, want %d with %q and %q; got\n%s\n%s", status, tc.status, tc.stdout, tc.stderr, &stdout, &stderr)
			}
		})
	}
}

// Problems of resources are told with their place, even where no filter is.
func TestCheckNamesThePlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "modelroute.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte("weight: 90"), []byte("weight: 91"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"check", "-f", dir, "--filter-module", "nowhere.wasm"}, nil, &stdout, &stderr)
	if status != exitWrong || !strings.Contains(stdout.String(), "modelroute.yaml:") || !strings.Contains(stdout.String(), "spec.split") {
		t.Errorf("status %d\n%s\n%s", status, &stdout, &stderr)
	}
}

func TestCheckAcceptsTheExample(t *testing.T) {
	artefact.Built(t, "filter.wasm") // which the command finds by itself
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"check", "-f", example}, nil, &stdout, &stderr); status != exitOK {
		t.Fatalf("status %d\n%s\n%s", status, &stdout, &stderr)
	}
	if !strings.Contains(stdout.String(), "Gateway/local: the filter accepts") {
		t.Errorf("report:\n%s", &stdout)
	}
}

func TestExplainAsJSON(t *testing.T) {
	artefact.Built(t, "filter.wasm") // which the command finds by itself
	request, err := os.ReadFile(example + "/request.http")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		request []byte
		check   func(explanationView) bool
	}{
		"forwarded": {request, func(v explanationView) bool {
			return v.Reply == nil && v.Upstream.Changed && strings.Contains(v.Upstream.Body, "138****5678") &&
				v.Decision.Redactions["phone"] == 1 && strings.HasPrefix(v.Destination.Cluster, "minilm@") &&
				v.Destination.SPIFFEID == "spiffe://weir.test/inference-sidecar" && v.Destination.Endpoints[0] == "127.0.0.1:8000"
		}},
		"answered": {bytes.Replace(request, []byte("all-MiniLM-L6-v2"), []byte("gpt-99"), 1), func(v explanationView) bool {
			return v.Upstream == nil && v.Destination == nil && v.Reply.Status == http.StatusNotFound && v.Decision.Outcome == "model_not_found"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := []string{"explain", "-f", example, "--request", "-", "--output", "json"}
			if status := run(t.Context(), args, bytes.NewReader(tc.request), &stdout, &stderr); status != exitOK {
				t.Fatalf("status %d\n%s", status, &stderr)
			}
			var view explanationView
			if err := json.Unmarshal(stdout.Bytes(), &view); err != nil {
				t.Fatal(err)
			}
			if !tc.check(view) {
				t.Errorf("explanation:\n%s", &stdout)
			}
		})
	}
}

// The echo model answers until the first signal, and then the command ends well.
func TestEchoEndsWithASignal(t *testing.T) {
	out, in := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(context.Background(), []string{"echo", "--listen", "127.0.0.1:0"}, nil, in, io.Discard)
	}()
	var url string
	if _, err := fmt.Fscanf(out, "the echo model listens on %s\n", &url); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(`{"messages":[{"content":"hello"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"content":"hello"`) {
		t.Errorf("answer %s, %v", body, err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != exitOK {
		t.Errorf("status %d", got)
	}
}

func TestGateHoldsLinesBack(t *testing.T) {
	var out bytes.Buffer
	g := &gate{out: supervise.NewConsole(&out, 1, false)}
	g.Line("a", []byte("before"))
	g.hold()
	text := []byte("during")
	g.Line("a", text)
	copy(text, "######") // the bytes are valid during the call only
	if got := out.String(); got != "a | before\n" {
		t.Errorf("while it is shut: %q", got)
	}
	g.release()
	g.Line("a", []byte("after"))
	if got := out.String(); got != "a | before\na | during\na | after\n" {
		t.Errorf("at the end: %q", got)
	}
	g.hold()
	for range maxHeld + 5 {
		g.Line("a", []byte("x"))
	}
	if n := len(g.held); n != maxHeld {
		t.Errorf("%d lines are held", n)
	}
}
