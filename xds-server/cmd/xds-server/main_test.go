package main

import (
	"context"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"help", t.Context(), []string{"--help"}, exitOK, "usage: xds-server", ""},
		{"bad flag", t.Context(), []string{"--nonsense"}, exitUsage, "", "--help lists the flags"},
		{"no resources", t.Context(), nil, exitUsage, "", "--resources"},
		{"no folder", t.Context(), []string{"--resources", "/no/such/folder"}, exitFailed, "", "/no/such/folder"},
		{"told to stop", ended, []string{"--resources", "/no/such/folder"}, exitOK, "", ""},
	} {
		var stdout, stderr strings.Builder
		if len(c.args) > 1 {
			c.args = append(c.args, "--state-dir", t.TempDir())
		}
		if code := run(c.ctx, c.args, strings.NewReader(""), &stdout, &stderr); code != c.code ||
			!strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", c.name, code, stdout.String(), stderr.String())
		}
	}
}
