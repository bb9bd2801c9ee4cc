package translate_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/goccy/go-yaml"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/sourcetest"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenTypes are the parts of a golden file's name by type.
var goldenTypes = map[string]string{
	snapshot.ListenerType:    "listeners",
	snapshot.ScopedRouteType: "scopes",
	snapshot.RouteType:       "routes",
	snapshot.ClusterType:     "clusters",
	snapshot.EndpointType:    "endpoints",
	snapshot.ExtensionType:   "extensions",
	snapshot.SecretType:      "secrets",
}

func load(t *testing.T, path string) *catalog.Catalog {
	t.Helper()
	built, problems := catalog.Build(source.Set{Documents: sourcetest.Documents(t, path), Certificates: certificates})
	for _, p := range problems {
		t.Error(p)
	}
	if len(problems) > 0 {
		t.FailNow()
	}
	return built
}

func inputs(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/in/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	return paths
}

func TestGolden(t *testing.T) {
	expected := make(map[string]bool)
	for _, path := range inputs(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		snapshots, err := translate.Translate(load(t, path), translate.Options{Module: []byte("module")})
		if err != nil {
			t.Fatal(err)
		}
		for id, s := range snapshots {
			for url, part := range goldenTypes {
				file := filepath.Join("testdata/out", strings.Join([]string{name, envoyName(id), part, "yaml"}, "."))
				if text := render(t, s, url); len(text) > 0 || part != "secrets" {
					expected[file] = true
					compare(t, file, text)
				}
			}
		}
	}
	removeStale(t, expected)
}

// envoyName is an identity's path as a part of a file's name.
func envoyName(id spiffeid.ID) string {
	return strings.ReplaceAll(strings.TrimPrefix(id.Path(), "/"), "/", "-")
}

func render(t *testing.T, s *snapshot.Snapshot, typeURL string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, name := range s.Names(typeURL) {
		message, err := s.Get(typeURL, name).Body.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		conceal(t, message)
		encoded, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		asYAML, err := yaml.JSONToYAML(encoded)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(asYAML)
	}
	return out.Bytes()
}

// conceal puts names in the place of a certificate and its key, which are made
// anew for each test.
func conceal(t *testing.T, message proto.Message) {
	secret, isSecret := message.(*tlsv3.Secret)
	if !isSecret {
		return
	}
	got := secret.GetTlsCertificate()
	for name, source := range map[string]*corev3.DataSource{"public.crt": got.GetCertificateChain(), "public.key": got.GetPrivateKey()} {
		if !bytes.Equal(source.GetInlineBytes(), certificates[name]) {
			t.Errorf("secret %s does not have what is in %s", secret.GetName(), name)
		}
		source.Specifier = &corev3.DataSource_Filename{Filename: name}
	}
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run the test with -update and read the diff); got:\n%s", file, got)
	}
}

func removeStale(t *testing.T, expected map[string]bool) {
	t.Helper()
	files, err := filepath.Glob("testdata/out/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if expected[file] {
			continue
		}
		if !*update {
			t.Errorf("%s belongs to no input (run the test with -update)", file)
		} else if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}
