package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// files are the files of a folder, wherever links in it lead; but those of lists of words
// must stay in it. What a link to elsewhere leads to would be shown, word by word, to
// whoever may read the configuration.
type files string

// Open opens a file.
func (f files) Open(name string) (fs.File, error) {
	if !source.IsList(name) {
		return os.DirFS(string(f)).Open(name)
	}
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(name)
}

// Stat tells of a file.
func (f files) Stat(name string) (fs.FileInfo, error) {
	if !source.IsList(name) {
		return fs.Stat(os.DirFS(string(f)), name)
	}
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && f.isLink(name) {
		err = fmt.Errorf("%s: %w", name, errLeadsOut)
	}
	return info, err
}

func (f files) isLink(name string) bool {
	info, err := os.Lstat(filepath.Join(string(f), name))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// errLeadsOut refuses a link.
var errLeadsOut = errors.New("a list of words may be no link that leads out of its folder, or begins at the root: put the file itself there")

// unreadable is why a file cannot be read, and what may help.
func unreadable(err error) error {
	if errors.Is(err, errLeadsOut) {
		return err
	}
	return fmt.Errorf("%w: let the user of this program read it", err)
}
