package xdsbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc/credentials/insecure"
)

// Options are the artefacts and the size of a measurement.
type Options struct {
	Envoy     string // path; empty: no real Envoy takes part
	Module    string // path of filter.wasm
	XDSServer string // path of the built xds-server, for ServerWhole
	Models    int
	Clients   int // simulated Envoys of the comparison
	Many      int // simulated Envoys of the run with many; 0: no such run
	Changes   int // of each kind of load
	Servers   []string
	Log       io.Writer // of the processes that take part
}

// Bounds of a measurement. A server that is beyond them is reported as late, and
// not waited for.
const (
	syncLimit   = 10 * time.Minute // for all clients to get everything: a thousand get 14 GB
	changeLimit = 10 * time.Second // for one change to get everywhere
	phaseBudget = 40 * time.Second // for making the changes of one phase
	churnEvery  = time.Second / 20
)

// figures are what was measured of one server with one number of clients.
type figures struct {
	server    string
	clients   int // simulated
	envoy     bool
	resources int           // that each client gets
	synced    time.Duration // until every simulated client had all
	bytes     int64         // a client, until then
	start     memory        // of the server process, before the first client
	steady    memory        // and after the last change
	envoyHas  envoyMemory
	phases    []phase
	failed    error // what ended the measurement early, if it did
}

// phase is one kind of change under one kind of load.
type phase struct {
	name   string
	result outcome
	made   int     // changes
	bytes  float64 // a client and change
	sent   float64 // resources a client and change
}

// Run measures and prints tables.
func Run(ctx context.Context, o Options, out io.Writer) error {
	var all []*figures
	for _, server := range o.Servers {
		all = append(all, o.measure(ctx, server, o.Clients, o.Envoy != ""))
		progressLine(o.Log, all[len(all)-1])
	}
	for _, server := range []string{ServerWeir, ServerWhole} {
		if o.Many > 0 && slices.Contains(o.Servers, server) {
			all = append(all, o.measure(ctx, server, o.Many, false))
			progressLine(o.Log, all[len(all)-1])
		}
	}
	if err := printTables(out, o, all); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, f := range all {
		if (f.server == ServerWeir || f.server == ServerWhole) && f.failed != nil {
			return fmt.Errorf("with %d clients: %w", f.clients, f.failed)
		}
	}
	return nil
}

func progressLine(w io.Writer, f *figures) {
	fmt.Fprintf(w, "measured %s with %d clients", f.server, f.clients)
	if f.failed != nil {
		fmt.Fprintf(w, ", but: %v", f.failed)
	}
	fmt.Fprintln(w)
}

// measure has one server serve so many clients. What goes wrong is part of what
// was measured: a baseline may well not get there.
func (o Options) measure(ctx context.Context, server string, clients int, withEnvoy bool) *figures {
	f := &figures{server: server, clients: clients, envoy: withEnvoy}
	if server == ServerWhole {
		f.failed = o.intoWhole(ctx, f)
	} else {
		f.failed = o.into(ctx, f)
	}
	return f
}

func (o Options) into(ctx context.Context, f *figures) (err error) {
	c, err := startChild(ctx, ServeOptions{Server: f.server, Models: o.Models, Module: o.Module}, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	for _, n := range c.hello.Resources {
		f.resources += n
	}
	if f.start, err = memoryOf(c.cmd.Process.Pid); err != nil {
		return err
	}
	began := time.Now()
	clients, err := openFleet(ctx, c.hello.Address, insecure.NewCredentials(), newDirectory(), f.clients, nil)
	if err != nil {
		return err
	}
	defer clients.close()
	if err := within(ctx, syncLimit, func(ctx context.Context) error { return clients.await(ctx, c.hello.Resources) }); err != nil {
		return fmt.Errorf("not in sync after %s: %w", syncLimit, err)
	}
	f.synced, f.bytes = time.Since(began), clients.traffic().bytes/int64(f.clients)
	if !f.envoy {
		return o.phases(c, clients, f, nil)
	}
	envoy, err := startEnvoy(ctx, o.Envoy, c.hello.Address, o.Log)
	if err != nil {
		return err
	}
	defer envoy.stop()
	if err := within(ctx, syncLimit, func(ctx context.Context) error { return c.settled(ctx, "envoy", f.resources) }); err != nil {
		return err
	}
	if f.envoyHas, err = envoy.memory(ctx); err != nil {
		return err
	}
	return o.phases(c, clients, f, envoy)
}

func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}

// phases are the loads, one after the other.
func (o Options) phases(c *child, clients *fleet, f *figures, envoy *realEnvoy) error {
	all := f.clients
	if envoy != nil {
		all++
	}
	for i, load := range []struct {
		name  string
		what  string
		every time.Duration
		count int
	}{
		{"weight step, idle", changeWeight, 0, o.Changes},
		{"weight step, 20 a second", changeWeight, churnEvery, o.Changes},
		{"cluster, idle", changeCluster, 0, o.Changes / 4},
	} {
		before := clients.traffic()
		result, err := c.order(order{
			What: load.what, First: 0, Step: i + 1, Count: load.count, Every: load.every, Clients: all,
			Limit: changeLimit, Budget: phaseBudget,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
		f.phases = append(f.phases, newPhase(load.name, result, clients.traffic().since(before), f.clients))
	}
	var err error
	f.steady, err = memoryOf(c.cmd.Process.Pid)
	return err
}

func newPhase(name string, result outcome, t traffic, clients int) phase {
	slices.Sort(result.Took)
	p := phase{name: name, result: result, made: len(result.Accepted)}
	if p.made > 0 {
		p.bytes = float64(t.bytes) / float64(clients*p.made)
		p.sent = float64(t.resources) / float64(clients*p.made)
	}
	return p
}

// quantile of the changes that got everywhere; the rest took longer.
func (p phase) quantile(q float64) (d time.Duration, late bool) {
	all := len(p.result.Took) + p.result.Late
	i := min(int(q*float64(all)), all-1)
	if i < 0 || i >= len(p.result.Took) {
		return changeLimit, true
	}
	return p.result.Took[i], false
}

// DefaultServers are all that are compared.
func DefaultServers() []string {
	return []string{ServerWhole, ServerWeir, ServerSnapshot, ServerLinear}
}

// mebibytes prints bytes.
func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
