// Command weir runs and explains Weir on one machine: `weir up` starts the
// whole, `weir check` says whether resources are right, `weir explain` what
// they do to a request, `weir demo` shows it; `weir get`, `weir rollback` and
// `weir resume` speak with an xds-server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/sourceflags"
)

// Exit statuses.
const (
	exitOK    = 0
	exitWrong = 1 // what was asked for failed, or what was checked is wrong
	exitUsage = 2 // the command line is not understood
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command is one of weir's.
type command struct {
	name    string
	summary string
	run     func(context.Context, *invocation) error
}

func commands() []command {
	return []command{
		{"up", "run everything on this machine until Ctrl-C", runUp},
		{"demo", "run everything, send sample requests and show what comes back", runDemo},
		{"check", "say whether resources are right", runCheck},
		{"explain", "say what the resources do to one HTTP request", runExplain},
		{"calibrate", "fit the estimate of prompts to an access log", runCalibrate},
		{"redact", "redact a file or a pipe as the filter redacts bodies", runRedact},
		{"get", "show nodes, resources, snapshots, differences or the status of an xds-server", runGet},
		{"rollback", "put an earlier configuration in force, and hold it", runRollback},
		{"resume", "end a rollback", runResume},
		{"evidence", "verify, list and re-key the records of decisions that an xds-server keeps", runEvidence},
		{"echo", "run a model that says what it received", runEcho},
	}
}

// invocation is one call of a command.
type invocation struct {
	args           []string
	flags          *flag.FlagSet
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	// hurry is done when the user asked a second time to stop.
	hurry context.Context
}

// usageError is a command line that is not understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSilent fails a command that has said all there is to say.
var errSilent = errors.New("the command said why")

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		writeHelp(stderr)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		writeHelp(stdout)
		return exitOK
	}
	all := commands()
	n := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] })
	if n < 0 {
		_, _ = fmt.Fprintf(stderr, "weir: there is no command %q\n\n", args[0])
		writeHelp(stderr)
		return exitUsage
	}
	ctx, hurry, release := interrupts(ctx)
	defer release()
	flags := flag.NewFlagSet("weir "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	i := &invocation{args: args[1:], flags: flags, stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.Getenv, hurry: hurry}
	return status(all[n].run(ctx, i), stderr)
}

// status prints an error and returns the exit status for it.
func status(err error, stderr io.Writer) int {
	var usage usageError
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if !errors.Is(err, errSilent) {
		_, _ = fmt.Fprintln(stderr, "weir:", err)
	}
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitWrong
}

func writeHelp(w io.Writer) {
	var b strings.Builder
	b.WriteString("weir puts the traffic rules of AI models where the traffic is: inside Envoy.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.summary)
	}
	b.WriteString(`
up, demo, check and explain read what the xds-server reads: -f DIR and --etcd
ENDPOINTS, each as often as wanted (what a later one defines is in force), and
--certificates DIR for listeners that show a public certificate.

weir COMMAND -h lists a command's flags.
`)
	_, _ = io.WriteString(w, b.String())
}

// sources adds the flags that name sources of resources, as the xds-server has
// them; the one for folders is -f.
func (i *invocation) sources() *sourceflags.Flags { return sourceflags.Register(i.flags, "f") }

// parse reads the flags.
func (i *invocation) parse() error {
	if err := i.flags.Parse(i.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{errSilent} // the flag set has said why, and printed the flags
	}
	if i.flags.NArg() > 0 {
		return usagef("%s: %q is not a flag; -h lists them", i.flags.Name(), i.flags.Arg(0))
	}
	return nil
}

// parseSources reads the flags and returns the sources that they name.
func (i *invocation) parseSources(from *sourceflags.Flags) ([]source.Source, error) {
	if err := i.parse(); err != nil {
		return nil, err
	}
	sources, err := from.Sources()
	if err != nil {
		return nil, usagef("%s: %w", i.flags.Name(), err)
	}
	for _, folder := range from.Folders() {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return nil, usagef("%s: -f %s is not a folder", i.flags.Name(), folder)
		}
	}
	return sources, nil
}

// again is the time after the first signal in which further ones are not meant
// as a second wish: make, timeout and shells pass one Ctrl-C on several times.
const again = time.Second

// interrupts returns a context that ends with the first Ctrl-C, SIGTERM or
// SIGHUP, and one that ends with the next that comes later than again.
func interrupts(ctx context.Context) (first, second context.Context, release func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	first, stop := context.WithCancel(ctx)
	second, hurry := context.WithCancel(ctx)
	done := make(chan struct{})
	var listener sync.WaitGroup
	listener.Go(func() {
		var since time.Time
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			switch {
			case since.IsZero():
				since = time.Now()
				stop()
			case time.Since(since) > again:
				hurry()
			}
		}
	})
	return first, second, func() {
		signal.Stop(signals)
		close(done)
		listener.Wait()
		stop()
		hurry()
	}
}
