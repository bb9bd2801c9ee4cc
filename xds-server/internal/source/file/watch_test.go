package file_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// watch runs a watcher on folder and returns a function that waits until the
// files read as wanted: name=content, in order.
func watch(t *testing.T, folder string) func(want string) {
	t.Helper()
	w, err := file.NewWatcher(folder, file.Timing{Quiet: time.Millisecond, Max: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	updates, done := make(chan file.Update, 100), make(chan error, 1)
	go func() { done <- w.Run(ctx, func(u file.Update) { updates <- u }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(want string) {
		t.Helper()
		deadline, last := time.After(10*time.Second), "nothing"
		for {
			select {
			case u := <-updates:
				if last = describe(u); last == want {
					return
				}
			case <-deadline:
				t.Fatalf("read %q last, want %q", last, want)
			}
		}
	}
}

func describe(u file.Update) string {
	if u.Err != nil {
		return "error"
	}
	var parts []string
	for _, d := range u.Documents {
		parts = append(parts, d.Name+"="+string(d.Data))
	}
	return strings.Join(parts, " ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestWatchFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("b.yaml"), "1")
	write(t, at("note.txt"), "not a resource")
	write(t, at(".hidden.yaml"), "an editor's")
	must(t, os.Mkdir(at("folder.yaml"), 0o700))
	wait := watch(t, dir)
	wait("b.yaml=1")
	write(t, at("b.yaml"), "2")
	wait("b.yaml=2")
	write(t, at("a.yml"), "new")
	wait("a.yml=new b.yaml=2")
	write(t, at(".b.yaml.swp"), "3") // as editors save: beside, then over
	must(t, os.Rename(at(".b.yaml.swp"), at("b.yaml")))
	wait("a.yml=new b.yaml=3")
	must(t, os.Rename(at("a.yml"), at("c.yaml")))
	wait("b.yaml=3 c.yaml=new")
	must(t, os.Remove(at("b.yaml")))
	wait("c.yaml=new")
	must(t, os.Remove(at("c.yaml")))
	wait("")
}

// TestWatchMount swaps ..data as the kubelet does for a ConfigMap.
func TestWatchMount(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Mkdir(at("..2024"), 0o700))
	write(t, at("..2024/a.yaml"), "old")
	must(t, os.Symlink("..2024", at("..data")))
	must(t, os.Symlink("..data/a.yaml", at("a.yaml")))
	wait := watch(t, dir)
	wait("a.yaml=old")
	for _, content := range []string{"new", "newer"} {
		must(t, os.Mkdir(at("..next-"+content), 0o700))
		write(t, at("..next-"+content+"/a.yaml"), content)
		must(t, os.Symlink("..next-"+content, at("..data_tmp")))
		must(t, os.Rename(at("..data_tmp"), at("..data")))
		wait("a.yaml=" + content)
	}
}

func TestWatchLinkedFile(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "real.yaml")
	write(t, target, "1")
	must(t, os.Symlink(target, filepath.Join(dir, "a.yaml")))
	wait := watch(t, dir)
	wait("a.yaml=1")
	write(t, target, "2")
	wait("a.yaml=2")
}

// TestWatchFolderReplaced: a folder that is a link, swapped; and one that goes
// away and comes back.
func TestWatchFolderReplaced(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, name := range []string{"one", "two"} {
		must(t, os.Mkdir(at(name), 0o700))
		write(t, at(name+"/a.yaml"), name)
	}
	must(t, os.Symlink("one", at("current")))
	wait := watch(t, at("current"))
	wait("a.yaml=one")
	must(t, os.Symlink("two", at("next")))
	must(t, os.Rename(at("next"), at("current")))
	wait("a.yaml=two")
	write(t, at("two/a.yaml"), "two, edited")
	wait("a.yaml=two, edited")
	must(t, os.Remove(at("current")))
	wait("error")
	must(t, os.Symlink("one", at("current")))
	wait("a.yaml=one")
}

func TestWatchNothing(t *testing.T) {
	if _, err := file.NewWatcher(filepath.Join(t.TempDir(), "missing"), file.DefaultTiming()); err == nil {
		t.Fatal("a folder that is not there can be watched")
	}
}
