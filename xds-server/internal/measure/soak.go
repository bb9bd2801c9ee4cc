package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// SoakOptions are the artefacts and the size of a soak.
type SoakOptions struct {
	Envoy, Module string  // paths
	Scale         float64 // 1: the full counts; less for a shorter run
	Phase         string  // part of the names of the phases to run; empty: all
}

// phase is one kind of load of a soak, and what must not grow under it.
type phase struct {
	name    string
	warm    int64 // requests before the first reading
	total   int64 // requests after it
	conns   int
	bodies  [][]byte
	answer  []byte
	status  int
	growth  float64 // largest growth of resident memory that passes
	module  int64   // largest memory.size of a VM that passes, bytes
	updates int     // policy updates made during the phase
	tenants bool    // every request is of a tenant of its own, in place of bodies
}

// maxGrowth is the largest growth of resident memory that passes, in every phase.
const maxGrowth = 0.02

func phases(scale float64) []phase {
	n := func(full int64) int64 { return max(int64(float64(full)*scale), 16) }
	ok := loadgen.Answer(`{"id":"x","choices":[],"usage":{"prompt_tokens":200,"completion_tokens":20,"total_tokens":220}}`)
	event := `{"id":"x","object":"chat.completion.chunk","model":"gpt-4","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`
	stream := strings.Replace(string(withPersonal(1024)), `"stream":false`, `"stream":true`, 1)
	big := fullOfPersonal(20 << 20)
	answer := loadgen.Answer(fmt.Sprintf(`{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"%s"}}],"usage":{"prompt_tokens":200}}`,
		strings.Repeat(personal+prose, 1<<10)))
	return []phase{
		{name: "1 KB bodies", warm: n(50_000), total: n(450_000), conns: 16, answer: ok, status: 200, growth: maxGrowth, module: 4 << 20,
			bodies: [][]byte{request(clean()), request(withPersonal(1024))}},
		{name: "1 MB bodies", warm: n(500), total: n(2_000), conns: 4, answer: ok, status: 200, growth: maxGrowth, module: 8 << 20,
			bodies: [][]byte{request(withPersonal(1_000_000)), chunkedRequest(withPersonal(1_000_000), 8<<10)}},
		{name: "20 MB bodies, streamed on", warm: n(40), total: n(120), conns: 2, answer: answer, status: 200, growth: maxGrowth, module: 8 << 20,
			bodies: [][]byte{request(big), chunkedRequest(big, 64<<10)}},
		{name: "SSE streams of 50 events", warm: n(1_000), total: n(10_000), conns: 16, answer: loadgen.Events(event, 50), status: 200, growth: maxGrowth, module: 4 << 20,
			bodies: [][]byte{request([]byte(stream))}},
		{name: "200 policy updates of the largest size", warm: n(2_000), total: n(20_000), conns: 8, answer: ok, status: 200, growth: maxGrowth, module: 32 << 20,
			bodies: [][]byte{request(clean())}, updates: int(n(200))},
		{name: "a million tenants", warm: n(50_000), total: n(1_000_000), conns: 16, answer: ok, status: 200, growth: maxGrowth, module: 4 << 20, tenants: true},
	}
}

