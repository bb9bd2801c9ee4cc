// Package file is the source of resources that are files in a folder. It reads
// them and says when they changed; what they mean is the catalog's concern.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// Read reads the *.yaml and *.yml files in the top folder of files, sorted by
// name. Names that start with a dot are left out: they are editors' and
// mounts' own. Links are followed.
func Read(files fs.FS) ([]source.Document, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read the folder of resources: %w", err)
	}
	var documents []source.Document
	for _, entry := range entries {
		if !holdsResources(entry.Name()) {
			continue
		}
		data, err := readOne(files, entry.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoFile):
			continue // gone since it was listed, or a folder, a pipe, a device
		case err != nil:
			return nil, fmt.Errorf("read resources: %w", err)
		}
		documents = append(documents, source.Document{Name: entry.Name(), Origin: entry.Name(), Data: data})
	}
	return documents, nil
}

var errNoFile = errors.New("is not a file")

// readOne reads one byte more than a file may have, so that a huge one is
// refused later, with its name, without filling memory now.
func readOne(files fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, errNoFile
	}
	opened, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return io.ReadAll(io.LimitReader(opened, strictyaml.MaxFileBytes+1))
}

func holdsResources(name string) bool {
	extension := path.Ext(name)
	return !strings.HasPrefix(name, ".") && (extension == ".yaml" || extension == ".yml")
}
