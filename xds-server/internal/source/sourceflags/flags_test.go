package sourceflags_test

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source/sourceflags"
)

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		args, want, wrong string
	}{
		{args: "--resources a", want: "[the folder of resources a]"},
		{
			args: "--etcd h:1,i:2 --etcd-prefix /x/ --resources b/ --certificates c --etcd j:3 --etcd-ca ca --etcd-user u --etcd-password-file p",
			want: "[etcd h:1,i:2 under /x/ the folder of resources b the folder of certificates c etcd j:3 under /weir/]",
		},
		{args: "", wrong: "no resources: name their folder"},
		{args: "--certificates c", wrong: "no resources: name their folder"},
		{args: "--resources=", wrong: "name a folder"},
		{args: "--certificates=", wrong: "name a folder"},
		{args: "--etcd=", wrong: `endpoint "" is not host:port`},
		{args: "--etcd h", wrong: `endpoint "h" is not host:port`},
		{args: "--resources a --etcd-prefix /x/ --etcd h:1", wrong: "write --etcd ENDPOINTS first"},
		{args: "--etcd h:1 --etcd-ca=", wrong: "it is empty"},
		{args: "--etcd h:1 --etcd-ca a --etcd-ca b", wrong: "it is given twice for one --etcd, first as a"},
		{args: "--etcd h:1 --etcd-cert a", wrong: "set both --etcd-cert and --etcd-key"},
	} {
		set := flag.NewFlagSet("test", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		flags := sourceflags.Register(set, sourceflags.Folder)
		err := set.Parse(strings.Fields(test.args))
		got := ""
		if err == nil {
			sources, wrong := flags.Sources()
			got, err = fmt.Sprint(sources), wrong
		}
		if given := strings.Join(flags.Args(), " "); test.wrong == "" && given != test.args {
			t.Errorf("%s: passed on as %s", test.args, given)
		}
		switch {
		case test.wrong == "" && (err != nil || got != test.want):
			t.Errorf("%s: got %s, %v, want %s", test.args, got, err, test.want)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%s: got %v, want %s", test.args, err, test.wrong)
		}
	}
}

// Another name of the flag for folders is in the errors, and not in what the
// xds-server is told.
func TestOtherName(t *testing.T) {
	set := flag.NewFlagSet("test", flag.ContinueOnError)
	flags := sourceflags.Register(set, "f")
	if _, err := flags.Sources(); err == nil || !strings.Contains(err.Error(), "with -f DIR,") {
		t.Errorf("without any: %v", err)
	}
	if err := set.Parse([]string{"-f", "a", "--certificates=c", "-f=b"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(flags.Args(), flags.Folders()); got != "[--resources a --certificates c --resources b] [a b]" {
		t.Errorf("got %s", got)
	}
}
