package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// contenders are the workers that Contend has Envoy run.
const contenders = 4

// Contend has four workers of one Envoy charge one bucket, and compares that with
// a bucket for each of many users, and with no limit at all.
func Contend(ctx context.Context, o BenchOptions, out io.Writer) error {
	upstream, err := loadgen.Serve(loadgen.Answer(`{"id":"x","object":"chat.completion","choices":[],"usage":{"prompt_tokens":200,"completion_tokens":20}}`))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n1 KB chat, clean, %d workers\nbuckets\trequests/s\tp50\tp99\tCPU/request\tsteps done again\tfailures\n", contenders)
	for _, c := range []struct {
		name   string
		policy *spec.Document
	}{{"no limit", routingOnly()}, {"one for each of 1,024 users", keyed(spec.KeyPart{Source: spec.KeyUser})}, {"one for all", keyed()}} {
		if err = contend(ctx, o, upstream.Address(), c.name, c.policy, w); err != nil {
			err = fmt.Errorf("%s: %w", c.name, err)
			break
		}
	}
	return errors.Join(err, w.Flush(), upstream.Close())
}

// keyed is a policy of one limit, far above the load, with a key.
func keyed(key ...spec.KeyPart) *spec.Document {
	d := routingOnly()
	d.Limits = []spec.Limit{{Name: "budget", Key: key, Mode: spec.LimitTokens,
		Tokens: spec.Tokens{Capacity: spec.MaxCapacity, RefillMilli: spec.MaxMilli, DefaultOutput: 512}}}
	return d
}

// ofUsers are requests of many users.
func ofUsers() [][]byte {
	all := make([][]byte, 1024)
	for i := range all {
		all[i] = loadgen.Request("/v1/chat/completions", clean(), "x-tenant-id: acme", fmt.Sprintf("x-user-id: user-%d", i))
	}
	return all
}

func contend(ctx context.Context, o BenchOptions, upstream, name string, policy *spec.Document, out io.Writer) error {
	dir, err := os.MkdirTemp("", "weir-contend-")
	if err != nil {
		return fmt.Errorf("make a directory for envoy: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover directory under the system's temporary one is not worth failing for
	e, err := staticenvoy.Start(ctx, staticenvoy.Config{Binary: o.Envoy, Dir: dir, Upstream: upstream, Concurrency: contenders,
		Filter: staticenvoy.Wasm(o.Module, string(spec.Encode(policy))), Log: os.Stderr})
	if err != nil {
		return err
	}
	defer e.Stop()
	before, err := e.CPUTime()
	if err != nil {
		return err
	}
	r, err := loadgen.Run(ctx, loadgen.Options{Address: e.Address(), Conns: 4 * o.Conns, Total: int64(o.Rounds) * o.Requests, Bodies: ofUsers()})
	if err != nil {
		return err
	}
	after, err := e.CPUTime()
	if err != nil {
		return err
	}
	if !r.Only(200) {
		return fmt.Errorf("not every answer was 200: %s", r)
	}
	again, failed, err := conflicts(ctx, e)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\t%.0f\t%s\t%s\t%s\t%d of %d\t%d\n", name, r.Rate(), r.Quantile(.5).Round(time.Microsecond),
		r.Quantile(.99).Round(time.Microsecond), ((after - before) / time.Duration(r.Answered())).Round(100*time.Nanosecond),
		again, 2*r.Answered()*int64(len(policy.Limits)), failed) // reserved, and settled
	return nil
}

// conflicts are the steps of buckets that another worker beat, and the charges that
// were given up, once the filter has told of all of them: it does once a second.
func conflicts(ctx context.Context, e *staticenvoy.Envoy) (again, failed int64, err error) {
	select {
	case <-ctx.Done():
		return 0, 0, fmt.Errorf("wait for the filter's counters: %w", ctx.Err())
	case <-time.After(2 * time.Second):
	}
	if again, err = e.Counter(ctx, "wasmcustom.weir.bucket_conflicts"); err != nil {
		return 0, 0, err
	}
	for _, name := range []string{"full", "contended", "unusable"} {
		n, err := e.Counter(ctx, "wasmcustom.weir.bucket_failures."+name)
		if err != nil {
			return 0, 0, err
		}
		failed += n
	}
	return again, failed, nil
}
