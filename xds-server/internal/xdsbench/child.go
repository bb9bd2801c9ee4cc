package xdsbench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// child is a server process.
type child struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *json.Decoder
	hello   hello
}

// startChild starts this very program as a server process: `measure xds-serve`.
func startChild(ctx context.Context, o ServeOptions, log io.Writer) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the path of this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "xds-serve", "-server", o.Server, "-models", strconv.Itoa(o.Models), "-module", o.Module)
	cmd.Stderr = log
	c := &child{cmd: cmd}
	if c.orders, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a server process: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a server process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server process: %w", err)
	}
	c.answers = json.NewDecoder(bufio.NewReader(out))
	if err := c.answers.Decode(&c.hello); err != nil {
		return nil, errors.Join(fmt.Errorf("the server process of %s did not start: %w", o.Server, err), c.stop())
	}
	return c, nil
}

// order has the process do something and returns what came of it.
func (c *child) order(o order) (outcome, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return outcome{}, fmt.Errorf("write an order: %w", err)
	}
	if _, err := c.orders.Write(append(line, '\n')); err != nil {
		return outcome{}, fmt.Errorf("write an order: %w", err)
	}
	var result outcome
	if err := c.answers.Decode(&result); err != nil {
		return outcome{}, fmt.Errorf("read what came of an order: %w", err)
	}
	if result.Error != "" {
		return result, errors.New(result.Error)
	}
	return result, nil
}

func (c *child) stop() error {
	_ = c.orders.Close() // it ends when its orders end
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the server process ended with %w", err)
	}
	return nil
}

// memory is what a process holds, in bytes.
type memory struct {
	resident int64 // now
	peak     int64 // since it started
}

// memoryOf reads /proc/PID/status (proc_pid_status(5)).
func memoryOf(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, fmt.Errorf("read resident memory: %w", err)
	}
	var m memory
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		into := map[string]*int64{"VmRSS": &m.resident, "VmHWM": &m.peak}[string(name)]
		if into == nil {
			continue
		}
		kilobytes, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
		if err != nil {
			return memory{}, fmt.Errorf("read resident memory: %w", err)
		}
		*into = kilobytes << 10
	}
	return m, nil
}
