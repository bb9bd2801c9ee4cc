package supervise

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// errExited is the answer of poll when the process ended first.
var errExited = errors.New("the process ended")

// drainTime bounds how long output is read after a process has ended: something
// that it started may hold the pipe open.
const drainTime = time.Second

// process is one running child process.
type process struct {
	pid     int
	tail    *tail
	started time.Time
	exited  chan struct{} // closed after err and ended are set
	err     error         // nil: exit status 0
	ended   time.Time
}

// start runs the program. The process belongs to a goroutine that keeps its
// thread: a child that asks to die with its parent (PR_SET_PDEATHSIG, as Envoy
// does by itself) dies with the thread that started it.
func start(p Program, out Output) (*process, error) {
	proc := &process{tail: &tail{}, exited: make(chan struct{})}
	lines := &lineWriter{name: p.Name, out: out, tail: proc.tail}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = p.Env
	cmd.Stdout, cmd.Stderr = lines, lines
	cmd.WaitDelay = drainTime
	cmd.SysProcAttr = attributes()

	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			proc.pid, proc.started = cmd.Process.Pid, time.Now()
		}
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		proc.kill() // what it started and left behind
		lines.flush()
		proc.err, proc.ended = err, time.Now()
		close(proc.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return proc, nil
}

// ran returns how long the process lived. It may be asked after exited only.
func (p *process) ran() time.Duration { return p.ended.Sub(p.started) }

// terminate asks the process and what it started to end.
func (p *process) terminate() { signalGroup(p.pid, syscall.SIGTERM) }

// kill ends the process and what it started.
func (p *process) kill() { signalGroup(p.pid, syscall.SIGKILL) }

// signalGroup signals a process group. The only error that can come is that
// none of its processes is left, which is what a signal to end is for.
func signalGroup(pid int, s syscall.Signal) { _ = syscall.Kill(-pid, s) }

// failure is the error of a process that ended before it was ready.
func (p *process) failure() error {
	status := "exit status 0"
	if p.err != nil {
		status = p.err.Error()
	}
	return p.withTail(fmt.Errorf("it ended before it was ready: %s", status))
}

// withTail adds the last lines that the process wrote.
func (p *process) withTail(err error) error {
	lines := p.tail.lines()
	if len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w; its last lines:\n  %s", err, strings.Join(lines, "\n  "))
}
