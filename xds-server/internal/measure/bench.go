// Package measure puts real Envoys under loopback load and reports what the
// filter costs (Bench) and whether anything grows (Soak). Figures of one run
// are compared with a baseline in the same run, because machines are noisy.
package measure

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

//go:embed equivalent.lua
var equivalentLua string

// BenchOptions are the artefacts and the size of a benchmark.
type BenchOptions struct {
	Envoy, Module string // paths
	Rounds        int    // counted rounds; each variant runs once a round
	Requests      int64  // requests a variant and round
	Conns         int
}

// variant is one Envoy of the comparison.
type variant struct {
	name   string
	filter staticenvoy.Filter
	dir    string
	envoy  *staticenvoy.Envoy
	rate   []float64       // answers per second, one a round
	p50    []time.Duration // one a round
	p99    []time.Duration
	cpu    []time.Duration // Envoy's CPU time a request, one a round
}

// Bench compares Envoy alone, with the filter, and with an equivalent Lua
// filter, for 1 KB chat requests without and with personal data. Envoy has one
// worker on processor 0; client and upstream have the others.
func Bench(ctx context.Context, o BenchOptions, out io.Writer) error {
	if err := confine(); err != nil {
		return err
	}
	empty, remove, err := writeModule(emptyModule())
	if err != nil {
		return err
	}
	defer remove()
	calling, remove, err := writeModule(callingModule())
	if err != nil {
		return err
	}
	defer remove()
	for _, body := range []struct {
		name  string
		bytes []byte
	}{{"1 KB chat, clean", clean()}, {"1 KB chat, four entities", withPersonal(1024)}} {
		vs := []*variant{
			{name: "Envoy alone"},
			{name: "Envoy + empty wasm", filter: staticenvoy.Wasm(empty, "")},
			{name: "Envoy + wasm with the filter's host calls alone", filter: staticenvoy.Wasm(calling, "")},
			{name: "Envoy + filter.wasm", filter: staticenvoy.Wasm(o.Module, string(spec.Encode(policy(spec.OverflowRefuse, false))))},
			{name: "the same, no limit, no redaction", filter: staticenvoy.Wasm(o.Module, string(spec.Encode(routingOnly())))},
			{name: "Envoy + filter.wasm, records on", filter: staticenvoy.Wasm(o.Module, string(spec.Encode(policy(spec.OverflowRefuse, true))))},
			{name: "Envoy + Lua", filter: staticenvoy.Lua(equivalentLua)},
		}
		if err := compare(ctx, o, vs, request(body.bytes)); err != nil {
			return fmt.Errorf("%s: %w", body.name, err)
		}
		if err := table(out, body.name, vs); err != nil {
			return err
		}
	}
	return nil
}

// writeModule puts a module where Envoy can read it.
func writeModule(module []byte) (path string, remove func(), err error) {
	f, err := os.CreateTemp("", "weir-floor-*.wasm")
	if err != nil {
		return "", nil, fmt.Errorf("make a file for a module: %w", err)
	}
	_, err = f.Write(module)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, fmt.Errorf("write a module: %w", err)
	}
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil // a leftover temporary file is not worth failing for
}

// compare runs all variants in turn, round by round, so that a change of the
// machine's speed meets them all.
func compare(ctx context.Context, o BenchOptions, vs []*variant, req []byte) (err error) {
	upstream, err := loadgen.Serve(loadgen.Answer(`{"id":"x","object":"chat.completion","choices":[],"usage":{"prompt_tokens":200,"completion_tokens":20,"total_tokens":220}}`))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, upstream.Close()) }()
	defer func() {
		for _, v := range vs {
			v.stop()
		}
	}()
	for _, v := range vs {
		if err := v.start(ctx, o, upstream.Address()); err != nil {
			return err
		}
	}
	for round := range o.Rounds + 1 {
		for _, v := range vs {
			if err := v.round(ctx, o, req, round > 0); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	return nil
}

func (v *variant) start(ctx context.Context, o BenchOptions, upstream string) (err error) {
	if v.dir, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return fmt.Errorf("make a directory for envoy: %w", err)
	}
	v.envoy, err = staticenvoy.Start(ctx, staticenvoy.Config{Binary: o.Envoy, Dir: v.dir, Upstream: upstream,
		Filter: v.filter, CPUs: []int{0}, Log: os.Stderr})
	return err
}

func (v *variant) stop() {
	if v.envoy != nil {
		v.envoy.Stop()
	}
	if v.dir != "" {
		_ = os.RemoveAll(v.dir) // a leftover directory under the system's temporary one is not worth failing for
	}
}

// round sends one round of load. The first round warms up and is not counted.
func (v *variant) round(ctx context.Context, o BenchOptions, req []byte, counted bool) error {
	before, err := v.envoy.CPUTime()
	if err != nil {
		return err
	}
	r, err := loadgen.Run(ctx, loadgen.Options{Address: v.envoy.Address(), Conns: o.Conns, Total: o.Requests, Bodies: [][]byte{req}})
	if err != nil {
		return err
	}
	after, err := v.envoy.CPUTime()
	if err != nil {
		return err
	}
	if !r.Only(200) {
		return fmt.Errorf("not every answer was 200: %s", r)
	}
	if counted {
		v.rate = append(v.rate, r.Rate())
		v.p50 = append(v.p50, r.Quantile(.5))
		v.p99 = append(v.p99, r.Quantile(.99))
		v.cpu = append(v.cpu, (after-before)/time.Duration(r.Answered()))
	}
	return nil
}

// table prints medians, and each variant's CPU time as a ratio to the first's,
// round by round: median, smallest and largest.
func table(out io.Writer, title string, vs []*variant) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s\nvariant\trequests/s\tp50\tp99\tCPU/request\tCPU ratio\t(min..max)\n", title)
	for _, v := range vs {
		ratios := make([]float64, len(v.cpu))
		for i := range v.cpu {
			ratios[i] = float64(v.cpu[i]) / float64(vs[0].cpu[i])
		}
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%s\t%s\t%.2f\t(%.2f..%.2f)\n", v.name, median(v.rate),
			median(v.p50).Round(time.Microsecond), median(v.p99).Round(time.Microsecond),
			median(v.cpu).Round(100*time.Nanosecond), median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print figures: %w", err)
	}
	return nil
}

func median[T float64 | time.Duration](v []T) T {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
