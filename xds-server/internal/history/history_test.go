package history_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/history"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func open(t testing.TB, dir string, keep int) *history.History {
	t.Helper()
	h, err := history.Open(dir, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// reopened is what a restart finds.
func reopened(t testing.TB, h *history.History, dir string, keep int) *history.History {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, keep)
}

func documents(pairs ...string) []source.Document {
	var all []source.Document
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, source.Document{Name: pairs[i], Origin: "dir/" + pairs[i], Data: []byte(pairs[i+1])})
	}
	return all
}

func add(t testing.TB, h *history.History, cause string, set []source.Document) history.Revision {
	t.Helper()
	r, err := h.Add(history.Revision{Time: noon, Cause: cause, Documents: set})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func numbers(h *history.History) []uint64 {
	var all []uint64
	for _, r := range h.List() {
		all = append(all, r.Number)
	}
	return all
}

// files returns the names of everything below a sub-directory.
func files(t testing.TB, dir, sub string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(dir, sub, e.Name()))
	}
	return names
}

func TestRevisionsComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "history")
	h := open(t, dir, 10)
	if _, ok := h.Latest(); ok || len(h.List()) != 0 {
		t.Fatal("a new history holds something")
	}
	want := history.Revision{
		Number: 1, Time: noon, Cause: "models.yaml changed", By: "spiffe://weir.test/ops", RollbackOf: 7,
		Documents: []source.Document{{Name: "a", Origin: "etcd:/weir/a@7", Data: []byte{0, 0xff, '\n'}}, {Name: "b", Data: []byte("b")}},
		Versions:  map[string]string{"spiffe://weir.test/envoy": "abc"},
	}
	given := want
	given.Number, given.Time = 99, noon.In(time.FixedZone("elsewhere", 3600))
	given.Documents = []source.Document{want.Documents[1], want.Documents[0]}
	first, err := h.Add(given)
	if err != nil || !reflect.DeepEqual(first, want) {
		t.Fatalf("added %+v, %v; want %+v", first, err, want)
	}
	for range 2 {
		latest, ok := h.Latest()
		got, err := h.Get(1)
		if !ok || err != nil || !reflect.DeepEqual(latest, want) || !reflect.DeepEqual(got, want) {
			t.Fatalf("latest %+v, %v; get %+v, %v; want %+v", latest, ok, got, err, want)
		}
		listed := want
		listed.Documents = nil
		if all := h.List(); !reflect.DeepEqual(all, []history.Revision{listed}) {
			t.Fatalf("list %+v", all)
		}
		h = reopened(t, h, dir, 10)
	}
	if second := add(t, h, "empty", nil); second.Number != 2 || second.Documents != nil {
		t.Errorf("second is %+v", second)
	}
	if problems := h.Problems(); problems != nil {
		t.Errorf("problems %v", problems)
	}
	for _, path := range append(files(t, dir, "documents"), files(t, dir, "revisions")...) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, 3)
	tests := map[string]struct {
		err  error
		want string
	}{
		"no revision kept":   {second(history.Open(t.TempDir(), 0)), "keep at least 1"},
		"open twice":         {second(history.Open(dir, 3)), "in use by another process"},
		"a name twice":       {second(h.Add(history.Revision{Documents: documents("a", "1", "a", "1")})), `two documents have the name "a"`},
		"a name in no UTF-8": {second(h.Add(history.Revision{Documents: documents("\xff", "1")})), "not UTF-8"},
		"a time of no year":  {second(h.Add(history.Revision{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})), "the year 10000"},
		"get none":           {second(h.Get(1)), "no such revision"},
		"pin none":           {h.Pin(1, "me"), "no such revision"},
	}
	for name, test := range tests {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", name, test.err, test.want)
		}
	}
	if _, err := h.Get(1); !errors.Is(err, history.ErrNotKept) {
		t.Errorf("get none is %v", err)
	}
	if err := h.Unpin(); err != nil {
		t.Errorf("unpin without a pin: %v", err)
	}
	if r := add(t, h, "first", nil); r.Number != 1 {
		t.Errorf("what was refused has used up a number: the first is %d", r.Number)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Open(blocked, 1); err == nil {
		t.Error("a file opens as a history")
	}
}

func second[T any](_ T, err error) error { return err }

