package up

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// resources returns the local example with one of its files, name, changed by
// each pair of old and new text.
func resources(t *testing.T, name string, pairs ...string) *catalog.Catalog {
	t.Helper()
	const dir = "../../../examples/local"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	changed := t.TempDir()
	for _, e := range entries {
		data, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == name {
			text := strings.NewReplacer(pairs...).Replace(string(data))
			if text == string(data) {
				t.Fatalf("%s does not hold %q", name, pairs)
			}
			data = []byte(text)
		}
		if err := os.WriteFile(filepath.Join(changed, e.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := catalog.Load(t.Context(), file.NewFolder(changed))
	if problems != nil {
		t.Fatalf("the resources are not right:\n%s", list(problems))
	}
	return c
}

func ports() Ports {
	return Ports{
		XDS: netip.MustParseAddrPort("127.0.0.1:18000"), Admin: netip.MustParseAddrPort("127.0.0.1:18001"),
		EnvoyAdmin:  netip.MustParseAddrPort("127.0.0.1:9901"),
		SidecarHTTP: netip.MustParseAddrPort("127.0.0.1:8000"), SidecarMetrics: netip.MustParseAddrPort("127.0.0.1:8002"),
	}
}

func TestPlanOfTheLocalExample(t *testing.T) {
	plan, err := NewPlan(resources(t, ""), ports())
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{plan.Envoy.String(), plan.XDSServer.String(), plan.Sidecar.String(), plan.Cluster}; !slices.Equal(got, []string{
		"spiffe://weir.test/envoy", "spiffe://weir.test/xds-server", "spiffe://weir.test/inference-sidecar", "local",
	}) {
		t.Errorf("identities and cluster: %q", got)
	}
	if len(plan.Listeners) != 1 || plan.Listeners[0].Name != "local/http" || plan.Listeners[0].URL() != "http://127.0.0.1:10000" {
		t.Errorf("listeners: %+v", plan.Listeners)
	}
}

func TestPlanRefusesWhatCannotRun(t *testing.T) {
	for name, tc := range map[string]struct {
		pairs []string
		want  string
	}{
		"nothing behind the sidecar's address": {[]string{"127.0.0.1:8000", "127.0.0.1:8009"}, "--sidecar-http"},
		"plaintext":                            {[]string{`tls: {spiffeID: "spiffe://weir.test/inference-sidecar"}`, "insecure: true"}, "minilm@v1 expects plaintext"},
		"two identities": {[]string{"- name: v2\n      endpoints: [\"127.0.0.1:8000\"]\n      tls: {spiffeID: \"spiffe://weir.test/inference-sidecar\"}",
			"- name: v2\n      endpoints: [\"127.0.0.1:8000\"]\n      tls: {spiffeID: \"spiffe://weir.test/other\"}"}, "one identity"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewPlan(resources(t, "model.yaml", tc.pairs...), ports())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestURLOfAListener(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:10000": "http://127.0.0.1:10000",
		"0.0.0.0:80":      "http://127.0.0.1:80",
		"[::]:80":         "http://[::1]:80",
		"192.0.2.1:80":    "http://192.0.2.1:80",
	} {
		if got := (Listener{Address: netip.MustParseAddrPort(address)}).URL(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := (Listener{Address: netip.MustParseAddrPort("127.0.0.1:443"), TLS: true}).URL(); got != "https://127.0.0.1:443" {
		t.Errorf("with TLS: %s", got)
	}
}
