package file_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// fast is a timing for tests that wait for what is delivered.
var fast = source.Timing{
	Quiet: time.Millisecond, Max: 10 * time.Millisecond,
	Patience: 10 * time.Second, Retry: 20 * time.Millisecond, Recheck: time.Hour,
}

// watch watches a source and returns a function that waits until it reads as
// wanted: name=content, in order, and then the problems.
func watch(t *testing.T, watched source.Source) func(want string) {
	t.Helper()
	return watchEach(t, watched, func(source.Update) {})
}

// watchEach is watch, and calls each with all that is delivered.
func watchEach(t *testing.T, watched source.Source, each func(source.Update)) func(want string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	updates, done := make(chan source.Update, 10_000), make(chan error, 1)
	go func() {
		done <- source.Watch(ctx, []source.Source{watched}, fast, func(u source.Update) {
			each(u)
			updates <- u
		})
	}()
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

func describe(u source.Update) string {
	var parts []string
	for _, d := range u.Documents {
		parts = append(parts, d.Name+"="+string(d.Data))
	}
	for _, name := range slices.Sorted(maps.Keys(u.Certificates)) {
		parts = append(parts, name+":"+string(u.Certificates[name]))
	}
	for _, p := range u.Problems {
		parts = append(parts, "! "+p.Err.Error())
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
	wait := watch(t, file.NewFolder(dir))
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
	wait := watch(t, file.NewFolder(dir))
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
	wait := watch(t, file.NewFolder(dir))
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
	wait := watch(t, file.NewFolder(at("current")))
	wait("a.yaml=one")
	must(t, os.Symlink("two", at("next")))
	must(t, os.Rename(at("next"), at("current")))
	wait("a.yaml=two")
	write(t, at("two/a.yaml"), "two, edited")
	wait("a.yaml=two, edited")
	must(t, os.Remove(at("current")))
	wait("a.yaml=two, edited ! it does not exist: create it, or name another with --resources")
	must(t, os.Symlink("one", at("current")))
	wait("a.yaml=one")
}

// TestWatchFolderMissing: a folder that is not there yet, nor its parent, stops nobody.
func TestWatchFolderMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	wait := watch(t, file.NewFolder(dir))
	wait("! it does not exist: create it, or name another with --resources")
	must(t, os.MkdirAll(dir, 0o700))
	write(t, filepath.Join(dir, "a.yaml"), "1")
	wait("a.yaml=1")
	write(t, filepath.Join(dir, "a.yaml"), "2")
	wait("a.yaml=2")
}

// TestWatchLinkAppears: the folder has its first link only after a while.
func TestWatchLinkAppears(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "real.yaml")
	write(t, target, "1")
	write(t, filepath.Join(dir, "a.yaml"), "plain")
	wait := watch(t, file.NewFolder(dir))
	wait("a.yaml=plain")
	must(t, os.Symlink(target, filepath.Join(dir, "b.yaml")))
	wait("a.yaml=plain b.yaml=1")
	write(t, target, "2")
	wait("a.yaml=plain b.yaml=2")
}

// TestWatchEmptied: a file that is emptied is being written; the others go on.
func TestWatchEmptied(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("a.yaml"), "1")
	write(t, at("b.yaml"), "")
	wait := watch(t, file.NewFolder(dir))
	wait("a.yaml=1 b.yaml=")
	const emptied = "! a.yaml is empty, and was not: it counts as being written; delete it if nothing of it is to stay"
	write(t, at("a.yaml"), "")
	wait("a.yaml=1 b.yaml= " + emptied)
	write(t, at("b.yaml"), "2")
	wait("a.yaml=1 b.yaml=2 " + emptied)
	write(t, at("a.yaml"), "3")
	wait("a.yaml=3 b.yaml=2")
	write(t, at("a.yaml"), "")
	wait("a.yaml=3 b.yaml=2 " + emptied)
	must(t, os.Remove(at("a.yaml")))
	wait("b.yaml=2")
}

// TestWatchCertificates swaps a certificate and its key together.
func TestWatchCertificates(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, generation := range []string{"1", "2"} {
		must(t, os.Mkdir(at(".."+generation), 0o700))
		write(t, at(".."+generation+"/tls.crt"), "chain "+generation)
		write(t, at(".."+generation+"/tls.key"), "key "+generation)
	}
	must(t, os.Symlink("..1", at("..data")))
	must(t, os.Symlink("..data/tls.crt", at("tls.crt")))
	must(t, os.Symlink("..data/tls.key", at("tls.key")))
	wait := watch(t, file.NewCertificates(dir))
	wait("tls.crt:chain 1 tls.key:key 1")
	must(t, os.Symlink("..2", at("..next")))
	must(t, os.Rename(at("..next"), at("..data")))
	wait("tls.crt:chain 2 tls.key:key 2")
	write(t, at("huge.pem"), strings.Repeat("x", 1<<20+1))
	wait("tls.crt:chain 2 tls.key:key 2 ! huge.pem has more than the limit of 1048576 bytes: is it a certificate or a key?")
}
