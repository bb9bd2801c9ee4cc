package plugin

import (
	"errors"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/journal"
)

// fakePages are pages in memory, with a hand on what goes wrong.
type fakePages struct {
	pages   map[uint32][]byte
	version map[uint32]uint32
	races   int // saves that another worker beats
	broken  error
	saves   int
}

func newFakePages() *fakePages {
	return &fakePages{pages: map[uint32][]byte{}, version: map[uint32]uint32{}}
}

func (f *fakePages) load(n uint32) ([]byte, uint32, bool, error) {
	page, ok := f.pages[n]
	return page, f.version[n], ok, f.broken
}

func (f *fakePages) save(n uint32, page []byte, version uint32, found bool) (bool, error) {
	_, exists := f.pages[n]
	if f.races > 0 {
		f.races--
		return false, nil
	}
	if exists != found || exists && version != f.version[n] {
		return false, nil
	}
	f.saves++
	f.pages[n] = append([]byte(nil), page...)
	f.version[n]++
	return true, nil
}

func charge(cost int64) *bucket.Charge {
	return &bucket.Charge{Key: 99, CostMicro: cost * bucket.Micro,
		Params: bucket.Params{CapacityMicro: 10 * bucket.Micro, RefillMicroPerSec: bucket.Micro}}
}

const start = int64(1_700_000_000_000_000_000)

func TestStoreTakesGivesAndRefuses(t *testing.T) {
	f := newFakePages()
	s := pageStore{host: f, journal: noList()}
	for i, want := range []bool{true, true, false} {
		r, err := s.Take(charge(5), start)
		if err != nil || r.Allowed != want {
			t.Fatalf("charge %d: allowed %v, error %v; want %v", i, r.Allowed, err, want)
		}
	}
	if _, err := s.Settle(charge(5), 0, start); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Take(charge(5), start); err != nil || !r.Allowed {
		t.Errorf("what was given back could not be taken: %+v, %v", r, err)
	}
	if len(f.pages) != 1 {
		t.Errorf("%d pages for one key", len(f.pages))
	}
}

func TestStoreRetriesLostRaces(t *testing.T) {
	f := newFakePages()
	f.races = maxRetries - 1
	s := pageStore{host: f, journal: noList()}
	if r, err := s.Take(charge(5), start); err != nil || !r.Allowed || f.saves != 1 {
		t.Errorf("allowed %v, error %v, %d saves", r.Allowed, err, f.saves)
	}
	if s.conflicts != maxRetries-1 || s.failures != [3]uint64{} {
		t.Errorf("%d conflicts, %v failures counted", s.conflicts, s.failures)
	}
}

func TestStoreGivesUp(t *testing.T) {
	broken := errors.New("no shared data")
	for name, test := range map[string]struct {
		prepare func(*fakePages)
		want    error
		counted [3]uint64
	}{
		"contended": {func(f *fakePages) { f.races = 1 << 30 }, errStoreContended, [3]uint64{0, 2, 0}},
		"unusable":  {func(f *fakePages) { f.broken = broken }, broken, [3]uint64{0, 0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakePages()
			s := pageStore{host: f, journal: noList()}
			if _, err := s.Take(charge(1), start); err != nil { // so that Give has something to write
				t.Fatal(err)
			}
			test.prepare(f)
			if _, err := s.Take(charge(1), start); !errors.Is(err, test.want) {
				t.Errorf("Take: %v, want %v", err, test.want)
			}
			if _, err := s.Settle(charge(1), 0, start); !errors.Is(err, test.want) {
				t.Errorf("Settle: %v, want %v", err, test.want)
			}
			if s.failures != test.counted {
				t.Errorf("%v failures counted, want %v of %v", s.failures, test.counted, failureNames)
			}
		})
	}
}

func TestStoreStartsAnewOnAForeignPage(t *testing.T) {
	f := newFakePages()
	c := charge(10)
	n := pageTable.PageOf(c.Key)
	f.pages[n], f.version[n] = []byte("of another layout"), 7
	s := pageStore{host: f, journal: noList()}
	if r, err := s.Take(c, start); err != nil || !r.Allowed || len(f.pages[n]) != bucket.PageSize {
		t.Errorf("allowed %v, error %v, page of %d bytes", r.Allowed, err, len(f.pages[n]))
	}
}

// A page of which every entry is in use and not idle refuses a new key, and says so:
// nobody's debt is forgotten for it.
func TestStoreCountsFullPages(t *testing.T) {
	s := pageStore{host: newFakePages(), journal: noList()}
	n := pageTable.PageOf(charge(1).Key)
	kept := 0
	for key := charge(1).Key; kept <= bucket.EntriesPerPage; key++ {
		c := charge(5)
		c.Key = key
		if pageTable.PageOf(key) != n {
			continue
		}
		_, err := s.Take(c, start)
		if full := kept == bucket.EntriesPerPage; errors.Is(err, bucket.ErrTableFull) != full {
			t.Fatalf("key %d of the page: %v", kept, err)
		}
		kept++
	}
	if s.failures != [3]uint64{1, 0, 0} {
		t.Errorf("%v failures counted, want one of %v", s.failures, failureNames)
	}
}

// noList is a journal that has no store, and so lists nothing.
func noList() *journal.Journal {
	j := &journal.Journal{}
	j.Init(noStore{}, func() uint64 { return 1 })
	return j
}

type noStore struct{}

func (noStore) Load(int, int) ([]byte, uint32, bool, error) { return nil, 0, false, errStoreUnusable }
func (noStore) Write(int, int, []byte) error                { return errStoreUnusable }
func (noStore) Save(int, int, []byte, uint32, bool) (bool, error) {
	return false, errStoreUnusable
}
