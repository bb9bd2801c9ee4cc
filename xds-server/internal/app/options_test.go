package app

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	none := func(string) string { return "" }
	spire := func(name string) string {
		return map[string]string{"SPIFFE_ENDPOINT_SOCKET": "unix:///run/spire.sock"}[name]
	}
	o, err := ParseOptions([]string{"--resources", "r", "--state-dir", "s", "--log-level", "debug"}, none, io.Discard)
	if err != nil || o.XDSAddress != "127.0.0.1:18000" || o.AdminAddress != "127.0.0.1:18001" || o.Socket != "s/workload.sock" || o.LogLevel >= 0 {
		t.Fatalf("options = %+v, %v", o, err)
	}
	o, err = ParseOptions(strings.Fields("--resources a --etcd e:1,e:2 --etcd-prefix /p/ --etcd-user u --etcd-password-file f --etcd g:1 --resources b --certificates c --drain 0"), none, io.Discard)
	if err != nil || len(o.Sources) != 5 || o.Sources[1].Label() != "etcd:e:1,e:2/p" || o.Sources[3].Label() != "b" || o.Drain != 0 {
		t.Fatalf("options = %+v, %v", o, err)
	}
	if o, err = ParseOptions([]string{"--resources", "r"}, spire, io.Discard); err != nil || o.WorkloadAPI != "unix:///run/spire.sock" {
		t.Fatalf("options = %+v, %v", o, err)
	}
	for _, c := range []struct {
		args   string
		getenv func(string) string
		want   string
	}{
		{"", none, "--resources"},
		{"--resources=", none, "name a folder"},
		{"--etcd x", none, "host:port"},
		{"--resources r --history 0", none, "--history"},
		{"--resources r --drain -1s", none, "--drain"},
		{"--resources r --admin-tls-address x", none, "--admin-tls-address"},
		{"--resources r extra", none, `"extra"`},
		{"--no-such-flag", none, "no-such-flag"},
		{"--resources r --log-format xml", none, "text or json"},
		{"--resources r --xds-address 18000", none, "host:port"},
		{"--resources r --admin-address x", none, "--admin-address"},
		{"--resources r --svid-ttl 0s", none, "above zero"},
		{"--resources r --identity-entries e", spire, "SPIFFE_ENDPOINT_SOCKET"},
		{"--resources r", func(string) string { return "/run/spire.sock" }, "unix:///path"},
	} {
		if _, err := ParseOptions(strings.Fields(c.args), c.getenv, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error = %v, want one with %q", c.args, err, c.want)
		}
	}
	var help strings.Builder
	if _, err := ParseOptions([]string{"--help"}, none, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-xds-address") {
		t.Errorf("help: %v, %q", err, help.String())
	}
}
