package history

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

const (
	revisionsDir = "revisions"
	documentsDir = "documents"
	pinFile      = "pin"
	lockFile     = "lock"
)

// write puts a record and the shards that no other revision has on disk. The
// record comes last: it makes the revision exist.
func (h *History) write(own record, all documents) error {
	added := false
	for _, s := range all.shards {
		if s.hash == "" || h.shards[s.hash] > 0 {
			continue
		}
		added = true
		data, err := s.encoded()
		if err != nil {
			return err
		}
		if err := h.disk.write(filepath.Join(h.dir, documentsDir, s.hash), data); err != nil {
			return err
		}
	}
	if added {
		if err := h.disk.syncDir(filepath.Join(h.dir, documentsDir)); err != nil {
			return err
		}
	}
	data, err := encodeRecord(own)
	if err != nil {
		return err
	}
	return h.place(filepath.Join(revisionsDir, fileName(own.Number)), data)
}

// place writes a file of the directory and makes its name last.
func (h *History) place(name string, data []byte) error {
	path := filepath.Join(h.dir, name)
	if err := h.disk.write(path, data); err != nil {
		return err
	}
	return h.disk.syncDir(filepath.Dir(path))
}

// read returns the documents of a record, each shard checked.
func (h *History) read(own record) (documents, error) {
	var all documents
	for at, hash := range own.Shards {
		data, err := h.disk.read(filepath.Join(h.dir, documentsDir, hash))
		if err != nil {
			return documents{}, err
		}
		if all.shards[at], err = decodeShard(int(at), hash, data); err != nil {
			return documents{}, err
		}
	}
	return all, nil
}

// retire gives up the oldest revisions beyond what is to be kept, and the
// shards that only they had. The records go first, so that none is ever left
// without its shards.
func (h *History) retire() error {
	var gone []string
	spare := len(h.revisions) - h.keep
	for _, number := range slices.Sorted(maps.Keys(h.revisions)) {
		if spare <= 0 {
			break
		}
		spare--
		if h.pin != nil && h.pin.Number == number {
			continue
		}
		if err := h.disk.remove(filepath.Join(h.dir, revisionsDir, fileName(number))); err != nil {
			return fmt.Errorf("give up revision %d: %w", number, err)
		}
		gone = append(gone, h.forget(number)...)
	}
	if len(gone) == 0 {
		return nil
	}
	if err := h.disk.syncDir(filepath.Join(h.dir, revisionsDir)); err != nil {
		return fmt.Errorf("give up old revisions: %w", err)
	}
	return h.drop(gone)
}

// forget drops a record and returns the shards that nothing needs any more.
func (h *History) forget(number uint64) []string {
	var gone []string
	for _, hash := range h.revisions[number].Shards {
		if h.shards[hash]--; h.shards[hash] == 0 {
			delete(h.shards, hash)
			gone = append(gone, hash)
		}
	}
	delete(h.revisions, number)
	return gone
}

func (h *History) drop(shards []string) error {
	var problems []error
	for _, hash := range shards {
		if err := h.disk.remove(filepath.Join(h.dir, documentsDir, hash)); err != nil {
			problems = append(problems, fmt.Errorf("clear up documents: %w", err))
		}
	}
	return errors.Join(problems...)
}

// load reads what is on disk. Only a directory that cannot be listed is an
// error; what is wrong with single files goes to h.problems.
func (h *History) load() error {
	if _, err := h.list("."); err != nil {
		return err
	}
	names, err := h.list(revisionsDir)
	if err != nil {
		return err
	}
	sound := make(map[string]bool)
	for _, name := range names {
		if err := h.loadRevision(name, sound); err != nil {
			h.problems = append(h.problems, fmt.Errorf("%s is left out: %w", filepath.Join(h.dir, revisionsDir, name), err))
		}
	}
	if top, ok := h.revisions[h.newest()]; ok {
		if h.latest, err = h.read(top); err != nil {
			return fmt.Errorf("read revision %d: %w", top.Number, err)
		}
	}
	if err := h.loadPin(); err != nil {
		h.problems = append(h.problems, err)
	}
	h.leftover = errors.Join(h.retire(), h.sweep())
	return nil
}

// list returns the names in a sub-directory, without those that a crash left
// half written: it removes them.
func (h *History) list(sub string) ([]string, error) {
	names, err := h.disk.list(filepath.Join(h.dir, sub))
	if err != nil {
		return nil, err
	}
	whole := names[:0]
	for _, name := range names {
		if !strings.HasSuffix(name, temporary) {
			whole = append(whole, name)
			continue
		}
		if err := h.disk.remove(filepath.Join(h.dir, sub, name)); err != nil {
			h.problems = append(h.problems, fmt.Errorf("clear up: %w", err))
		}
	}
	return whole, nil
}

// loadRevision takes a record whose shards are all sound. A number that a file
// has is never used again, whatever is in it.
func (h *History) loadRevision(name string, sound map[string]bool) error {
	number, err := fileNumber(name)
	if err != nil {
		return err
	}
	h.next = max(h.next, number+1)
	data, err := h.disk.read(filepath.Join(h.dir, revisionsDir, name))
	if err != nil {
		return err
	}
	own, err := decodeRecord(data)
	if err != nil {
		return err
	}
	if own.Number != number {
		return fmt.Errorf("it holds revision %d", own.Number)
	}
	for at, hash := range own.Shards {
		if sound[hash] {
			continue
		}
		data, err := h.disk.read(filepath.Join(h.dir, documentsDir, hash))
		if err != nil {
			return err
		}
		if _, err := decodeShard(int(at), hash, data); err != nil {
			return err
		}
		sound[hash] = true
	}
	h.hold(own)
	return nil
}

// loadPin reads the pin. One that cannot be read holds the newest revision: a
// rollback must not end by a damaged file.
func (h *History) loadPin() error {
	path := filepath.Join(h.dir, pinFile)
	data, err := h.disk.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var pin Pin
	if err == nil {
		pin, err = decodePin(data)
	}
	if err != nil && h.newest() == 0 {
		return fmt.Errorf("%s: %w; there is no revision to hold", path, err)
	}
	if err != nil {
		h.pin = &Pin{Number: h.newest()}
		return fmt.Errorf("%s: %w; revision %d is held until `weir resume`", path, err, h.pin.Number)
	}
	h.pin = &pin
	if _, ok := h.revisions[pin.Number]; !ok {
		return fmt.Errorf("%s: revision %d is pinned: %w; `weir resume` ends it", path, pin.Number, ErrNotKept)
	}
	return nil
}

// sweep removes shards that no revision has: a crash left them. It does not
// while a record could not be read, which may yet be mended.
func (h *History) sweep() error {
	if len(h.problems) > 0 {
		return nil
	}
	names, err := h.list(documentsDir)
	if err != nil {
		return fmt.Errorf("clear up documents: %w", err)
	}
	orphans := slices.DeleteFunc(names, func(name string) bool {
		return h.shards[name] > 0 || !isHash(name)
	})
	return h.drop(orphans)
}
