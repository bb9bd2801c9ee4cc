// Package file has the sources that are folders: of resources, and of the
// certificates that listeners show. It reads them and says when they changed;
// what they mean is the catalog's concern.
package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// Limits on what a folder may hold. What is beyond is a mistake: the wrong
// folder, or a program that writes without end.
const (
	// MaxFiles bounds the number of files.
	MaxFiles = 100_000
	// MaxBytes bounds all of them together.
	MaxBytes = 256 << 20
)

// holdsResources: *.yaml, *.yml and lists of words, but for names that start with a dot,
// which are editors' and mounts' own.
func holdsResources(name string) bool {
	extension := path.Ext(name)
	return !strings.HasPrefix(name, ".") && (extension == ".yaml" || extension == ".yml" || source.IsList(name))
}

func holdsCertificates(name string) bool { return !strings.HasPrefix(name, ".") }

// reader reads the files of a folder and remembers them, so that only those
// that changed are read again.
type reader struct {
	files  fs.FS
	wanted func(name string) bool
	whole  bool // a file beyond the limit is a fault, not cut off
	now    func() time.Time
	known  map[string]content
	names  []string // of known, sorted, as of the last time that they were needed
}

// content is what is known of a file.
type content struct {
	info   fs.FileInfo // as it was when data was read
	readAt time.Time
	data   []byte
	once   bool  // it was read at some time
	fault  error // why data is not what the file holds now
}

// readAll reads what the folder holds.
func (r *reader) readAll() error {
	entries, err := fs.ReadDir(r.files, ".")
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !r.wanted(e.Name()) })
	if len(entries) > MaxFiles {
		return fmt.Errorf("it holds %d files, more than the limit of %d: is it the right folder?", len(entries), MaxFiles)
	}
	next := make(map[string]content, len(entries))
	for _, entry := range entries {
		if c, ok := r.look(entry.Name(), true); ok {
			next[entry.Name()] = c
		}
	}
	r.known = next
	return r.bound()
}

// readSome reads the files that are named, which may be new or gone, and those
// that could not be read before.
func (r *reader) readSome(names map[string]bool) error {
	for name, c := range r.known {
		if c.fault != nil {
			names[name] = true
		}
	}
	for name := range names {
		if c, ok := r.look(name, false); ok {
			r.known[name] = c
		} else {
			delete(r.known, name)
		}
	}
	return r.bound()
}

func (r *reader) bound() error {
	total := 0
	for _, c := range r.known {
		total += len(c.data)
	}
	if total > MaxBytes {
		return fmt.Errorf("its files have %d bytes together, more than the limit of %d: is it the right folder?", total, MaxBytes)
	}
	return nil
}

// restless is how old a change must be before a file that looks the same is the
// same: clocks of file systems are coarse.
const restless = 2 * time.Second

// look reads a file, unless it may be trusted to be as it was. There is none if
// it is gone, or is a folder, a pipe or a device.
func (r *reader) look(name string, trust bool) (content, bool) {
	before, known := r.known[name]
	info, err := fs.Stat(r.files, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return content{}, false
	case err != nil:
		before.fault = unreadable(err)
		return before, true
	case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
		return content{}, false
	case trust && known && before.fault == nil && unchanged(before.info, info) && before.readAt.Sub(info.ModTime()) > restless:
		return before, true
	}
	next := content{readAt: r.now(), once: true}
	if next.data, next.info, err = r.read(name); errors.Is(err, fs.ErrNotExist) {
		return content{}, false
	}
	if err == nil {
		err = r.accept(name, next.data, before.data)
	}
	if err != nil {
		before.fault = err
		return before, true
	}
	if bytes.Equal(next.data, before.data) {
		next.data = before.data
	}
	return next, true
}

// accept refuses content that cannot be meant.
func (r *reader) accept(name string, data, before []byte) error {
	switch {
	case len(data) == 0 && len(before) > 0:
		return fmt.Errorf("%s is empty, and was not: it counts as being written; delete it if nothing of it is to stay", name)
	case r.whole && len(data) > strictyaml.MaxFileBytes:
		return fmt.Errorf("%s has more than the limit of %d bytes: is it a certificate or a key?", name, strictyaml.MaxFileBytes)
	default:
		return nil
	}
}

func unchanged(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Tries to read a file, or files behind links, that change meanwhile.
const (
	tries    = 10
	tryAfter = 2 * time.Millisecond
)

// read reads a file that nobody writes meanwhile. It reads one byte more than a
// file may have, so that a huge one is refused without filling memory.
func (r *reader) read(name string) ([]byte, fs.FileInfo, error) {
	for range tries {
		data, before, after, err := r.readOnce(name)
		if err != nil {
			return nil, nil, err
		}
		if before.Size() == after.Size() && before.ModTime().Equal(after.ModTime()) {
			return data, after, nil
		}
		time.Sleep(tryAfter)
	}
	return nil, nil, fmt.Errorf("%s changes while it is read: write it under a name that starts with a dot, and then rename it", name)
}

func (r *reader) readOnce(name string) (data []byte, before, after fs.FileInfo, err error) {
	opened, err := r.files.Open(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			err = unreadable(err)
		}
		return nil, nil, nil, err
	}
	defer opened.Close()
	if before, err = opened.Stat(); err != nil {
		return nil, nil, nil, err
	}
	if data, err = io.ReadAll(io.LimitReader(opened, int64(source.Limit(name))+1)); err != nil {
		return nil, nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	after, err = opened.Stat()
	return data, before, after, err
}

// documents are the files that were read, by name.
func (r *reader) documents() []source.Document {
	unknown := func(name string) bool { _, known := r.known[name]; return !known }
	if len(r.names) != len(r.known) || slices.ContainsFunc(r.names, unknown) {
		r.names = slices.Sorted(maps.Keys(r.known))
	}
	documents := make([]source.Document, 0, len(r.known))
	for _, name := range r.names {
		if c := r.known[name]; c.once {
			documents = append(documents, source.Document{Name: name, Data: c.data})
		}
	}
	return documents
}

func (r *reader) certificates() map[string][]byte {
	files := make(map[string][]byte, len(r.known))
	for name, c := range r.known {
		if c.once {
			files[name] = c.data
		}
	}
	return files
}

// faults are the files that could not be read, by name.
func (r *reader) faults() []source.Fault {
	var names []string
	var faults []source.Fault
	for name, c := range r.known {
		if c.fault != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		faults = append(faults, source.Fault{Err: r.known[name].fault, Missing: !r.known[name].once})
	}
	return faults
}
