// Command measure puts the shipped filter in real Envoys under loopback load:
// `measure bench` compares what it costs, `measure soak` shows that nothing
// grows. `make bench` and `make soak` call it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/weirmesh/weir/xds-server/internal/measure"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := measured(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "measure:", err)
		return 1
	}
	return 0
}

func measured(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("say what to measure: measure bench|soak|corpus [flags]")
	}
	f := flag.NewFlagSet("measure "+args[0], flag.ContinueOnError)
	f.SetOutput(stderr)
	envoy := f.String("envoy", ".tools/bin/envoy", "path of Envoy")
	module := f.String("module", "build/filter.wasm", "path of the filter module")
	rounds := f.Int("rounds", 7, "bench: counted rounds")
	requests := f.Int64("requests", 20_000, "bench: requests a variant and round")
	conns := f.Int("conns", 16, "bench: connections")
	scale := f.Float64("scale", 1, "soak: share of the full counts")
	phase := f.String("phase", "", "soak: run only the phases with this in their name")
	if err := f.Parse(args[1:]); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	switch args[0] {
	case "bench":
		return measure.Bench(ctx, measure.BenchOptions{Envoy: *envoy, Module: *module, Rounds: *rounds, Requests: *requests, Conns: *conns}, stdout)
	case "soak":
		return measure.Soak(ctx, measure.SoakOptions{Envoy: *envoy, Module: *module, Scale: *scale, Phase: *phase}, stdout)
	case "corpus":
		if f.NArg() != 1 {
			return errors.New("say where to write: measure corpus DIRECTORY")
		}
		return measure.Corpus(f.Arg(0))
	default:
		return fmt.Errorf("unknown measurement %q: bench, soak or corpus", args[0])
	}
}
