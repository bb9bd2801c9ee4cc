package history

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

func mustOpen(t testing.TB, dir string) *History {
	t.Helper()
	h, err := open(dir, 5, hasty{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func overwrite(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamage: a file that is torn, missing or strange costs the revisions that
// need it, is reported, and its number is not used again.
func TestDamage(t *testing.T) {
	revision := func(n uint64) string { return filepath.Join(revisionsDir, fileName(n)) }
	own := func(n int) string { // the shard that revision n alone has
		docs, err := (&documents{}).next([]source.Document{{Name: fmt.Sprint("own-", n), Data: []byte("x")}})
		if err != nil {
			t.Fatal(err)
		}
		for _, hash := range docs.hashes() {
			return filepath.Join(documentsDir, hash)
		}
		return ""
	}
	cut := func(t *testing.T, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, data[:len(data)-1])
	}
	swap := func(t *testing.T, path string) { overwrite(t, path, sure(encodeRecord(record{Number: 77}))) }
	missing := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	empty := func(t *testing.T, path string) { overwrite(t, path, nil) }
	pinned := []uint64{1, 2, 3}
	tests := map[string]struct {
		file    string
		harm    func(*testing.T, string)
		want    []uint64
		problem string
	}{
		"torn revision":        {revision(2), cut, []uint64{1, 3}, "torn"},
		"empty revision":       {revision(3), empty, []uint64{1, 2}, `does not begin with "weir-revision 1 "`},
		"revision of another":  {revision(1), swap, []uint64{2, 3}, "it holds revision 77"},
		"torn documents":       {own(2), cut, []uint64{1, 3}, "torn"},
		"missing documents":    {own(3), missing, []uint64{1, 2}, "no such file"},
		"a strange revision":   {filepath.Join(revisionsDir, "notes.txt"), empty, pinned, "its name is not a revision's"},
		"a strange number":     {filepath.Join(revisionsDir, "12"), empty, pinned, "its name is not a revision's"},
		"a file of tomorrow's": {revision(9), func(t *testing.T, path string) { overwrite(t, path, []byte("weir-revision 2 x\n")) }, pinned, "or of another program or version"},
		"torn pin":             {pinFile, cut, pinned, "revision 3 is held until `weir resume`"},
		"pin of none":          {pinFile, func(t *testing.T, path string) { overwrite(t, path, sure(encodePin(Pin{Number: 8}))) }, pinned, "revision 8 is pinned"},
		"a path for a hash": {revision(2), func(t *testing.T, path string) {
			overwrite(t, path, sure(encodeRecord(record{Number: 2, Shards: map[place]string{0: "../../x"}})))
		}, []uint64{1, 3}, `has "../../x" for a hash`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h := mustOpen(t, dir)
			for n := 1; n <= 3; n++ {
				if _, err := h.Add(Revision{Documents: set(n)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.Pin(1, "ops"); err != nil {
				t.Fatal(err)
			}
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, test.file)
			test.harm(t, path)
			h = mustOpen(t, dir)
			checkHarm(t, h, test.want, path, test.problem)
			if _, err := h.Add(Revision{}); err != nil {
				t.Fatal(err)
			}
			if latest, ok := h.Latest(); !ok || latest.Number < 4 {
				t.Errorf("after the damage comes %+v", latest)
			}
		})
	}
}

func checkHarm(t *testing.T, h *History, want []uint64, path, problem string) {
	t.Helper()
	problems := fmt.Sprint(h.Problems())
	if !strings.Contains(problems, problem) || !strings.Contains(problems, filepath.Base(path)) {
		t.Errorf("problems are %s, want %q of %s", problems, problem, path)
	}
	var kept []uint64
	for _, r := range h.List() {
		kept = append(kept, r.Number)
		if got, err := h.Get(r.Number); err != nil || !reflect.DeepEqual(got.Documents, set(int(r.Number))) {
			t.Errorf("revision %d: %+v, %v", r.Number, got, err)
		}
	}
	if !slices.Equal(kept, want) {
		t.Errorf("kept are %v, want %v", kept, want)
	}
	if latest, ok := h.Latest(); !ok || latest.Number != want[len(want)-1] {
		t.Errorf("latest is %d, want %d", latest.Number, want[len(want)-1])
	}
	if pin, ok := h.Pinned(); !ok || pin.Number == 0 {
		t.Errorf("pin is %+v, %v: the damage has ended a rollback", pin, ok)
	}
}

// TestTornLater: what is damaged while the history is open is an error of Get,
// never another content.
func TestTornLater(t *testing.T) {
	dir := t.TempDir()
	h := mustOpen(t, dir)
	for n := 1; n <= 2; n++ {
		if _, err := h.Add(Revision{Documents: set(n)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, hash := range h.revisions[1].Shards {
		overwrite(t, filepath.Join(dir, documentsDir, hash), []byte(`{"documents":[]}`))
	}
	if r, err := h.Get(1); err == nil || !strings.Contains(err.Error(), "torn") {
		t.Errorf("a torn revision is %+v, %v", r, err)
	}
}

// TestFullDisk: an Add that fails changes nothing but the next number, and the
// next one works.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	h := mustOpen(t, dir)
	first, err := h.Add(Revision{Documents: set(1)})
	if err != nil {
		t.Fatal(err)
	}
	h.disk = &crashing{undo: make(map[string][]func() error)}
	if _, err := h.Add(Revision{Documents: set(2)}); err == nil {
		t.Fatal("a revision is added to a full disk")
	}
	if latest, _ := h.Latest(); !reflect.DeepEqual(latest, first) {
		t.Errorf("latest is %+v", latest)
	}
	if err := h.Pin(1, "x"); err == nil {
		t.Error("a pin is set on a full disk")
	}
	if _, ok := h.Pinned(); ok {
		t.Error("a pin that failed holds")
	}
	h.disk = hasty{}
	second, err := h.Add(Revision{Documents: set(2)})
	if err != nil || second.Number != 3 {
		t.Fatalf("the next is %d, %v", second.Number, err)
	}
	h.disk = &crashing{undo: make(map[string][]func() error), steps: 100}
	if got, err := h.Get(3); err != nil || !reflect.DeepEqual(got, second) {
		t.Errorf("revision 3 is %+v, %v", got, err)
	}
}

// FuzzFiles: no bytes crash what reads them, and what is read is written as it was.
func FuzzFiles(f *testing.F) {
	docs, err := (&documents{}).next(set(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sure(encodeRecord(record{Number: 1, Cause: "x", Shards: docs.hashes()})))
	f.Add(sure(encodePin(Pin{Number: 1, By: "ops"})))
	f.Add([]byte(recordHead + "\n{}"))
	for at := range docs.shards {
		if docs.shards[at].hash != "" {
			f.Add(sure(docs.shards[at].encoded()))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range [][]byte{data, seal(recordHead, data)} {
			if r, err := decodeRecord(file); err == nil {
				again, err := decodeRecord(sure(encodeRecord(r)))
				if err != nil || !reflect.DeepEqual(again, r) {
					t.Fatalf("record %+v is read again as %+v, %v", r, again, err)
				}
			}
		}
		for _, file := range [][]byte{data, seal(pinHead, data)} {
			if p, err := decodePin(file); err == nil {
				if again, err := decodePin(sure(encodePin(p))); err != nil || again != p {
					t.Fatalf("pin %+v is read again as %+v, %v", p, again, err)
				}
			}
		}
		fuzzShard(t, data)
		if number, err := fileNumber(string(data)); err == nil && fileName(number) != string(data) {
			t.Fatalf("%q is the file of %d", data, number)
		}
	})
}

func fuzzShard(t *testing.T, data []byte) {
	t.Helper()
	if _, err := decodeShard(0, strings.Repeat("0", 64), data); err == nil {
		t.Fatal("a shard is read under a hash that it has not")
	}
	probe := shard{hash: hashOf(data)}
	for at := range shardCount {
		s, err := decodeShard(at, probe.hash, data)
		if err != nil {
			continue
		}
		if again, err := decodeShard(at, hashOf(sure(s.encoded())), sure(s.encoded())); err != nil || !slices.EqualFunc(again.documents, s.documents, equal) {
			t.Fatalf("shard %+v is read again as %+v, %v", s, again, err)
		}
	}
}

// FuzzOpen: whatever a file of the directory holds, the history opens, and the
// revisions that do not need the file are there.
func FuzzOpen(f *testing.F) {
	f.Add(uint8(0), []byte("x"))
	f.Add(uint8(1), sure(encodePin(Pin{Number: 2})))
	f.Add(uint8(2), sure(encodeRecord(record{Number: 2})))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		dir := t.TempDir()
		h := mustOpen(t, dir)
		for n := 1; n <= 2; n++ {
			if _, err := h.Add(Revision{Documents: set(n)}); err != nil {
				t.Fatal(err)
			}
		}
		want, err := h.Get(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		files := []string{filepath.Join(revisionsDir, fileName(2)), pinFile, filepath.Join(revisionsDir, fileName(3)), filepath.Join(documentsDir, "stray")}
		file := filepath.Join(dir, files[int(which)%len(files)])
		overwrite(t, file, data)
		h = mustOpen(t, dir)
		if got, err := h.Get(1); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("revision 1 is %+v, %v", got, err)
		}
		if left, err := os.ReadFile(file); err == nil && !bytes.Equal(left, data) {
			t.Fatal("opening has changed a file")
		}
	})
}

// sure is the encoding of a value that can be encoded.
func sure(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}
