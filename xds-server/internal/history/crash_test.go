package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

var errCrash = errors.New("the machine has stopped")

// hasty is a disk without waiting for it: the tests stop no real machine.
type hasty struct{ osDisk }

func (hasty) write(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }
func (hasty) syncDir(string) error                 { return nil }

// crashing is a disk that stops at a step, once and for all. Before it does, it
// leaves behind what a real one may.
type crashing struct {
	hasty
	steps int // until it stops
	leave leave
	undo  map[string][]func() error // by directory: what is not synced
}

// leave is what becomes of the step at which the machine stops, and of names
// that were not synced.
type leave struct {
	name string
	part func(data []byte) []byte // of a file under its temporary name; nil: no file
	done bool                     // the step itself was done
	lost bool                     // renames and removals since the last sync were not
}

func half(data []byte) []byte { return data[:len(data)/2] }
func none([]byte) []byte      { return nil }
func all(data []byte) []byte  { return data }

var leaves = []leave{
	{name: "nothing"},
	{name: "an empty file", part: none},
	{name: "half a file", part: half},
	{name: "a file without its name", part: all},
	{name: "the step done", done: true},
	{name: "what was synced", lost: true},
	{name: "half a file and what was synced", part: half, lost: true},
	{name: "the step done but not its name", done: true, lost: true},
}

// step counts down, and does what is left to do when the machine stops.
func (c *crashing) step(dir string, partial, whole func() error) error {
	if c.steps < 0 {
		return errCrash
	}
	c.steps--
	if c.steps >= 0 {
		return whole()
	}
	var problems []error
	if c.leave.done {
		problems = append(problems, whole())
	} else if partial != nil {
		problems = append(problems, partial())
	}
	if c.leave.lost {
		for _, steps := range c.undo {
			for i := len(steps) - 1; i >= 0; i-- {
				problems = append(problems, steps[i]())
			}
		}
	}
	return errors.Join(append(problems, errCrash)...)
}

// revertible notes how to take back what is about to happen to a name.
func (c *crashing) revertible(path string) error {
	before, err := os.ReadFile(path)
	dir := filepath.Dir(path)
	switch {
	case err == nil:
		c.undo[dir] = append(c.undo[dir], func() error { return os.WriteFile(path, before, 0o600) })
	case errors.Is(err, os.ErrNotExist):
		c.undo[dir] = append(c.undo[dir], func() error { return os.RemoveAll(path) })
	default:
		return err
	}
	return nil
}

func (c *crashing) write(path string, data []byte) error {
	return c.step(filepath.Dir(path), func() error {
		if c.leave.part == nil {
			return nil
		}
		return os.WriteFile(path+temporary, c.leave.part(data), 0o600)
	}, func() error {
		if err := c.revertible(path); err != nil {
			return err
		}
		return c.hasty.write(path, data)
	})
}

func (c *crashing) remove(path string) error {
	return c.step(filepath.Dir(path), nil, func() error {
		if err := c.revertible(path); err != nil {
			return err
		}
		return c.hasty.remove(path)
	})
}

func (c *crashing) syncDir(dir string) error {
	return c.step(dir, nil, func() error {
		delete(c.undo, dir)
		return c.hasty.syncDir(dir)
	})
}

// life is what a process does with a history, and what it was promised by the
// time that it died.
type life struct {
	added   map[uint64]Revision
	begun   Revision // Add was called, and did not return well
	pin     *Pin
	pinning *Pin // Pin or Unpin was called, and did not return well
	unsure  bool
}

func set(n int) []source.Document {
	docs := []source.Document{{Name: "always", Origin: "file", Data: []byte("the same")}}
	for i := range 3 {
		docs = append(docs, source.Document{Name: fmt.Sprint("doc-", i), Data: []byte(fmt.Sprint(n / (i + 1)))})
	}
	return append(docs, source.Document{Name: fmt.Sprint("own-", n), Data: []byte("x")})
}

// live adds five revisions and pins two of them, until the machine stops. It
// reports whether it did not.
func (l *life) live(h *History) bool {
	for n := 1; n <= 5; n++ {
		r, err := h.Add(Revision{Cause: fmt.Sprint("change ", n), Documents: set(n)})
		if err != nil {
			l.begun = Revision{Cause: fmt.Sprint("change ", n), Documents: set(n)}
			return false
		}
		l.added[r.Number] = r
		if n == 2 && !l.hold(h.Pin(1, "ops"), &Pin{1, "ops"}) || n == 4 && !l.hold(h.Pin(3, "ops"), &Pin{3, "ops"}) || n == 5 && !l.hold(h.Unpin(), nil) {
			return false
		}
	}
	return true
}

