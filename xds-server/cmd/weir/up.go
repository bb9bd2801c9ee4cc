package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/sourceflags"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
	"github.com/weirmesh/weir/xds-server/internal/up"
)

// upFlags are the flags of the commands that run everything.
type upFlags struct {
	from        *sourceflags.Flags
	sources     []source.Source
	stateDir    string
	models      string
	ports       up.Ports
	concurrency int
	envoyLog    string
	color       string
}

// parse reads the flags.
func (f *upFlags) parse(i *invocation) (err error) {
	f.from = i.sources()
	f.register(i.flags)
	f.sources, err = i.parseSources(f.from)
	return err
}

func (f *upFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.stateDir, "state-dir", ".weir", "`folder` for sockets, the development CA and generated files")
	flags.StringVar(&f.models, "models", "", "`folder` of models (default .tools/models)")
	flags.IntVar(&f.concurrency, "concurrency", 0, "Envoy's worker `threads` (default one per processor)")
	flags.StringVar(&f.envoyLog, "envoy-log-level", "warning", "Envoy's log `level`")
	flags.StringVar(&f.color, "color", "auto", "colours in the output: auto, always or never")
	address := func(to *netip.AddrPort, name, value, what string) {
		*to = netip.MustParseAddrPort(value)
		flags.TextVar(to, name, *to, "`address` of "+what)
	}
	address(&f.ports.XDS, "xds-address", "127.0.0.1:18000", "the xds-server's delta ADS")
	address(&f.ports.Admin, "admin-address", "127.0.0.1:18001", "the xds-server's admin interface and metrics")
	address(&f.ports.EnvoyAdmin, "envoy-admin", "127.0.0.1:9901", "Envoy's admin interface")
	address(&f.ports.SidecarHTTP, "sidecar-http", "127.0.0.1:8000", "the inference-sidecar, as the Models' endpoints name it")
	address(&f.ports.SidecarMetrics, "sidecar-metrics", "127.0.0.1:8002", "the inference-sidecar's metrics")
}

// options completes the flags with what the machine has.
func (f *upFlags) options(i *invocation, out supervise.Output) (up.Options, error) {
	executable, err := os.Executable()
	if err != nil {
		return up.Options{}, fmt.Errorf("find this program's folder: %w", err)
	}
	artefacts, err := up.Find(i.getenv, executable, f.models)
	if err != nil {
		return up.Options{}, err
	}
	return up.Options{
		Sources: f.sources, SourceArgs: f.from.Args(), StateDir: f.stateDir, Artefacts: artefacts, Ports: f.ports,
		Concurrency: f.concurrency, EnvoyLog: f.envoyLog,
		WorkloadSocket: i.getenv("SPIFFE_ENDPOINT_SOCKET"), Output: out,
	}, nil
}

// colored says whether w shows colours: on a terminal, unless NO_COLOR is set
// (no-color.org).
func (f *upFlags) colored(i *invocation, w io.Writer) (bool, error) {
	switch f.color {
	case "always", "never":
		return f.color == "always", nil
	case "auto":
	default:
		return false, usagef("%s: --color is auto, always or never", i.flags.Name())
	}
	file, ok := w.(*os.File)
	if !ok || i.getenv("NO_COLOR") != "" || i.getenv("TERM") == "dumb" {
		return false, nil
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0, nil
}

// nameWidth fits the names of all programs.
const nameWidth = len("xds-server")

// runUp is `weir up`: it logs to the standard output until it is interrupted.
func runUp(ctx context.Context, i *invocation) error {
	var f upFlags
	if err := f.parse(i); err != nil {
		return err
	}
	color, err := f.colored(i, i.stdout)
	if err != nil {
		return err
	}
	console := supervise.NewConsole(i.stdout, nameWidth, color)
	options, err := f.options(i, console)
	if err != nil {
		return err
	}
	w, err := up.Start(ctx, options)
	if err != nil {
		return interrupted(ctx, err)
	}
	console.Line(up.Name, []byte(w.Ready()))
	<-ctx.Done()
	console.Line(up.Name, []byte("stopping; once more to kill"))
	return w.Stop(i.hurry)
}

// interrupted is nil for an error that is the user's wish to stop.
func interrupted(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
