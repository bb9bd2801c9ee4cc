package up

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// What is wrong before any program runs is told before any program runs.
func TestStartRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		file, old, new string
		socket         string
		want           []string
	}{
		"bad resources":          {"modelroute.yaml", "weight: 90", "weight: 91", "", []string{"modelroute.yaml:", "spec.split"}},
		"SPIRE without a socket": {"trustdomain.yaml", "source: development", "source: spire", "", []string{"SPIFFE_ENDPOINT_SOCKET"}},
		"a socket over TCP":      {"trustdomain.yaml", "source: development", "source: spire", "tcp://127.0.0.1:1", []string{"Unix socket"}},
		"no certificates":        {"gateway.yaml", "port: 10000", "port: 10000\n      tls: {certificate: {certificateFile: crt, keyFile: key}}", "", []string{"gateway.yaml:", "--certificates"}},
		"another sidecar":        {"model.yaml", "127.0.0.1:8000", "127.0.0.1:8009", "", []string{"--sidecar-http"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../../../examples/local")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, tc.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.ReplaceAll(string(text), tc.old, tc.new)
			if changed == string(text) {
				t.Fatalf("%s does not hold %q", tc.file, tc.old)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			state := filepath.Join(t.TempDir(), "state")
			_, err = Start(t.Context(), Options{Sources: []source.Source{file.NewFolder(dir)}, StateDir: state, Ports: ports(), WorkloadSocket: tc.socket})
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in:\n%v", want, err)
				}
			}
			if _, err := os.Stat(state); err == nil {
				t.Error("a state folder was made")
			}
		})
	}
}

type lines []string

func (l *lines) Line(program string, line []byte) { *l = append(*l, program+" "+string(line)) }

// Only what an Envoy says of its own end is dropped.
func TestFarewell(t *testing.T) {
	var got lines
	f := &farewell{Output: &got}
	for range 2 {
		f.Line(nameEnvoy, []byte("[warning] stream closed"))
		f.Line(nameEnvoy, []byte("[critical] crash"))
		f.Line(nameSidecar, []byte("[warning] x"))
		f.stopping.Store(true)
	}
	want := []string{"envoy [warning] stream closed", "envoy [critical] crash", "sidecar [warning] x", "envoy [critical] crash", "sidecar [warning] x"}
	if !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}
