package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Timing says how changes that come together are taken as one: editors write,
// rename and delete several times for one save.
type Timing struct {
	Quiet time.Duration // nothing must have changed for so long
	Max   time.Duration // but a change waits no longer than this
}

// DefaultTiming suits people and mounts.
func DefaultTiming() Timing { return Timing{Quiet: 100 * time.Millisecond, Max: time.Second} }

// Update is what a folder holds now, or why that cannot be read. After an error
// the holder keeps what it has.
type Update struct {
	Documents []source.Document
	Err       error
}

// Watcher watches one folder.
type Watcher struct {
	folder string
	timing Timing
	notify *fsnotify.Watcher
}

// NewWatcher starts to watch folder, so that no change from now on is missed.
// Run must be called, or Close.
func NewWatcher(folder string, timing Timing) (*Watcher, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", folder, err)
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", folder, err)
	}
	w := &Watcher{folder: absolute, timing: timing, notify: notify}
	if err := w.follow(); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", folder, err), notify.Close())
	}
	return w, nil
}

// Close ends the watch of a Watcher that is not run.
func (w *Watcher) Close() error { return w.notify.Close() }

// Run calls deliver with what the folder holds, at once and then after each
// change that makes a difference, until ctx is done. It calls deliver from this
// goroutine only, and closes the watcher.
func (w *Watcher) Run(ctx context.Context, deliver func(Update)) error {
	changes := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.changes(ctx, changes)
	}()
	loop(ctx, w.timing, changes, w.read, deliver)
	err := w.notify.Close()
	<-done
	return err
}

// changes sends a signal for each event that may matter, until ctx is done.
func (w *Watcher) changes(ctx context.Context, signals chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-w.notify.Events:
			if !open {
				return
			}
			if !w.matters(event.Name) {
				continue
			}
		case _, open := <-w.notify.Errors:
			if !open {
				return
			}
			// Events were lost: what they said is found by reading again.
		}
		select {
		case signals <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// matters leaves out the neighbours of the folder, whose parent is watched for
// the folder's own sake.
func (w *Watcher) matters(name string) bool {
	return filepath.Dir(name) != filepath.Dir(w.folder) || name == w.folder
}

// read follows what moved, then reads everything.
func (w *Watcher) read() Update {
	if err := w.follow(); err != nil {
		return Update{Err: fmt.Errorf("watch %s: %w", w.folder, err)}
	}
	documents, err := Read(os.DirFS(w.folder))
	return Update{Documents: documents, Err: err}
}

// follow watches the folder; its parent, in which the folder itself may be
// replaced; and the folders into which its links lead, which is where mounted
// configuration changes.
func (w *Watcher) follow() error {
	// A watch is on the folder that the path led to when it was added: add it anew.
	_ = w.notify.Remove(w.folder)
	wanted := append([]string{w.folder, filepath.Dir(w.folder)}, linkTargets(w.folder)...)
	for _, watched := range w.notify.WatchList() {
		if !slices.Contains(wanted, watched) {
			_ = w.notify.Remove(watched) // an error says that it is gone already
		}
	}
	for _, path := range wanted[1:] {
		if err := w.notify.Add(path); err != nil {
			return err
		}
	}
	return w.notify.Add(w.folder)
}

// linkTargets are the folders outside of folder in which linked files stand.
func linkTargets(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // reading reports it
	}
	var targets []string
	for _, entry := range entries {
		if entry.Type()&os.ModeSymlink == 0 || !holdsResources(entry.Name()) {
			continue
		}
		target, err := filepath.EvalSymlinks(filepath.Join(folder, entry.Name()))
		if err != nil {
			continue // a link to nothing; its creation is seen in folder or not at all
		}
		if parent := filepath.Dir(target); parent != folder && !slices.Contains(targets, parent) {
			targets = append(targets, parent)
		}
	}
	return targets
}
