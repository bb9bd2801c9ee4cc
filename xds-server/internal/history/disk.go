package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// temporary ends the names of files that are not written to their end yet.
const temporary = ".tmp"

// disk is what the history needs of a file system.
type disk interface {
	makeDir(path string) error
	// list returns the names in a directory, sorted.
	list(dir string) ([]string, error)
	read(path string) ([]byte, error)
	// write makes path hold data wholly or stay as it is. The name lasts once
	// its directory is synced.
	write(path string, data []byte) error
	// remove does nothing if there is no such file.
	remove(path string) error
	syncDir(dir string) error
}

// osDisk is the file system of the machine.
type osDisk struct{}

func (osDisk) makeDir(path string) error {
	return os.MkdirAll(path, 0o700)
}

func (osDisk) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, nil
}

func (osDisk) read(path string) ([]byte, error) {
	return os.ReadFile(path)
}

func (osDisk) write(path string, data []byte) (err error) {
	part := path + temporary
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(part, path)
}

func (osDisk) remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (osDisk) syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// lock keeps other processes out. It ends with the process, however that ends.
type lock struct {
	file *os.File
}

func takeLock(path string) (*lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("it is in use by another process, which holds %s (%w); give each server a history of its own", path, err), file.Close())
	}
	return &lock{file: file}, nil
}

// release may be called more than once.
func (l *lock) release() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