func (l *life) hold(err error, pin *Pin) bool {
	l.pinning, l.unsure = pin, err != nil
	if err == nil {
		l.pin = pin
	}
	return err == nil
}

// TestCrash stops the machine at each step of a life, in each way, and opens the
// history again: what was promised is there, what was begun is there wholly or
// not at all, nothing is reported as damaged, and life goes on.
func TestCrash(t *testing.T) {
	const keep = 2
	for _, leave := range leaves {
		t.Run(leave.name, func(t *testing.T) {
			for steps := 0; ; steps++ {
				dir := t.TempDir()
				on := &crashing{steps: steps, leave: leave, undo: make(map[string][]func() error)}
				lived := life{added: make(map[uint64]Revision)}
				h, err := open(dir, keep, on)
				survived := err == nil && lived.live(h)
				if err == nil {
					if err := h.Close(); err != nil {
						t.Fatal(err)
					}
				}
				lived.check(t, dir, keep, fmt.Sprintf("stopped at step %d", steps))
				if survived && on.steps >= 0 {
					if steps < 35 {
						t.Fatalf("a whole life has %d steps: the test does not reach what it should", steps)
					}
					return
				}
			}
		})
	}
}

func (l *life) check(t *testing.T, dir string, keep int, when string) {
	t.Helper()
	h, err := open(dir, keep, hasty{})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	if problems := h.Problems(); problems != nil {
		t.Fatalf("%s: problems %v", when, problems)
	}
	last := uint64(len(l.added))
	latest, ok := h.Latest()
	switch {
	case ok && latest.Number == last+1: // what was begun was done
		if latest.Cause != l.begun.Cause || !reflect.DeepEqual(latest.Documents, l.begun.Documents) {
			t.Fatalf("%s: the latest is %+v, begun was %+v", when, latest, l.begun)
		}
		l.added[latest.Number] = latest
	case ok != (last > 0) || ok && !reflect.DeepEqual(latest, l.added[last]):
		t.Fatalf("%s: the latest is %+v, want %+v", when, latest, l.added[last])
	}
	for number := uint64(max(1, len(l.added)-keep+1)); number <= uint64(len(l.added)); number++ {
		if got, err := h.Get(number); err != nil || !reflect.DeepEqual(got, l.added[number]) {
			t.Fatalf("%s: revision %d is %+v, %v; want %+v", when, number, got, err, l.added[number])
		}
	}
	l.checkPin(t, h, when)
	if r, err := h.Add(Revision{Documents: set(100)}); err != nil || r.Number != uint64(len(l.added))+1 {
		t.Fatalf("%s: the next is %d, %v; want %d", when, r.Number, err, len(l.added)+1)
	}
	if err := clean(h, dir); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

func (l *life) checkPin(t *testing.T, h *History, when string) {
	t.Helper()
	pin, ok := h.Pinned()
	is := func(want *Pin) bool { return ok == (want != nil) && (want == nil || *want == pin) }
	if !is(l.pin) && !(l.unsure && is(l.pinning)) {
		t.Fatalf("%s: pin is %+v, %v; want %+v or, if %v, %+v", when, pin, ok, l.pin, l.unsure, l.pinning)
	}
	if ok {
		if _, err := h.Get(pin.Number); err != nil {
			t.Fatalf("%s: the pinned revision: %v", when, err)
		}
	}
}

// clean fails if there are files that nothing needs.
func clean(h *History, dir string) error {
	revisions, err := h.disk.list(filepath.Join(dir, revisionsDir))
	if err != nil {
		return err
	}
	shards, err := h.disk.list(filepath.Join(dir, documentsDir))
	if err != nil {
		return err
	}
	if len(revisions) != len(h.revisions) || len(shards) != len(h.shards) {
		return fmt.Errorf("files %v and %v, want %d and %d", revisions, shards, len(h.revisions), len(h.shards))
	}
	top, err := h.disk.list(dir)
	if err != nil {
		return err
	}
	if want := 3; len(top) > want+1 || len(top) == want+1 && h.pin == nil {
		return fmt.Errorf("files %v", top)
	}
	return nil
}
