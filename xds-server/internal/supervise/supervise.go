// Package supervise runs child processes: it starts them in order, each when the
// one before is ready, starts a dead one again with a growing pause, and stops
// them in the opposite order so that none is left.
//
// Every child leads its own process group, so a Ctrl-C in the terminal reaches
// only the parent, and a signal to a child reaches what the child started. On
// Linux a child is also told to die with its parent, however the parent ends.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Program is one child process.
type Program struct {
	Name string   // how it is called in logs and errors
	Path string   // the binary
	Args []string // without the program's name
	Env  []string // the whole environment as "key=value"; nil: the parent's
	// Ready probes once whether the program does its work; nil: it does as soon
	// as it runs. It is asked again and again until it returns nil.
	Ready func(context.Context) error
}

// Kind says what happened to a program.
type Kind uint8

// Kinds of events.
const (
	Started Kind = iota // the process runs
	Ready               // it does its work
	Exited              // it ended though nobody asked it to; In is the pause before the next start
	Failed              // it could not be started again; In is the pause before the next attempt
	Stopped             // it ended as asked
	Killed              // it did not end within the grace time and was killed
)

// Event is something that happened to a program.
type Event struct {
	Program string
	Kind    Kind
	PID     int
	Err     error         // how it ended, for Exited and Failed
	In      time.Duration // see Kind
}

// Options are the settings of a Group.
type Options struct {
	Output Output        // takes the lines that the programs write; required
	Notify func(Event)   // is told what happens, one event at a time; nil: nobody
	Grace  time.Duration // from the request to end to the kill; 0: DefaultGrace
	// RestartMin and RestartMax bound the pause before a dead program is started
	// again: it doubles with each death and starts anew after a run that lasted
	// longer than RestartMax. 0: DefaultRestartMin, DefaultRestartMax.
	RestartMin, RestartMax time.Duration
}

// Defaults of Options.
const (
	DefaultGrace      = 10 * time.Second
	DefaultRestartMin = 50 * time.Millisecond
	DefaultRestartMax = 5 * time.Second
)

// Group owns a number of programs. Its methods Start and Stop are for one
// goroutine.
type Group struct {
	options  Options
	notify   sync.Mutex
	children []*child
}

// New returns a group without programs.
func New(o Options) *Group {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.RestartMin == 0 {
		o.RestartMin = DefaultRestartMin
	}
	if o.RestartMax == 0 {
		o.RestartMax = DefaultRestartMax
	}
	return &Group{options: o}
}

// child is a program with the goroutine that owns its processes.
type child struct {
	program Program
	group   *Group
	stop    chan struct{}   // closed: end, and do not start again
	hurry   <-chan struct{} // closed: do not wait for the grace time; set before stop is closed
	done    chan struct{}   // closed when the goroutine has ended, and with it the process
	first   chan error      // the outcome of the first start
	reports sync.WaitGroup  // of reportReady
}

// Start runs a program and returns when it is ready. It fails when the program
// cannot be started, ends before it is ready, or ctx ends first; the program is
// then gone, and the error carries the last lines that it wrote. A program that
// was ready once is started again whenever it ends, until Stop.
func (g *Group) Start(ctx context.Context, p Program) error {
	c := &child{program: p, group: g, stop: make(chan struct{}), done: make(chan struct{}), first: make(chan error, 1)}
	go c.run(ctx)
	if err := <-c.first; err != nil {
		<-c.done
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	g.children = append(g.children, c)
	return nil
}

// Stop ends all programs, the last started first, and returns when none is
// left. When ctx ends, those that still run are killed at once.
func (g *Group) Stop(ctx context.Context) {
	for i := len(g.children) - 1; i >= 0; i-- {
		c := g.children[i]
		c.hurry = ctx.Done()
		close(c.stop)
		<-c.done
	}
	g.children = nil
}

func (g *Group) event(e Event) {
	if g.options.Notify == nil {
		return
	}
	g.notify.Lock()
	defer g.notify.Unlock()
	g.options.Notify(e)
}

// run owns the program's processes, one after another.
func (c *child) run(ctx context.Context) {
	defer close(c.done)
	defer c.reports.Wait()
	p, err := c.launch()
	if err == nil {
		err = c.awaitReady(ctx, p)
	}
	c.first <- err
	if err != nil {
		return
	}
	pause := c.group.options.RestartMin
	for {
		select {
		case <-c.stop:
			c.end(c.hurry, p)
			return
		case <-p.exited:
		}
		if p.ran() > c.group.options.RestartMax {
			pause = c.group.options.RestartMin
		}
		c.group.event(Event{Program: c.program.Name, Kind: Exited, PID: p.pid, Err: p.err, In: pause})
		if p = c.again(&pause); p == nil {
			return
		}
	}
}

// again starts the program until it runs; nil when the child was stopped first.
func (c *child) again(pause *time.Duration) *process {
	for {
		timer := time.NewTimer(*pause)
		select {
		case <-c.stop:
			timer.Stop()
			return nil
		case <-timer.C:
		}
		*pause = min(2**pause, c.group.options.RestartMax)
		p, err := c.launch()
		if err != nil {
			c.group.event(Event{Program: c.program.Name, Kind: Failed, Err: err, In: *pause})
			continue
		}
		c.reports.Go(func() { c.reportReady(p) })
		return p
	}
}

func (c *child) launch() (*process, error) {
	p, err := start(c.program, c.group.options.Output)
	if err != nil {
		return nil, err
	}
	c.group.event(Event{Program: c.program.Name, Kind: Started, PID: p.pid})
	return p, nil
}

// awaitReady returns when the program is ready, and ends it when it will not be.
func (c *child) awaitReady(ctx context.Context, p *process) error {
	err := poll(ctx, c.program.Ready, p.exited)
	switch {
	case err == nil:
		c.group.event(Event{Program: c.program.Name, Kind: Ready, PID: p.pid})
		return nil
	case errors.Is(err, errExited):
		return p.failure()
	}
	c.end(nil, p) // ctx may have ended: that is a wish to stop, not to hurry
	return p.withTail(err)
}

// reportReady says that a program that was started again is ready. It ends with
// the process or the child.
func (c *child) reportReady(p *process) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.reports.Go(func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	if poll(ctx, c.program.Ready, p.exited) == nil {
		c.group.event(Event{Program: c.program.Name, Kind: Ready, PID: p.pid})
	}
}

// end asks the process to end and kills it after the grace time, or when now
// is closed.
func (c *child) end(now <-chan struct{}, p *process) {
	p.terminate()
	timer := time.NewTimer(c.group.options.Grace)
	defer timer.Stop()
	kind := Stopped
	select {
	case <-p.exited:
	case <-timer.C:
		kind = Killed
	case <-now:
		kind = Killed
	}
	p.kill()
	<-p.exited
	c.group.event(Event{Program: c.program.Name, Kind: kind, PID: p.pid})
}
