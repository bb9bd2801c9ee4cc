package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Folder is a source.Source: the files in the top of one folder.
type Folder struct {
	path         string
	certificates bool
}

// NewFolder is the source of resources in the *.yaml and *.yml files of a
// folder. It need not be there yet.
func NewFolder(path string) *Folder { return &Folder{path: filepath.Clean(path)} }

// NewCertificates is the source of certificates and keys: all files of a
// folder whose names do not start with a dot. It need not be there yet.
func NewCertificates(path string) *Folder {
	return &Folder{path: filepath.Clean(path), certificates: true}
}

// String names the folder.
func (f *Folder) String() string {
	if f.certificates {
		return "the folder of certificates " + f.path
	}
	return "the folder of resources " + f.path
}

// Label is the folder's path, so that the names of several folders' documents
// are paths. A folder of certificates has none.
func (f *Folder) Label() string {
	if f.certificates {
		return ""
	}
	return f.path
}

// Read reads the folder once.
func (f *Folder) Read(context.Context) (source.Reading, error) {
	r := f.reader()
	err := f.readAll(r)
	return f.reading(r), err
}

func (f *Folder) reader() *reader {
	r := &reader{files: files(f.path), wanted: holdsResources, now: time.Now}
	if f.certificates {
		r.files, r.wanted, r.whole = os.DirFS(f.path), holdsCertificates, true
	}
	return r
}

// readAll reads all files as they were at one time, as far as links tell: what
// is behind links is often replaced as a whole, by one link.
func (f *Folder) readAll(r *reader) error {
	for range tries {
		before, _ := f.links(r.wanted)
		err := r.readAll()
		after, _ := f.links(r.wanted)
		switch {
		case maps.Equal(before, after) && err == nil:
			return nil
		case maps.Equal(before, after):
			return f.explain(err)
		}
		time.Sleep(tryAfter)
	}
	return errors.New("its links change while their files are read: change them less often")
}

func (f *Folder) explain(err error) error {
	flag := "--resources"
	if f.certificates {
		flag = "--certificates"
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it does not exist: create it, or name another with %s", flag)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let the user of this program list it", err)
	default:
		return err
	}
}

func (f *Folder) reading(r *reader) source.Reading {
	reading := source.Reading{Faults: r.faults()}
	if f.certificates {
		reading.Certificates = r.certificates()
	} else {
		reading.Documents = r.documents()
	}
	return reading
}

// links are where the folder and the links in it lead, by path. A link to
// nothing leads to "".
func (f *Folder) links(wanted func(string) bool) (map[string]string, error) {
	found := make(map[string]string)
	target, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return nil, err
	}
	found[f.path] = target
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink == 0 || !wanted(entry.Name()) {
			continue
		}
		path := filepath.Join(f.path, entry.Name())
		found[path], _ = filepath.EvalSymlinks(path)
	}
	return found, nil
}
