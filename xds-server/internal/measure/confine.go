package measure

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// confine moves this process off processor 0, which Envoy has to itself.
// Threads that start later inherit it.
func confine() error {
	var all, rest unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("read the processors of this process: %w", err)
	}
	rest = all
	rest.Clear(0)
	if rest.Count() == 0 {
		return errors.New("the comparison needs two processors: one for Envoy, one for its client and upstream")
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads of this process: %w", err)
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return fmt.Errorf("list the threads of this process: %w", err)
		}
		if err := unix.SchedSetaffinity(id, &rest); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("confine thread %d: %w", id, err)
		}
	}
	runtime.GOMAXPROCS(rest.Count())
	return nil
}
