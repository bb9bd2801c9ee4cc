package bootstrap_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/envoyproc"
)

var update = flag.Bool("update", false, "rewrite envoy/bootstrap.yaml")

// tracked is the example that people read; it is what the generator writes for
// the local example, so it cannot drift from the code.
const tracked = "../../../envoy/bootstrap.yaml"

func local() bootstrap.Config {
	return bootstrap.Config{
		NodeID:      "envoy",
		NodeCluster: "local",
		Admin:       netip.MustParseAddrPort("127.0.0.1:9901"),
		XDS:         netip.MustParseAddrPort("127.0.0.1:18000"),
		Socket:      "/run/weir/workload.sock",
		Envoy:       spiffeid.RequireFromString("spiffe://weir.test/envoy"),
		XDSServer:   spiffeid.RequireFromString("spiffe://weir.test/xds-server"),
	}
}

func TestTrackedExample(t *testing.T) {
	got, err := local().YAML()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(tracked, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(tracked)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what the generator writes; run go test ./internal/bootstrap -update and read the diff", tracked)
	}
}

func TestEnvoyAccepts(t *testing.T) {
	envoy := artefact.Envoy(t)
	ipv6 := local()
	ipv6.Admin = netip.MustParseAddrPort("[::1]:0")
	ipv6.XDS = netip.MustParseAddrPort("[::1]:18000")
	for name, c := range map[string]bootstrap.Config{"local": local(), "ipv6": ipv6} {
		t.Run(name, func(t *testing.T) {
			doc, err := c.YAML()
			if err != nil {
				t.Fatal(err)
			}
			warnings, err := envoyproc.Validate(t.Context(), envoy, t.TempDir(), doc)
			if err != nil || strings.Contains(warnings, "deprecated") {
				t.Errorf("%v\n%s", err, warnings)
			}
		})
	}
}

// A value must stay a value, whatever characters it has.
func TestValuesAreQuoted(t *testing.T) {
	c := local()
	c.NodeID = "a\"\nadmin: {}\n# \\"
	c.Socket = "/tmp/a b: {c}"
	doc, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Node struct{ ID string }
	}
	if err := yaml.Unmarshal(doc, &parsed); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	if parsed.Node.ID != c.NodeID {
		t.Errorf("node.id = %q, want %q", parsed.Node.ID, c.NodeID)
	}
	if !bytes.Contains(doc, []byte(`"/tmp/a b: {c}"`)) {
		t.Error("the socket path is not quoted")
	}
}

// The xds-server asks at the address that Envoy connects from, so the port is
// said only where that can be answered.
func TestAdminPort(t *testing.T) {
	for _, tc := range []struct {
		admin, xds string
		want       uint16
	}{
		{"127.0.0.1:9901", "127.0.0.1:18000", 9901},
		{"127.0.0.1:0", "127.0.0.1:18000", 0},
		{"127.0.0.1:9901", "10.0.0.1:18000", 0},
		{"127.0.0.1:9901", "[::1]:18000", 0},
		{"10.0.0.2:9901", "10.0.0.1:18000", 9901},
		{"0.0.0.0:9901", "127.0.0.1:18000", 9901},
	} {
		c := local()
		c.Admin, c.XDS = netip.MustParseAddrPort(tc.admin), netip.MustParseAddrPort(tc.xds)
		doc, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if said := bytes.Contains(doc, []byte("metadata: {\"weir.dev/admin-port\": 9901}")); c.AdminPort() != tc.want || said != (tc.want != 0) {
			t.Errorf("admin %s, xDS %s: port %d, said %t", tc.admin, tc.xds, c.AdminPort(), said)
		}
	}
}

func TestRefusesWhatCannotWork(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*bootstrap.Config)
		want   string
	}{
		"no node":                {func(c *bootstrap.Config) { c.NodeID = "" }, "node id"},
		"no admin":               {func(c *bootstrap.Config) { c.Admin = netip.AddrPort{} }, "admin address"},
		"no xds port":            {func(c *bootstrap.Config) { c.XDS = netip.MustParseAddrPort("127.0.0.1:0") }, "xDS address"},
		"relative socket":        {func(c *bootstrap.Config) { c.Socket = "workload.sock" }, "absolute"},
		"long socket":            {func(c *bootstrap.Config) { c.Socket = "/" + strings.Repeat("a", 107) }, "108 bytes"},
		"no identity":            {func(c *bootstrap.Config) { c.Envoy = spiffeid.ID{} }, "SPIFFE IDs"},
		"foreign trust domain":   {func(c *bootstrap.Config) { c.XDSServer = spiffeid.RequireFromString("spiffe://other.test/x") }, "different trust domains"},
		"no xds server":          {func(c *bootstrap.Config) { c.XDSServer = spiffeid.ID{} }, "SPIFFE IDs"},
		"no cluster of the node": {func(c *bootstrap.Config) { c.NodeCluster = "" }, "cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			c := local()
			tc.change(&c)
			doc, err := c.YAML()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want one with %q", err, tc.want)
			}
			if doc != nil {
				t.Error("a document came with the error")
			}
		})
	}
}
