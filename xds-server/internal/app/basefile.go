package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
)

// baseFile remembers over restarts which revision those have who wait for
// canaries. It is there while a trial is, so that a server that is started again
// meanwhile gives them that one and not the newest.
type baseFile struct {
	path string
	log  *slog.Logger
	says uint64 // 0: the file is not there
}

// openBase reads the file. The revision is 0 if nobody waits.
func openBase(path string, log *slog.Logger) (*baseFile, error) {
	b := &baseFile{path: path, log: log}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b, nil
	case err != nil:
		return nil, fmt.Errorf("read which revision waits for canaries: %w", err)
	}
	if b.says, err = strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64); err != nil {
		return nil, fmt.Errorf("read which revision waits for canaries: %s holds no number: remove it, and the newest configuration goes to canaries and others alike", path)
	}
	return b, nil
}

// note keeps the revision that followers have while canaries try another. An
// unknown one (0) leaves what the file says. A failure costs the memory of the
// trial should the server restart, and is logged.
func (b *baseFile) note(trying bool, revision uint64) {
	switch {
	case trying && (revision == 0 || revision == b.says), !trying && b.says == 0:
		return
	case trying:
		if err := b.write(revision); err != nil {
			b.log.Error("cannot keep which revision waits for canaries: a restart now gives all the newest", "error", err)
			return
		}
		b.says = revision
	default:
		if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.log.Error("cannot forget which revision waited for canaries: a restart may try the newest again", "error", err)
			return
		}
		b.says = 0
	}
}

func (b *baseFile) write(revision uint64) error {
	next := b.path + ".tmp"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_SYNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, revision)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, b.path)
}
