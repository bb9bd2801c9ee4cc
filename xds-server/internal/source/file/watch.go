package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/fsnotify/fsnotify"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Watch begins to watch the folder; see source.Source.
func (f *Folder) Watch(changed func()) source.Watched {
	w := &watch{Folder: f, contents: f.reader(), changed: changed, done: make(chan struct{}), all: true}
	w.notify, w.broken = fsnotify.NewWatcher()
	if absolute, err := filepath.Abs(f.path); err != nil {
		w.broken = errors.Join(w.broken, err)
	} else {
		w.path = absolute
	}
	if w.notify == nil {
		close(w.done) // it is read again and again instead, because of the fault
		return w
	}
	go w.follow()
	return w
}

// watch is a Folder that is being watched.
type watch struct {
	*Folder
	path     string // absolute
	contents *reader
	good     bool        // contents are of the whole folder
	root     fs.FileInfo // that folder
	notify   *fsnotify.Watcher
	broken   error // why changes are not noticed
	changed  func()
	done     chan struct{} // closed when notes are not taken any more

	mu     sync.Mutex
	names  map[string]bool // files that changed
	all    bool            // anything may have changed
	places []string        // folders outside into which links lead
	linked bool            // there are links
}

// Close ends the watch.
func (w *watch) Close() {
	if w.notify != nil {
		_ = w.notify.Close() // nothing depends on it any more
	}
	<-w.done
}

// Read reads what changed.
func (w *watch) Read(context.Context) (source.Reading, error) {
	names, all := w.take()
	var err error
	some := !all && w.good && len(names) > 0 && !w.moved(names)
	if some {
		err = w.contents.readSome(names)
	}
	if !some || w.moved(nil) {
		w.look() // first, so that no later change is missed
		w.root, _ = os.Stat(w.path)
		err = w.readAll(w.contents)
	}
	w.good = err == nil
	reading := w.reading(w.contents)
	if w.broken != nil {
		reading.Faults = append(reading.Faults, source.Fault{Err: fmt.Errorf("changes are not noticed at once: %w", w.broken)})
	}
	return reading, err
}

// moved reports whether there is another folder now, or a link among the names:
// then what did not change by its name may have changed.
func (w *watch) moved(names map[string]bool) bool {
	now, err := os.Stat(w.path)
	if err != nil || w.root == nil || !os.SameFile(now, w.root) {
		return true
	}
	for name := range names {
		if info, err := os.Lstat(filepath.Join(w.path, name)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// take takes the notes of what changed.
func (w *watch) take() (names map[string]bool, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	names, all = w.names, w.all
	w.names, w.all = nil, false
	return names, all
}

// follow notes what changes until the watch is closed.
func (w *watch) follow() {
	defer close(w.done)
	for {
		select {
		case event, open := <-w.notify.Events:
			if !open {
				return
			}
			if w.note(event.Name) {
				w.changed()
			}
		case _, open := <-w.notify.Errors:
			if !open {
				return
			}
			w.noteAll() // events were lost
			w.changed()
		}
	}
}

func (w *watch) noteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = true
}

// note notes an event, and reports whether it matters. The folder's parent is
// watched for the folder's own sake; its neighbours do not.
func (w *watch) note(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	within, name := filepath.Dir(path), filepath.Base(path)
	switch {
	case within == w.path && !w.linked && w.contents.wanted(name):
		if w.names == nil {
			w.names = make(map[string]bool)
		}
		w.names[name] = true
	case within == w.path && !w.linked, within != w.path && path != w.path && !slices.Contains(w.places, within):
		return false
	default:
		w.all = true
	}
	return true
}

// look watches the folder; its parent, in which the folder itself may be
// replaced; and the folders into which its links lead, which is where mounted
// configuration changes.
func (w *watch) look() {
	if w.notify == nil {
		return
	}
	places := w.find()
	wanted := append([]string{w.path, filepath.Dir(w.path)}, places...)
	// A watch is on the folder that the path led to when it was added: add it anew.
	_ = w.notify.Remove(w.path)
	for _, watched := range w.notify.WatchList() {
		if !slices.Contains(wanted, watched) {
			_ = w.notify.Remove(watched) // an error says that it is gone already
		}
	}
	w.broken = nil
	for _, path := range wanted {
		err := w.notify.Add(path)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist): // reading reports it
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE):
			w.broken = fmt.Errorf("watch %s: %w: raise the limits fs.inotify.max_user_watches and max_user_instances", path, err)
		default:
			w.broken = fmt.Errorf("watch %s: %w", path, err)
		}
	}
}

// find finds the folders into which links lead.
func (w *watch) find() []string {
	links, _ := w.links(w.contents.wanted) // reading reports an error
	var places []string
	for path, target := range links {
		if parent := filepath.Dir(target); path != w.Folder.path && target != "" && parent != w.path && !slices.Contains(places, parent) {
			places = append(places, parent)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.places, w.linked = places, len(links) != 1
	return places
}