// TestRetention: the newest are kept, and the pinned one; what only the others
// had is removed, and what they share with the kept is not.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, 3)
	for i := 1; i <= 8; i++ {
		if i == 4 {
			if err := h.Pin(2, "ops"); err != nil {
				t.Fatal(err)
			}
		}
		add(t, h, "change", documents("always", "same", fmt.Sprintf("doc-%d", i), fmt.Sprint(i)))
	}
	if got := numbers(h); !reflect.DeepEqual(got, []uint64{2, 6, 7, 8}) {
		t.Fatalf("kept are %v", got)
	}
	for _, number := range numbers(h) {
		r, err := h.Get(number)
		if err != nil || len(r.Documents) != 2 || string(r.Documents[1].Data) != fmt.Sprint(number) {
			t.Errorf("revision %d is %+v, %v", number, r, err)
		}
	}
	if got := len(files(t, dir, "documents")); got != 5 {
		t.Errorf("%d shards on disk, want one for all and one for each of four", got)
	}
	h = reopened(t, h, dir, 3)
	if pin, ok := h.Pinned(); !ok || pin != (history.Pin{Number: 2, By: "ops"}) {
		t.Errorf("pin is %+v, %v", pin, ok)
	}
	if err := h.Unpin(); err != nil {
		t.Fatal(err)
	}
	if got := numbers(h); !reflect.DeepEqual(got, []uint64{6, 7, 8}) {
		t.Errorf("kept after the pin are %v", got)
	}
	h = reopened(t, h, dir, 1) // fewer than before
	if _, ok := h.Pinned(); ok || !reflect.DeepEqual(numbers(h), []uint64{8}) || len(files(t, dir, "documents")) != 2 {
		t.Errorf("kept are %v in %v", numbers(h), files(t, dir, "documents"))
	}
	if r := add(t, h, "next", nil); r.Number != 9 {
		t.Errorf("next is %d", r.Number)
	}
}

// TestSharing: a revision writes what changed.
func TestSharing(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, 10)
	set := make([]source.Document, 2000)
	for i := range set {
		set[i] = source.Document{Name: fmt.Sprintf("models/m%d.yaml", i), Data: []byte(fmt.Sprint(i))}
	}
	add(t, h, "all", set)
	before := len(files(t, dir, "documents"))
	set[7].Data = []byte("changed")
	add(t, h, "one", set)
	if after := len(files(t, dir, "documents")); after != before+1 || before != 256 {
		t.Errorf("%d shards, then %d", before, after)
	}
	first, err := h.Get(1)
	if err != nil || len(first.Documents) != len(set) {
		t.Fatal(err)
	}
	for _, doc := range first.Documents {
		if string(doc.Data) == "changed" {
			t.Error("a revision has changed")
		}
	}
}

// TestRandom: what the history holds is what a list in memory would, over
// restarts.
func TestRandom(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir, keep := t.TempDir(), 1+r.IntN(4)
		h := open(t, dir, keep)
		model := make(map[uint64]history.Revision)
		set := make(map[string]string)
		for step := range 40 {
			switch r.IntN(8) {
			case 0:
				h = reopened(t, h, dir, keep)
			case 1:
				if all := numbers(h); len(all) > 0 {
					if err := h.Pin(all[r.IntN(len(all))], "x"); err != nil {
						t.Fatal(err)
					}
				}
			case 2:
				if err := h.Unpin(); err != nil {
					t.Fatal(err)
				}
			default:
				set[fmt.Sprint("d", r.IntN(6))] = fmt.Sprint(step)
				delete(set, fmt.Sprint("d", r.IntN(6)))
				var docs []source.Document
				for name, data := range set {
					docs = append(docs, source.Document{Name: name, Data: []byte(data)})
				}
				added := add(t, h, fmt.Sprint(step), docs)
				model[added.Number] = added
			}
			compare(t, h, model, keep)
		}
	}
}

func compare(t *testing.T, h *history.History, model map[uint64]history.Revision, keep int) {
	t.Helper()
	all := numbers(h)
	pin, pinned := h.Pinned()
	newest := uint64(len(model))
	for i := range min(uint64(keep), newest) {
		if _, err := h.Get(newest - i); err != nil {
			t.Fatalf("the newest %d are not all kept: %v", keep, err)
		}
	}
	if limit := min(keep, len(model)); len(all) > limit && !(pinned && len(all) == limit+1 && all[0] == pin.Number) {
		t.Fatalf("kept are %v of %d, pin %v", all, keep, pin)
	}
	for _, number := range all {
		if got, err := h.Get(number); err != nil || !reflect.DeepEqual(got, model[number]) {
			t.Fatalf("revision %d is %+v, %v; want %+v", number, got, err, model[number])
		}
	}
	if latest, ok := h.Latest(); ok != (newest > 0) || ok && !reflect.DeepEqual(latest, model[newest]) {
		t.Fatalf("latest is %+v, want %+v", latest, model[newest])
	}
	if problems := h.Problems(); problems != nil {
		t.Fatalf("problems %v", problems)
	}
}

// BenchmarkAdd adds revisions that change one of 10,000 documents of 1 KiB.
func BenchmarkAdd(b *testing.B) {
	h := open(b, b.TempDir(), 50)
	set := make([]source.Document, 10_000)
	for i := range set {
		set[i] = source.Document{Name: fmt.Sprintf("models/m%d.yaml", i), Data: []byte(fmt.Sprintf("%1024d", i))}
	}
	add(b, h, "all", set)
	for i := 0; b.Loop(); i++ {
		set[i%len(set)].Data = []byte(fmt.Sprintf("%1024d", -i-1))
		add(b, h, "one", set)
	}
}
