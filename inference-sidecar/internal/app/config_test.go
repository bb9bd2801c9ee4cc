package app

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	stdruntime "runtime"
	"strings"
	"testing"
)

func parse(args string, env map[string]string) (*config, string, error) {
	var stderr bytes.Buffer
	c, err := parseConfig(strings.Fields(args), func(k string) string { return env[k] }, &stderr)
	return c, stderr.String(), err
}

func TestParseConfig(t *testing.T) {
	c, _, err := parse("--models m --insecure-plaintext", nil)
	if err != nil || c.http != "127.0.0.1:8000" || c.metrics != "127.0.0.1:8002" || c.device != "cpu" || c.workers != stdruntime.GOMAXPROCS(0) || c.maxRequest != 64<<20 || c.modelMemory != 4<<30 {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	c, _, err = parse("--models m --workload-api unix:///a --allow-peer spiffe://weir.test/a --allow-peer spiffe://weir.test/b --device cuda --max-request 1KiB --model-memory 0 --metrics=",
		map[string]string{"ONNXRUNTIME_LIB": "/lib.so", "SPIFFE_ENDPOINT_SOCKET": "unix:///env"})
	if err != nil || len(c.peers) != 2 || c.workloadAPI != "unix:///a" || c.library != "/lib.so" || c.workers != 2 || c.maxRequest != 1024 || c.modelMemory != 0 || c.metrics != "" {
		t.Errorf("all: %+v, %v", c, err)
	}
	c, _, err = parse("--models m --allow-peer spiffe://weir.test/a", map[string]string{"SPIFFE_ENDPOINT_SOCKET": "unix:///env"})
	if err != nil || c.workloadAPI != "unix:///env" {
		t.Errorf("environment: %+v, %v", c, err)
	}
	for _, http := range []string{"localhost:1", "[::1]:1", "127.8.8.8:1"} {
		if _, _, err := parse("--models m --insecure-plaintext --http "+http, nil); err != nil {
			t.Errorf("%s: %v", http, err)
		}
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--insecure-plaintext": "--models is missing",
		"--models m":           "--allow-peer is missing",
		"--models m --allow-peer spiffe://weir.test/a":                      "--workload-api is missing",
		"--models m --insecure-plaintext --allow-peer spiffe://weir.test/a": "--allow-peer has no effect",
		"--models m --insecure-plaintext --http 0.0.0.0:8000":               "not a loopback address",
		"--models m --insecure-plaintext --http :8000":                      "not a loopback address",
		"--models m --insecure-plaintext --http example.com:8000":           "not a loopback address",
		"--models m --insecure-plaintext --device gpu":                      `unknown device "gpu"`,
		"--models m --insecure-plaintext --log-level loud":                  "none of debug, info, warn and error",
		"--models m --insecure-plaintext --log-format xml":                  "neither text nor json",
		"--models m --insecure-plaintext --workers -1":                      "--workers cannot be negative",
		"--models m --insecure-plaintext --drain-timeout -1s":               "--drain-timeout cannot be negative",
		"--models m --insecure-plaintext --identity-timeout 0":              "--identity-timeout cannot be 0",
		"--models m --insecure-plaintext --max-request 0":                   "--max-request cannot be 0",
		"--models m --insecure-plaintext more":                              `unexpected argument "more"`,
		"--allow-peer envoy":                                                "not a SPIFFE ID",
		"--max-request 1TB":                                                 "KiB, MiB or GiB",
		"--max-request -1":                                                  "KiB, MiB or GiB",
		"--nonsense":                                                        "flag provided but not defined",
	} {
		_, stderr, err := parse(args, nil)
		if err == nil || !strings.Contains(err.Error()+stderr, want) {
			t.Errorf("%s: error %v, %q, want %q", args, err, stderr, want)
		}
	}
	if _, help, err := parse("--help", nil); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help, "--models DIR") || !strings.Contains(help, "(default 64MiB)") {
		t.Errorf("help: %v, %s", err, help)
	}
}

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "build", "inference-sidecar")
	library := filepath.Join(dir, ".tools", "lib", "libonnxruntime.so")
	if _, err := findLibrary("", program); err == nil || !strings.Contains(err.Error(), library) {
		t.Errorf("nowhere: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(library, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := findLibrary("", program); err != nil || got != library {
		t.Errorf("near the program: %s, %v", got, err)
	}
	if got, err := findLibrary(library, "/x"); err != nil || got != library {
		t.Errorf("given: %s, %v", got, err)
	}
	if _, err := findLibrary(filepath.Join(dir, "none.so"), program); err == nil {
		t.Error("a given library that is not there is taken")
	}
}
