package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Bounds of a log.
const (
	// DefaultFiles is how many files are kept.
	DefaultFiles = 64
	// fileSize is when a file is followed by the next, in bytes.
	fileSize = 64 << 20
	// syncInterval is how often what was written is forced to the disk.
	syncInterval = time.Second
	// maxLine bounds a line of a file: the heads of all chains.
	maxLine = 8 << 20
)

// Log keeps records in files that are only appended to, each of which can be verified
// by itself: it begins with the heads of the chains that go on in it. It is safe for
// concurrent use.
type Log struct {
	dir   string
	files int
	size  int64

	mu       sync.Mutex // guards what follows
	verifier *Verifier
	file     *os.File // nil: none was needed yet
	number   int      // of the file
	written  int64    // bytes of it
	dirty    bool     // something is not on the disk yet
	line     []byte
}

// OpenLog opens the log in a folder, with the chains where they were left. The folder is
// made when there is something to write. It keeps as many files as it is told.
func OpenLog(dir string, files int, key func(envoy string, number uint32) []byte) (*Log, error) {
	l := &Log{dir: dir, files: files, size: fileSize, verifier: NewVerifier(key)}
	paths, err := Files(dir)
	if err != nil || len(paths) == 0 {
		return l, err
	}
	newest := paths[len(paths)-1]
	if err := mend(newest); err != nil {
		return nil, err
	}
	if _, err := fmt.Sscanf(filepath.Base(newest), fileName, &l.number); err != nil {
		return nil, fmt.Errorf("evidence: the name of %s: %w", newest, err)
	}
	if err := replay(newest, l.verifier); err != nil {
		return nil, err
	}
	if l.file, err = os.OpenFile(newest, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	info, err := l.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", errors.Join(err, l.file.Close()))
	}
	l.written = info.Size()
	return l, nil
}

const fileName = "records-%06d.jsonl"

// Files returns the paths of a folder's files, the oldest first.
func Files(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "records-*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	slices.Sort(paths)
	return paths, nil
}

// mend cuts off a line that a crash left without its end: its record is missing then,
// and shows as such.
func mend(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == len(data) {
		return nil
	}
	if err := os.Truncate(path, int64(end)); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

// replay has a verifier see what a file holds.
func replay(path string, v *Verifier) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	defer f.Close()
	return Scan(f, func(number int, line Line) error {
		if line.Record != nil {
			v.Take(line.Envoy, line.Record)
		}
		if err := v.Resume(line.Heads); err != nil {
			return fmt.Errorf("evidence: %s:%d: %w", path, number, err)
		}
		return nil
	})
}

// Scan calls visit for every line, with its number from 1.
func Scan(r io.Reader, visit func(number int, line Line) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	number := 0
	for lines.Scan() {
		number++
		line, err := ParseLine(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := visit(number, line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}

// Take verifies a record and keeps it with what was found.
func (l *Log) Take(at time.Time, envoy, node string, record []byte) (Finding, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.room(); err != nil {
		return Finding{}, err
	}
	line := Line{At: at.UTC(), Envoy: envoy, Node: node}
	finding := Finding{Verdict: Malformed}
	if fits(record) {
		finding = l.verifier.Take(envoy, record)
	}
	line.Verdict, line.Missing, line.Begins = finding.Verdict, finding.Missing, finding.Begins
	if finding.Verdict == Malformed {
		line.Text = string(record[:min(len(record), 4<<10)])
	} else {
		line.Record = record
	}
	return finding, l.write(line)
}

// Miss keeps that an Envoy answered a request of which there is no record.
func (l *Log) Miss(at time.Time, envoy, node string, status uint32, details string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.room(); err != nil {
		return err
	}
	return l.write(Line{At: at.UTC(), Envoy: envoy, Node: node, Verdict: Absent, Status: status, Details: details})
}

// Seq returns the number of the last record of a chain that came, 0 if there is none.
func (l *Log) Seq(envoy string, epoch uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.verifier.Seq(envoy, epoch)
}

// room sees to it that there is a file with room.
func (l *Log) room() error {
	if l.file != nil && l.written < l.size {
		return nil
	}
	if err := l.close(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	path := filepath.Join(l.dir, fmt.Sprintf(fileName, l.number+1))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	l.file, l.written = file, 0
	l.number++
	if heads := l.verifier.Heads(); len(heads) > 0 {
		if err := l.write(Line{Heads: heads}); err != nil {
			return err
		}
	}
	return l.forget()
}

// forget removes the oldest files above the number to keep.
func (l *Log) forget() error {
	paths, err := Files(l.dir)
	if err != nil {
		return err
	}
	for len(paths) > l.files {
		if err := os.Remove(paths[0]); err != nil {
			return fmt.Errorf("evidence: %w", err)
		}
		paths = paths[1:]
	}
	return nil
}

// write appends a line to the file.
func (l *Log) write(line Line) error {
	var err error
	if l.line, err = line.append(l.line[:0]); err != nil {
		return err
	}
	n, err := l.file.Write(l.line)
	l.written += int64(n)
	l.dirty = true
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

// Run forces what is written to the disk every second, and closes the log in the end.
// failed is told of what could not be.
func (l *Log) Run(ctx context.Context, failed func(error)) {
	ticks := time.NewTicker(syncInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := l.end(); err != nil {
				failed(err)
			}
			return
		case <-ticks.C:
			if err := l.sync(); err != nil {
				failed(err)
			}
		}
	}
}

func (l *Log) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty || l.file == nil {
		return nil
	}
	l.dirty = false
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

func (l *Log) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.close()
}

// close closes the file, if there is one.
func (l *Log) close() error {
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file, l.dirty = nil, false
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}
