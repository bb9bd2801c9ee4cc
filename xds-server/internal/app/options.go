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

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
	"github.com/weirmesh/weir/xds-server/internal/serving"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/sourceflags"
)

// Options are what the command line says.
type Options struct {
	Sources         []source.Source // of resources and certificates; a later one overrides
	FilterModule    string          // path of filter.wasm; may be empty if every Gateway names a file
	XDSAddress      string          // host:port of delta ADS
	AdminAddress    string          // host:port of the admin interface
	AdminTLSAddress string          // host:port of the admin interface over mTLS; may be empty
	StateDir        string          // folder of the development CA and of the history
	History         int             // revisions to keep
	EvidenceFiles   int             // files of records of decisions to keep
	Socket          string          // path of the identity socket
	IdentityEntries string          // file of further entries; may be empty
	ForceCA         bool            // development CA for trust domains of the real world
	SVIDTTL         time.Duration
	RootTTL         time.Duration
	Drain           time.Duration // how long what is removed stays after what replaces it; 0: not at all
	SendTimeout     time.Duration // how long an Envoy may take to read a response
	WarmTimeout     time.Duration // longest wait for clusters that warm at an Envoy that can be asked
	WarmWait        time.Duration // wait for clusters that warm at an Envoy that cannot be asked
	LogFormat       string        // text or json
	LogLevel        slog.Level

	// WorkloadAPI is SPIFFE_ENDPOINT_SOCKET: the Workload API that takes the
	// place of the development CA. Empty: the development CA.
	WorkloadAPI string
}

const usage = `usage: xds-server --resources DIR [flags]
       xds-server --etcd ENDPOINTS [flags]

Reads Weir's resources, watches them, and serves them to Envoys over delta ADS
and mTLS. An Envoy gets what the SPIFFE ID that it proves is entitled to, and nothing else.

With SPIFFE_ENDPOINT_SOCKET set (unix:///path), identities come from the
Workload API there, such as SPIRE's; without it, from an embedded development CA.

`

// ParseOptions reads the command line. flag.ErrHelp means that help was asked
// for and printed; other errors say what is wrong with the arguments.
func ParseOptions(args []string, getenv func(string) string, help io.Writer) (Options, error) {
	o := Options{WorkloadAPI: getenv("SPIFFE_ENDPOINT_SOCKET")}
	warm := serving.DefaultGateTimes()
	flags := flag.NewFlagSet("xds-server", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	from := sourceflags.Register(flags, sourceflags.Folder)
	flags.StringVar(&o.FilterModule, "filter-module", "build/filter.wasm", "`path` of the filter, sent to Envoys unless a Gateway names a file of its own")
	flags.StringVar(&o.XDSAddress, "xds-address", "127.0.0.1:18000", "`host:port` of delta ADS over mTLS")
	flags.StringVar(&o.AdminAddress, "admin-address", "127.0.0.1:18001", "`host:port` of /healthz, /readyz, /metrics, /status and, where that is loopback, the admin API; it asks nobody who they are")
	flags.StringVar(&o.AdminTLSAddress, "admin-tls-address", "", "`host:port` of the admin API over mTLS, for the operators of the TrustDomain; empty: none")
	flags.StringVar(&o.StateDir, "state-dir", ".weir/xds-server", "`folder` that keeps the history of configurations and the development CA over restarts")
	flags.IntVar(&o.History, "history", 100, "`number` of configurations to keep, to go back to and to start with when the resources are bad")
	flags.IntVar(&o.EvidenceFiles, "evidence-files", evidence.DefaultFiles, "`number` of files of 64 MiB with records of decisions to keep in STATE-DIR/evidence")
	flags.DurationVar(&o.Drain, "drain", deltaxds.DefaultDrain, "how long an Envoy keeps what is removed after it acknowledged what replaces it; 0: not at all")
	flags.DurationVar(&o.SendTimeout, "send-timeout", deltaxds.DefaultSendTimeout, "how long an Envoy may take to read one response before its stream is dropped")
	flags.DurationVar(&o.WarmTimeout, "warm-timeout", warm.Timeout, "longest wait for new clusters with health checks or DNS before their routes are sent, if the Envoy's admin interface can be asked")
	flags.DurationVar(&o.WarmWait, "warm-wait", warm.Blind, "wait for such clusters if it cannot be asked")
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
	var err error
	if o.Sources, err = from.Sources(); err != nil {
		return o, err
	}
	if o.Socket == "" {
		o.Socket = filepath.Join(o.StateDir, "workload.sock")
	}
	return o, o.check()
}

func (o Options) check() error {
	switch {
	case o.LogFormat != "text" && o.LogFormat != "json":
		return fmt.Errorf("--log-format %q: use text or json", o.LogFormat)
	case o.SVIDTTL <= 0 || o.RootTTL <= 0:
		return errors.New("--svid-ttl and --root-ttl must be above zero")
	case o.History < 1:
		return fmt.Errorf("--history %d: keep at least 1", o.History)
	case o.EvidenceFiles < 2:
		return fmt.Errorf("--evidence-files %d: keep at least 2", o.EvidenceFiles)
	case o.Drain < 0 || o.SendTimeout <= 0 || o.WarmTimeout <= 0 || o.WarmWait < 0:
		return errors.New("--drain and --warm-wait must not be below zero, --send-timeout and --warm-timeout must be above")
	case o.WorkloadAPI != "" && o.IdentityEntries != "":
		return errors.New("--identity-entries is for the development CA, which SPIFFE_ENDPOINT_SOCKET replaces: register the workloads there, and drop one of the two")
	case o.WorkloadAPI != "" && !strings.HasPrefix(o.WorkloadAPI, "unix:") && !strings.HasPrefix(o.WorkloadAPI, "tcp:"):
		return fmt.Errorf("SPIFFE_ENDPOINT_SOCKET=%s: write unix:///path", o.WorkloadAPI)
	}
	for _, a := range []struct{ flag, address string }{{"--xds-address", o.XDSAddress}, {"--admin-address", o.AdminAddress}, {"--admin-tls-address", o.AdminTLSAddress}} {
		if a.address == "" && a.flag == "--admin-tls-address" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.address); err != nil {
			return fmt.Errorf("%s %q: write host:port", a.flag, a.address)
		}
	}
	return nil
}

func (o Options) gateTimes() serving.GateTimes {
	times := serving.DefaultGateTimes()
	times.Timeout, times.Blind = o.WarmTimeout, o.WarmWait
	return times
}

// NewLog returns the logger that the options ask for.
func (o Options) NewLog(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.LogLevel}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
