package up

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes files below a new folder and returns the folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var everything = []string{
	"build/xds-server", "build/inference-sidecar", "build/filter.wasm",
	".tools/bin/envoy", ".tools/lib/libonnxruntime.so.1", ".tools/models/minilm/v1/model.yaml", "own/envoy", "own/models/x",
}

func TestFind(t *testing.T) {
	root := tree(t, everything...)
	if err := os.Symlink("libonnxruntime.so.1", filepath.Join(root, ".tools/lib/libonnxruntime.so")); err != nil {
		t.Fatal(err)
	}
	beside := Artefacts{
		XDSServer: root + "/build/xds-server", Sidecar: root + "/build/inference-sidecar", Filter: root + "/build/filter.wasm",
		Envoy: root + "/.tools/bin/envoy", ONNXRuntime: root + "/.tools/lib/libonnxruntime.so.1", Models: root + "/.tools/models",
	}
	own := beside
	own.Envoy, own.Models = root+"/own/envoy", root+"/own/models"
	for name, tc := range map[string]struct {
		env        map[string]string
		executable string
		models     string
		want       Artefacts
	}{
		"beside the program":  {nil, root + "/build/weir", "", beside},
		"where the tests say": {map[string]string{"WEIR_BUILD": root + "/build", "WEIR_TOOLS": root + "/.tools"}, "/nowhere/weir", "", beside},
		"the user's own":      {map[string]string{"ENVOY": root + "/own/envoy"}, root + "/build/weir", root + "/own/models", own},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Find(func(k string) string { return tc.env[k] }, tc.executable, tc.models)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("found %+v\nwant  %+v", got, tc.want)
			}
		})
	}
}

func TestFindNamesAllThatIsMissing(t *testing.T) {
	root := tree(t, "build/xds-server", ".tools/bin/envoy")
	env := map[string]string{"ENVOY": root + "/mistyped"}
	_, err := Find(func(k string) string { return env[k] }, root+"/build/weir", "")
	if err == nil {
		t.Fatal("no error")
	}
	// An ENVOY that is not there is an error even though another Envoy is.
	for _, want := range []string{"inference-sidecar is not at " + root + "/build/inference-sidecar", "filter.wasm", root + "/mistyped", "make models", "ONNXRUNTIME_LIB"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "xds-server is not") {
		t.Errorf("what is there is called missing:\n%v", err)
	}
}

func TestCheckFreeNamesPortAndFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).AddrPort()
	free := netip.MustParseAddrPort("127.0.0.1:0")
	p := Ports{XDS: free, Admin: free, EnvoyAdmin: taken, SidecarHTTP: free, SidecarMetrics: free}
	err = checkFree(sockets(Plan{Listeners: []Listener{{Name: "local/http", Address: taken}}}, p))
	if err == nil {
		t.Fatal("a port in use was called free")
	}
	for _, want := range []string{taken.String(), "is in use", "--envoy-admin", "listener local/http", "spec.listeners"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "--xds-address") {
		t.Errorf("a free address is complained of:\n%v", err)
	}
	if err := checkFree(sockets(Plan{}, Ports{XDS: free, Admin: free, EnvoyAdmin: free, SidecarHTTP: free, SidecarMetrics: free})); err != nil {
		t.Error(err)
	}
}

func TestStateFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := openState(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	if _, err := openState(dir, ""); err == nil || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("a second owner got %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openState(dir, "/run/spire.sock")
	if err != nil {
		t.Fatal(err)
	}
	if again.socket != "/run/spire.sock" {
		t.Errorf("socket %s", again.socket)
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
}

func TestSocketPathStaysShort(t *testing.T) {
	s, err := openState(filepath.Join(t.TempDir(), strings.Repeat("long/", 30)), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.socket) >= maxSocketPath {
		t.Errorf("socket path %s has %d bytes", s.socket, len(s.socket))
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(s.socket)); !os.IsNotExist(err) {
		t.Errorf("the socket's folder is left: %v", err)
	}
}

func TestWorkloadSocket(t *testing.T) {
	for value, want := range map[string]string{
		"":                                    "",
		"unix:///run/spire.sock":              "/run/spire.sock",
		"unix:/run/spire.sock":                "/run/spire.sock",
		"tcp://127.0.0.1:1":                   "error",
		"unix:///" + strings.Repeat("a", 120): "error",
	} {
		got, err := workloadSocket(value)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
