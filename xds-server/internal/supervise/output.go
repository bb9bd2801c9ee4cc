package supervise

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Output takes the lines that programs write. Its Line is called by one
// goroutine for each program at the same time.
type Output interface {
	// Line takes one line without its end. The bytes are valid during the call.
	Line(program string, line []byte)
}

// maxLine bounds what is kept of a line that does not end.
const maxLine = 16 << 10

// lineWriter cuts what a process writes into lines.
type lineWriter struct {
	name string
	out  Output
	tail *tail
	part []byte // the beginning of a line whose end has not come
}

// Write takes any piece of output. It never fails: a child must not be stopped
// by the one who reads its log.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		w.line(p[:i])
		p = p[i+1:]
	}
	w.part = append(w.part, p[:min(len(p), maxLine-len(w.part))]...)
	return n, nil
}

func (w *lineWriter) line(end []byte) {
	w.part = append(w.part, end[:min(len(end), maxLine-len(w.part))]...)
	line := bytes.TrimRight(w.part, "\r")
	w.tail.add(line)
	w.out.Line(w.name, line)
	w.part = w.part[:0]
}

// flush passes on a last line without an end.
func (w *lineWriter) flush() {
	if len(w.part) > 0 {
		w.line(nil)
	}
}

// tailLines is how many lines an error quotes.
const tailLines = 8

// tail keeps the last lines of a process.
type tail struct {
	mu   sync.Mutex
	last []string
}

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == tailLines {
		t.last = slices.Delete(t.last, 0, 1)
	}
	t.last = append(t.last, string(line))
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.last)
}

// Console writes the lines of several programs to one stream, each behind the
// name of its program.
type Console struct {
	mu    sync.Mutex
	w     io.Writer
	color bool
	width int
	seen  []string // programs in the order in which they first wrote; it picks their colours
}

// NewConsole returns a console on w for programs whose names have up to width
// characters. With color, names are coloured by ANSI sequences.
func NewConsole(w io.Writer, width int, color bool) *Console {
	return &Console{w: w, color: color, width: width}
}

// colors of the names: cyan, magenta, yellow, blue, green.
var colors = []int{36, 35, 33, 34, 32}

// Line implements Output. A stream that cannot be written to any more is no
// reason to stop the programs, so its error is dropped.
func (c *Console) Line(program string, line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.color {
		_, _ = fmt.Fprintf(c.w, "%-*s | %s\n", c.width, program, line)
		return
	}
	i := slices.Index(c.seen, program)
	if i < 0 {
		i = len(c.seen)
		c.seen = append(c.seen, program)
	}
	_, _ = fmt.Fprintf(c.w, "\x1b[%dm%-*s |\x1b[0m %s\n", colors[i%len(colors)], c.width, program, line)
}
