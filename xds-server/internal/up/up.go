package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/bootstrap"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

// Options say what to run and how.
type Options struct {
	Sources     []source.Source // of resources and certificates
	SourceArgs  []string        // the flags that name the same to the xds-server
	StateDir    string          // sockets, development CA, generated files; made when it is not there
	Artefacts   Artefacts
	Ports       Ports
	Concurrency int    // Envoy's workers; 0: one per processor
	EnvoyLog    string // Envoy's log level
	// WorkloadSocket is SPIFFE_ENDPOINT_SOCKET: someone else's Workload API, which
	// replaces the development CA. Empty: the development CA.
	WorkloadSocket string
	// StartTimeout bounds the start of one program; 0: a minute.
	StartTimeout time.Duration
	Output       supervise.Output // takes the log lines of all programs and of weir itself
}

// Name is the one under which lines of weir itself appear in the output.
const Name = "weir"

// Names of the programs in the output.
const (
	nameXDS     = "xds-server"
	nameSidecar = "sidecar"
	nameEnvoy   = "envoy"
)

// Weir is a running whole.
type Weir struct {
	options Options
	plan    Plan
	state   *state
	group   *supervise.Group
	output  *farewell
}

// farewell drops the warnings of an Envoy that was told to stop: it warns of
// every stream that it then closes itself.
type farewell struct {
	supervise.Output
	stopping atomic.Bool
}

func (f *farewell) Line(program string, line []byte) {
	if f.stopping.Load() && program == nameEnvoy && bytes.HasPrefix(line, []byte("[warning]")) {
		return
	}
	f.Output.Line(program, line)
}

// Start reads the resources, starts the programs in order and returns when
// requests flow. When it fails, nothing is left running.
func Start(ctx context.Context, o Options) (*Weir, error) {
	if o.StartTimeout == 0 {
		o.StartTimeout = time.Minute
	}
	c, problems := catalog.Load(ctx, o.Sources...)
	if problems != nil {
		return nil, fmt.Errorf("the resources are not right:\n%s", list(problems))
	}
	plan, err := NewPlan(c, o.Ports)
	if err != nil {
		return nil, err
	}
	if c.TrustDomain.Source == api.SourceSPIRE && o.WorkloadSocket == "" {
		return nil, errors.New("the TrustDomain takes its identities from SPIRE: set SPIFFE_ENDPOINT_SOCKET to its agent's socket, or source to development")
	}
	socket, err := workloadSocket(o.WorkloadSocket)
	if err != nil {
		return nil, err
	}
	if err := checkFree(sockets(plan, o.Ports)); err != nil {
		return nil, err
	}
	s, err := openState(o.StateDir, socket)
	if err != nil {
		return nil, err
	}
	w := &Weir{options: o, plan: plan, state: s, output: &farewell{Output: o.Output}}
	if err := w.start(ctx); err != nil {
		w.group.Stop(context.WithoutCancel(ctx)) // a wish to stop is no wish to hurry
		return nil, errors.Join(err, s.close())
	}
	return w, nil
}

func list(problems []catalog.Problem) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = "  " + p.String()
	}
	return strings.Join(lines, "\n")
}

// start runs the programs, each when the one before is ready: identities and
// configuration first, then the model, then the proxy in front of it.
func (w *Weir) start(ctx context.Context) error {
	w.group = supervise.New(supervise.Options{Output: w.output, Notify: w.tell})
	if err := w.writeFiles(); err != nil {
		return err
	}
	for _, program := range []supervise.Program{w.xdsServer(), w.sidecar(), w.envoy()} {
		if err := w.startOne(ctx, program); err != nil {
			return err
		}
	}
	return nil
}

func (w *Weir) startOne(ctx context.Context, p supervise.Program) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.options.StartTimeout, fmt.Errorf("%s are over", w.options.StartTimeout))
	defer cancel()
	return w.group.Start(ctx, p)
}

// Stop ends all programs and returns when none is left. When now is done, those
// that still run are killed.
func (w *Weir) Stop(now context.Context) error {
	w.output.stopping.Store(true)
	w.group.Stop(now)
	return w.state.close()
}

// Listeners are the sockets on which requests are taken.
func (w *Weir) Listeners() []Listener { return w.plan.Listeners }

// writeFiles writes what the programs read at their start.
func (w *Weir) writeFiles() error {
	doc, err := bootstrap.Config{
		NodeID:      Name,
		NodeCluster: w.plan.Cluster,
		Admin:       w.options.Ports.EnvoyAdmin,
		XDS:         w.options.Ports.XDS,
		Socket:      w.state.socket,
		Envoy:       w.plan.Envoy,
		XDSServer:   w.plan.XDSServer,
	}.YAML()
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.state.path("bootstrap.yaml"), doc, 0o600); err != nil {
		return fmt.Errorf("write envoy's bootstrap: %w", err)
	}
	if err := os.WriteFile(w.state.path("entries.yaml"), w.entries(), 0o600); err != nil {
		return fmt.Errorf("write identity entries: %w", err)
	}
	return nil
}

// tell writes what happens to the programs into the log.
func (w *Weir) tell(e supervise.Event) {
	switch e.Kind {
	case supervise.Started:
		w.say("%s started (pid %d)", e.Program, e.PID)
	case supervise.Ready:
		w.say("%s is ready", e.Program)
	case supervise.Exited:
		w.say("%s ended (%s); it is started again in %s", e.Program, status(e.Err), e.In)
	case supervise.Failed:
		w.say("%s cannot be started (%s); next attempt in %s", e.Program, e.Err, e.In)
	case supervise.Stopped:
		w.say("%s stopped", e.Program)
	case supervise.Killed:
		w.say("%s did not stop and was killed", e.Program)
	}
}

func status(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func (w *Weir) say(format string, args ...any) {
	w.options.Output.Line(Name, fmt.Appendf(nil, format, args...))
}

// Ready is one line that says where everything is.
func (w *Weir) Ready() string {
	var b strings.Builder
	b.WriteString("ready:")
	for _, l := range w.plan.Listeners {
		fmt.Fprintf(&b, " %s %s |", l.Name, l.URL())
	}
	fmt.Fprintf(&b, " status %s/status | envoy admin %s", base(w.options.Ports.Admin), base(w.options.Ports.EnvoyAdmin))
	return b.String()
}

func base(a netip.AddrPort) string { return "http://" + a.String() }
