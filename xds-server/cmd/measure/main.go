// Command measure puts what is shipped under loopback load: `measure bench`
// compares what the filter costs in Envoy, `measure stream` says when streamed
// answers arrive, `measure soak` shows that nothing grows, `measure xds` times
// the control plane at scale. `make bench`, `make soak` and `make bench-xds` call it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/weirmesh/weir/xds-server/internal/measure"
	"github.com/weirmesh/weir/xds-server/internal/xdsbench"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := measured(ctx, args, stdin, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "measure:", err)
		return 1
	}
	return 0
}

func measured(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("say what to measure: measure bench|contend|stream|soak|xds|corpus [flags]")
	}
	f := flag.NewFlagSet("measure "+args[0], flag.ContinueOnError)
	f.SetOutput(stderr)
	envoy := f.String("envoy", ".tools/bin/envoy", "path of Envoy")
	module := f.String("module", "build/filter.wasm", "path of the filter module")
	switch args[0] {
	case "bench":
		return bench(ctx, f, args[1:], envoy, module, stdout, measure.Bench)
	case "contend":
		return bench(ctx, f, args[1:], envoy, module, stdout, measure.Contend)
	case "stream":
		return stream(ctx, f, args[1:], envoy, module, stdout)
	case "soak":
		return soak(ctx, f, args[1:], envoy, module, stdout)
	case "xds":
		return xds(ctx, f, args[1:], envoy, module, stdout, stderr)
	case "xds-serve":
		return xdsServe(ctx, f, args[1:], module, stdin, stdout)
	case "corpus":
		if len(args) != 2 {
			return errors.New("say where to write: measure corpus DIRECTORY")
		}
		return measure.Corpus(args[1])
	default:
		return fmt.Errorf("unknown measurement %q: bench, contend, stream, soak, xds or corpus", args[0])
	}
}

func bench(ctx context.Context, f *flag.FlagSet, args []string, envoy, module *string, stdout io.Writer,
	measured func(context.Context, measure.BenchOptions, io.Writer) error) error {
	rounds := f.Int("rounds", 7, "counted rounds")
	requests := f.Int64("requests", 20_000, "requests a variant and round")
	conns := f.Int("conns", 16, "connections")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	return measured(ctx, measure.BenchOptions{Envoy: *envoy, Module: *module, Rounds: *rounds, Requests: *requests, Conns: *conns}, stdout)
}

func stream(ctx context.Context, f *flag.FlagSet, args []string, envoy, module *string, stdout io.Writer) error {
	rounds := f.Int("rounds", 10, "answers at the model's pace of each variant")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	return measure.Streams(ctx, measure.StreamOptions{Envoy: *envoy, Module: *module, Rounds: *rounds}, stdout)
}

func soak(ctx context.Context, f *flag.FlagSet, args []string, envoy, module *string, stdout io.Writer) error {
	scale := f.Float64("scale", 1, "share of the full counts")
	phase := f.String("phase", "", "run only the phases with this in their name")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	return measure.Soak(ctx, measure.SoakOptions{Envoy: *envoy, Module: *module, Scale: *scale, Phase: *phase}, stdout)
}

func xds(ctx context.Context, f *flag.FlagSet, args []string, envoy, module *string, stdout, stderr io.Writer) error {
	o := xdsbench.Options{Log: stderr}
	f.StringVar(&o.XDSServer, "xds-server", "build/xds-server", "path of the built xds-server")
	f.IntVar(&o.Models, "models", 10_000, "models; every second one has two versions")
	f.IntVar(&o.Clients, "clients", 100, "simulated Envoys")
	f.IntVar(&o.Many, "many", 1_000, "simulated Envoys of the run with many; 0: no such run")
	f.IntVar(&o.Changes, "changes", 200, "changes of each kind of load")
	servers := f.String("servers", strings.Join(xdsbench.DefaultServers(), ","), "servers to compare")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	o.Envoy, o.Module = *envoy, *module
	o.Servers = strings.FieldsFunc(*servers, func(r rune) bool { return r == ',' })
	return xdsbench.Run(ctx, o, stdout)
}

func xdsServe(ctx context.Context, f *flag.FlagSet, args []string, module *string, stdin io.Reader, stdout io.Writer) error {
	o := xdsbench.ServeOptions{}
	f.StringVar(&o.Server, "server", xdsbench.ServerWeir, "server to run")
	f.IntVar(&o.Models, "models", 10_000, "models")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	o.Module = *module
	return xdsbench.Serve(ctx, o, stdin, stdout)
}
