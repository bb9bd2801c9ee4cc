package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

func newReader(files fs.FS) *reader {
	return &reader{files: files, wanted: holdsResources, now: time.Now}
}

// readAll reads a folder once; it fails if a part cannot be read.
func readAll(files fs.FS) ([]source.Document, error) {
	r := newReader(files)
	if err := r.readAll(); err != nil {
		return nil, err
	}
	if faults := r.faults(); len(faults) > 0 {
		return nil, faults[0].Err
	}
	return r.documents(), nil
}

func TestReadFS(t *testing.T) {
	files := fstest.MapFS{
		"b.yaml": {Data: []byte("b")}, "a.yml": {Data: []byte("a")}, ".c.yaml": {Data: []byte("c")}, "d.txt": {Data: []byte("d")},
		"e.yaml": {Mode: fs.ModeNamedPipe}, "f.yaml/g.yaml": {Data: []byte("g")},
		"h.yaml": {Data: []byte(strings.Repeat("x", strictyaml.MaxFileBytes+100))},
	}
	documents, err := readAll(files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range documents {
		got = append(got, fmt.Sprint(d.Name, " ", len(d.Data)))
	}
	if want := fmt.Sprint([]string{"a.yml 1", "b.yaml 1", fmt.Sprint("h.yaml ", strictyaml.MaxFileBytes+1)}); fmt.Sprint(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := readAll(os.DirFS(filepath.Join(t.TempDir(), "none"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// broken is a file system in which one file cannot be opened.
type broken struct {
	fstest.MapFS
	name string
}

func (b broken) Open(name string) (fs.File, error) {
	if name == b.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.Open(name)
}

// TestReadOneBroken: one file that cannot be read does not stop the others, and
// stays as it was.
func TestReadOneBroken(t *testing.T) {
	files := &broken{MapFS: fstest.MapFS{"a.yaml": {Data: []byte("1")}, "b.yaml": {Data: []byte("1")}}}
	r := newReader(files)
	read := func() string {
		if err := r.readAll(); err != nil {
			return err.Error()
		}
		var parts []string
		for _, d := range r.documents() {
			parts = append(parts, d.Name+"="+string(d.Data))
		}
		for _, f := range r.faults() {
			parts = append(parts, fmt.Sprint("! ", f.Err, " ", f.Missing))
		}
		return strings.Join(parts, " ")
	}
	steps := []struct {
		change func()
		want   string
	}{
		{func() { files.name = "a.yaml" }, "b.yaml=1 ! open a.yaml: permission denied: let the user of this program read it true"},
		{func() { files.name = "" }, "a.yaml=1 b.yaml=1"},
		{func() {
			files.name = "a.yaml"
			files.MapFS = fstest.MapFS{"a.yaml": {Data: []byte("2")}, "b.yaml": {Data: []byte("2")}}
		}, "a.yaml=1 b.yaml=2 ! open a.yaml: permission denied: let the user of this program read it false"},
		{func() { files.name = "" }, "a.yaml=2 b.yaml=2"},
	}
	for i, step := range steps {
		step.change()
		if got := read(); got != step.want {
			t.Errorf("step %d: got %s, want %s", i, got, step.want)
		}
	}
	files.name = "a.yaml"
	if _, err := readAll(files); err == nil || !strings.Contains(err.Error(), "a.yaml: permission denied: let the user") {
		t.Errorf("got %v", err)
	}
}

// restlessFile says of itself that it changed each time it is asked.
type restlessFile struct{ fs.File }

type restlessInfo struct {
	fs.FileInfo
	at time.Time
}

func (i restlessInfo) ModTime() time.Time { return i.at }

func (f restlessFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return restlessInfo{info, time.Now()}, err
}

type restlessFS struct{ fstest.MapFS }

func (f restlessFS) Open(name string) (fs.File, error) {
	opened, err := f.MapFS.Open(name)
	if name == "." || err != nil {
		return opened, err
	}
	return restlessFile{opened}, nil
}

func TestReadWhileWritten(t *testing.T) {
	if _, err := readAll(restlessFS{fstest.MapFS{"a.yaml": {Data: []byte("1")}}}); err == nil ||
		!strings.Contains(err.Error(), "a.yaml changes while it is read: write it under a name that starts with a dot, and then rename it") {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	r := newReader(fstest.MapFS{})
	r.known = map[string]content{"a.yaml": {data: make([]byte, MaxBytes+1)}}
	if err := r.bound(); err == nil || !strings.Contains(err.Error(), "is it the right folder?") {
		t.Errorf("got %v", err)
	}
}

// TestSameSlice: what did not change is not read again, and is the same slice.
func TestSameSlice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	r := newReader(os.DirFS(dir))
	if err := r.readAll(); err != nil {
		t.Fatal(err)
	}
	first := r.known["a.yaml"]
	if err := r.readAll(); err != nil {
		t.Fatal(err)
	}
	if second := r.known["a.yaml"]; &first.data[0] != &second.data[0] || first.readAt != second.readAt {
		t.Error("it was read again")
	}
	if err := r.readSome(map[string]bool{"a.yaml": true}); err != nil {
		t.Fatal(err)
	}
	if third := r.known["a.yaml"]; &first.data[0] != &third.data[0] || first.readAt == third.readAt {
		t.Error("it was not read again, or is another slice")
	}
}

// BenchmarkOneOf10000 is one changed file of 10,000, told by its name.
func BenchmarkOneOf10000(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte("kind: Model\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	w, ok := NewFolder(dir).Watch(func() {}).(*watch)
	if !ok {
		b.Fatal("it is watched by something else")
	}
	defer w.Close()
	if _, err := w.Read(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w.note(filepath.Join(w.path, "7.yaml"))
		if _, err := w.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