// Soak runs every phase on an Envoy of its own and fails when an answer was
// not 200, a VM trapped, or memory grew.
func Soak(ctx context.Context, o SoakOptions, out io.Writer) error {
	var failed []error
	ran := 0
	for _, p := range phases(o.Scale) {
		if !strings.Contains(p.name, o.Phase) {
			continue
		}
		ran++
		if err := p.run(ctx, o, out); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	if ran == 0 {
		return fmt.Errorf("no phase has %q in its name", o.Phase)
	}
	return errors.Join(failed...)
}

func (p *phase) run(ctx context.Context, o SoakOptions, out io.Writer) (err error) {
	upstream, err := loadgen.Serve(p.answer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, upstream.Close()) }()
	dir, err := os.MkdirTemp("", "weir-soak-")
	if err != nil {
		return fmt.Errorf("make a directory for envoy: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	filter := staticenvoy.Wasm(o.Module, string(spec.Encode(p.policy())))
	e, err := staticenvoy.Start(ctx, staticenvoy.Config{Binary: o.Envoy, Dir: dir, Upstream: upstream.Address(), Filter: filter, Concurrency: 2,
		ReleaseMemory: true, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer e.Stop()
	s := &soak{phase: p, envoy: e, filter: filter, out: out}
	return s.measure(ctx)
}

// policy is what the filter does under the phase.
func (p *phase) policy() *spec.Document {
	d := policy(spec.OverflowStream, true)
	d.Redactions[0].Entities = everyKind()
	if p.tenants {
		d.Limits = []spec.Limit{onePerTenant()}
	}
	return d
}

// warmingConns is by how much more connections a phase warms up than it is
// measured with: pools grow to the largest load at one time, and how four
// connections fall to two workers is chance.
const warmingConns = 4

// soak is one phase on its running Envoy.
type soak struct {
	*phase
	envoy  *staticenvoy.Envoy
	filter staticenvoy.Filter
	out    io.Writer
	sent   int64   // requests answered so far
	after  []int64 // resident memory of Envoy after each update of the measured part, bytes
}

// reading is what must not grow.
type reading struct {
	rss    int64 // resident memory of Envoy, bytes
	module int64 // memory.size of the VM that said so last, bytes
}

func (s *soak) measure(ctx context.Context) error {
	if _, err := s.load(ctx, s.warm, warmingConns*s.conns); err != nil {
		return err
	}
	if s.updates > 0 { // the first updates size the buffers that later ones reuse
		if err := s.update(ctx, max(s.updates/10, 2)); err != nil {
			return err
		}
	}
	s.after = nil
	first, err := s.read(ctx)
	if err != nil {
		return err
	}
	r, err := s.loadWhileUpdating(ctx)
	if err != nil {
		return err
	}
	last, err := s.read(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %s\n  resident %.1f -> %.1f MiB, memory.size %.1f -> %.1f MiB\n", s.name, r,
		mib(first.rss), mib(last.rss), mib(first.module), mib(last.module))
	if s.updates > 0 {
		first.rss, last.rss = s.floors()
		fmt.Fprintf(s.out, "  lowest resident of the first and the last quarter of updates %.1f -> %.1f MiB\n", mib(first.rss), mib(last.rss))
	}
	growth := float64(last.rss-first.rss) / float64(first.rss)
	fmt.Fprintf(s.out, "  growth %+.2f %%\n", 100*growth)
	return s.judge(growth, last)
}

// judge needs no word on traps: a VM that trapped has answered 503.
func (s *soak) judge(growth float64, last reading) error {
	var failed []error
	if growth > s.growth {
		failed = append(failed, fmt.Errorf("resident memory grew by %.2f %%, at most %.0f %% is allowed", 100*growth, 100*s.growth))
	}
	if last.module == 0 || last.module > s.module {
		failed = append(failed, fmt.Errorf("the module's memory.size is %d bytes, at most %d are allowed", last.module, s.module))
	}
	return errors.Join(failed...)
}

// floors are the lowest readings of the first and the last quarter of the updates.
// An update has copies of its document in Envoy for a while, several percent of what
// is resident; what piles up raises the lowest reading too.
func (s *soak) floors() (first, last int64) {
	n := max(len(s.after)/4, 1)
	return slices.Min(s.after[:n]), slices.Min(s.after[len(s.after)-n:])
}

// loadWhileUpdating makes the phase's load, and once more as long as there are
// updates to come. It reports the last.
func (s *soak) loadWhileUpdating(ctx context.Context) (*loadgen.Report, error) {
	updated := make(chan error, 1)
	go func() { updated <- s.update(ctx, s.updates) }()
	for {
		r, err := s.load(ctx, s.total, s.conns)
		if err != nil {
			return nil, errors.Join(err, <-updated)
		}
		select {
		case err := <-updated:
			return r, err
		default:
		}
	}
}

func (s *soak) load(ctx context.Context, n int64, conns int) (*loadgen.Report, error) {
	o := loadgen.Options{Address: s.envoy.Address(), Conns: conns, Total: n, Bodies: s.bodies}
	if s.tenants {
		first := s.sent
		o.Rate, o.Make = tenantRate, func(n int64, buf []byte) []byte { return appendTenantRequest(buf, first+n) }
	}
	r, err := loadgen.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if !r.Only(s.status) {
		return nil, fmt.Errorf("want only %d: %s", s.status, r)
	}
	s.sent += n
	return r, nil
}

// What the filter tells Envoy with its tick: first the gauge of memory.size, then
// how many requests it saw.
const (
	moduleMemory   = "wasmcustom.weir.memory_bytes"
	moduleRequests = "wasmcustom.weir.requests"
)

// read waits for a tick after the last request of the load.
func (s *soak) read(ctx context.Context) (reading, error) {
	err := s.await(ctx, "the filter counts every request", func(ctx context.Context) (bool, error) {
		n, err := s.envoy.Counter(ctx, moduleRequests)
		return n >= s.sent, err
	})
	if err != nil {
		return reading{}, err
	}
	rss, err := s.envoy.RSS()
	if err != nil {
		return reading{}, err
	}
	module, err := s.envoy.Counter(ctx, moduleMemory)
	return reading{rss: rss, module: module}, err
}

// update gives Envoy n policies of the largest allowed size, one after the
// other, each when the last was taken.
func (s *soak) update(ctx context.Context, n int) error {
	const reloads = "extension_config_discovery.http_filter.weir-filter.config_reload"
	for i := range n {
		before, err := s.envoy.Counter(ctx, reloads)
		if err != nil {
			return err
		}
		if err := s.envoy.Update(s.filter, largestPolicy(i)); err != nil {
			return err
		}
		err = s.await(ctx, "envoy takes it", func(ctx context.Context) (bool, error) {
			n, err := s.envoy.Counter(ctx, reloads)
			return n > before, err
		})
		if err != nil {
			return fmt.Errorf("policy update %d: %w", i, err)
		}
		rss, err := s.envoy.RSS()
		if err != nil {
			return err
		}
		s.after = append(s.after, rss)
	}
	return nil
}

// await asks until it is so.
func (s *soak) await(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	deadline, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		ok, err := so(deadline)
		if ok || err != nil {
			return err
		}
		select {
		case <-deadline.Done():
			return fmt.Errorf("wait until %s: %w", what, deadline.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
