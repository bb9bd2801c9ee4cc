// Package app makes the xds-server of its parts and owns their goroutines:
// resources come in, are checked and translated, and go out to the Envoys that
// prove an identity with a right to them.
package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Options are what the command line says.
type Options struct {
	Resources       string // folder of resources
	FilterModule    string // path of filter.wasm; may be empty if every Gateway names a file
	XDSAddress      string // host:port of delta ADS
	AdminAddress    string // host:port of the admin interface
	StateDir        string // folder of the development CA
	Socket          string // path of the identity socket
	IdentityEntries string // file of further entries; may be empty
	ForceCA         bool   // development CA for trust domains of the real world
	SVIDTTL         time.Duration
	RootTTL         time.Duration
	LogFormat       string // text or json
	LogLevel        slog.Level

	// WorkloadAPI is SPIFFE_ENDPOINT_SOCKET: the Workload API that takes the
	// place of the development CA. Empty: the development CA.
	WorkloadAPI string
}

const usage = `usage: xds-server --resources DIR [flags]

Reads Weir's resources and serves them to Envoys over delta ADS and mTLS. An
Envoy gets what the SPIFFE ID that it proves is entitled to, and nothing else.

With SPIFFE_ENDPOINT_SOCKET set (unix:///path), identities come from the
Workload API there, such as SPIRE's; without it, from an embedded development CA.

`

// ParseOptions reads the command line. flag.ErrHelp means that help was asked
// for and printed; other errors say what is wrong with the arguments.
func ParseOptions(args []string, getenv func(string) string, help io.Writer) (Options, error) {
	o := Options{WorkloadAPI: getenv("SPIFFE_ENDPOINT_SOCKET")}
	flags := flag.NewFlagSet("xds-server", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Resources, "resources", "", "`folder` of resources (*.yaml); it is watched")
	flags.StringVar(&o.FilterModule, "filter-module", "build/filter.wasm", "`path` of the filter, sent to Envoys unless a Gateway names a file of its own")
	flags.StringVar(&o.XDSAddress, "xds-address", "127.0.0.1:18000", "`host:port` of delta ADS over mTLS")
	flags.StringVar(&o.AdminAddress, "admin-address", "127.0.0.1:18001", "`host:port` of /healthz, /readyz, /metrics and /status; not protected: keep it on loopback")
	flags.StringVar(&o.StateDir, "state-dir", ".weir/xds-server", "`folder` that keeps the development CA over restarts")
	flags.StringVar(&o.Socket, "socket", "", "`path` of the Unix socket with the Workload API and SDS of the development CA (default STATE-DIR/workload.sock)")
	flags.StringVar(&o.IdentityEntries, "identity-entries", "", "YAML `file` with entries for the development CA, besides the TrustDomain's; read with the resources")
	flags.BoolVar(&o.ForceCA, "force-development-ca", false, "serve a trust domain that does not end in .test, .example or .local")
	flags.DurationVar(&o.SVIDTTL, "svid-ttl", time.Hour, "life of the development CA's SVIDs; they are renewed at half of it")
	flags.DurationVar(&o.RootTTL, "root-ttl", 24*time.Hour, "life of the development CA's root; it is replaced in time")
	flags.StringVar(&o.LogFormat, "log-format", "text", "`text` or json")
	flags.TextVar(&o.LogLevel, "log-level", slog.LevelInfo, "`level`: debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(help, usage)
			flags.SetOutput(help)
			flags.PrintDefaults()
		}
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: xds-server takes flags only", flags.Arg(0))
	}
	if o.Socket == "" {
		o.Socket = filepath.Join(o.StateDir, "workload.sock")
	}
	return o, o.check()
}

func (o Options) check() error {
	switch {
	case o.Resources == "":
		return errors.New("no resources: name their folder with --resources DIR")
	case o.LogFormat != "text" && o.LogFormat != "json":
		return fmt.Errorf("--log-format %q: use text or json", o.LogFormat)
	case o.SVIDTTL <= 0 || o.RootTTL <= 0:
		return errors.New("--svid-ttl and --root-ttl must be above zero")
	case o.WorkloadAPI != "" && o.IdentityEntries != "":
		return errors.New("--identity-entries is for the development CA, which SPIFFE_ENDPOINT_SOCKET replaces: register the workloads there, and drop one of the two")
	case o.WorkloadAPI != "" && !strings.HasPrefix(o.WorkloadAPI, "unix:") && !strings.HasPrefix(o.WorkloadAPI, "tcp:"):
		return fmt.Errorf("SPIFFE_ENDPOINT_SOCKET=%s: write unix:///path", o.WorkloadAPI)
	}
	for _, a := range []struct{ flag, address string }{{"--xds-address", o.XDSAddress}, {"--admin-address", o.AdminAddress}} {
		if _, _, err := net.SplitHostPort(a.address); err != nil {
			return fmt.Errorf("%s %q: write host:port", a.flag, a.address)
		}
	}
	return nil
}

// NewLog returns the logger that the options ask for.
func (o Options) NewLog(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.LogLevel}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
