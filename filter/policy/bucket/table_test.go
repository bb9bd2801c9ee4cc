package bucket_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

func charge(key uint64, units int64) *bucket.Charge {
	return &bucket.Charge{Key: key, Params: hundred, CostMicro: units * unit}
}

func take(t *testing.T, g bucket.Page, key uint64, units, now int64) bucket.Result {
	t.Helper()
	r, _, err := g.Take(charge(key, units), now)
	if err != nil {
		t.Fatalf("key %d: %v", key, err)
	}
	return r
}

func TestPageKeepsBucketsApart(t *testing.T) {
	g := make(bucket.Page, bucket.PageSize)
	for key := uint64(1); key <= bucket.EntriesPerPage; key++ {
		take(t, g, key, int64(key), epoch)
	}
	for key := uint64(1); key <= bucket.EntriesPerPage; key++ {
		if r := take(t, g, key, 0, epoch); r.RemainingMicro != (100-int64(key))*unit {
			t.Errorf("key %d: %d left, want %d units", key, r.RemainingMicro, 100-key)
		}
	}
}

func TestPageEvictsOnlyIdleBuckets(t *testing.T) {
	g := make(bucket.Page, bucket.PageSize)
	for key := uint64(1); key <= bucket.EntriesPerPage; key++ {
		take(t, g, key, 3*int64(key), epoch) // full again after key/10 seconds
	}
	before := string(g)
	if _, changed, err := g.Take(charge(99, 1), epoch); !errors.Is(err, bucket.ErrTableFull) || changed || string(g) != before {
		t.Fatalf("no room: changed %v, error %v, want ErrTableFull and an untouched page", changed, err)
	}
	if r, changed, err := g.Take(charge(99, 101), epoch); err != nil || changed || !r.Never {
		t.Errorf("a refusal of a new key needs no room: %+v %v %v", r, changed, err)
	}
	take(t, g, 99, 50, epoch+second/10) // key 1 is idle now
	if r := take(t, g, 2, 0, epoch+second/10); r.RemainingMicro != 97*unit {
		t.Errorf("key 2: %d left, want its level refilled by 3 units", r.RemainingMicro)
	}
	if r := take(t, g, 99, 0, epoch+second/10); r.RemainingMicro != 50*unit {
		t.Errorf("key 99: %d left, want 50 units", r.RemainingMicro)
	}
}

func TestPageAfterClockSetBack(t *testing.T) {
	g := make(bucket.Page, bucket.PageSize)
	for key := uint64(1); key <= bucket.EntriesPerPage; key++ {
		take(t, g, key, 30, epoch)
	}
	back := epoch - 3600*second
	if _, _, err := g.Take(charge(99, 1), back); !errors.Is(err, bucket.ErrTableFull) {
		t.Fatalf("at once: %v, want ErrTableFull", err)
	}
	take(t, g, 99, 1, back+second)
}

func TestPageGive(t *testing.T) {
	g := make(bucket.Page, bucket.PageSize)
	take(t, g, 7, 40, epoch)
	if _, changed, err := g.Settle(charge(7, 40), 0, epoch); err != nil || !changed {
		t.Fatalf("give: changed %v, error %v", changed, err)
	}
	if r := take(t, g, 7, 100, epoch); !r.Allowed {
		t.Errorf("after a refund: %+v, want all of the bucket", r)
	}
	if _, changed, err := g.Settle(charge(8, 40), 0, epoch); err != nil || changed {
		t.Errorf("give to a bucket without an entry: changed %v, error %v", changed, err)
	}
}

func TestPageRefusesWhatIsNone(t *testing.T) {
	short, page := make(bucket.Page, 10), make(bucket.Page, bucket.PageSize)
	for name, c := range map[string]struct {
		page bucket.Page
		key  uint64
		want error
	}{"short": {short, 1, bucket.ErrPageSize}, "no key": {page, 0, bucket.ErrNoKey}} {
		_, _, err := c.page.Take(charge(c.key, 1), epoch)
		_, _, give := c.page.Settle(charge(c.key, 1), 0, epoch)
		if !errors.Is(err, c.want) || !errors.Is(give, c.want) {
			t.Errorf("%s: %v and %v, want %v", name, err, give, c.want)
		}
	}
}

// A page and separate states agree on every result.
func TestPageAgreesWithStates(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	g := make(bucket.Page, bucket.PageSize)
	states := map[uint64]bucket.State{}
	now := epoch
	for range 20_000 {
		now += rng.Int64N(second / 10)
		c := charge(1+rng.Uint64N(bucket.EntriesPerPage), rng.Int64N(40))
		state, used := states[c.Key]
		if !used {
			state = bucket.Full(c.Params, now)
		}
		next, want := bucket.Take(state, c.Params, c.CostMicro, now)
		states[c.Key] = next
		got, _, err := g.Take(c, now)
		if err != nil || got != want {
			t.Fatalf("key %d: %+v %v, want %+v", c.Key, got, err, want)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add(make([]byte, bucket.PageSize), uint64(1), int64(5), epoch)
	f.Fuzz(func(t *testing.T, page []byte, key uint64, cost, now int64) {
		c := &bucket.Charge{Key: key, Params: hundred, CostMicro: cost}
		r, _, err := bucket.Page(page).Take(c, now)
		if err != nil {
			return
		}
		if r.RemainingMicro < 0 || r.RemainingMicro > hundred.CapacityMicro || r.Allowed && cost > hundred.CapacityMicro {
			t.Errorf("%+v of a page of strange bytes", r)
		}
		if _, _, err := bucket.Page(page).Settle(c, c.CostMicro/2, now); err != nil {
			t.Errorf("give after take: %v", err)
		}
	})
}

func TestPageOf(t *testing.T) {
	table := bucket.Table{Pages: 100}
	count := make([]int, table.Pages)
	for i := range uint64(100_000) {
		count[table.PageOf(bucket.NewKey(1).AddUint(i).Sum())]++
	}
	for page, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("page %d has %d of 100,000 keys, want about 1,000", page, n)
		}
	}
}

func TestKey(t *testing.T) {
	k := bucket.NewKey(7)
	seen := map[uint64]string{}
	for name, key := range map[string]bucket.Key{
		"nothing": k, "empty part": k.Add(nil), "two empty parts": k.Add(nil).Add(nil),
		"a,bc": k.Add([]byte("a")).Add([]byte("bc")), "ab,c": k.Add([]byte("ab")).Add([]byte("c")), "abc": k.Add([]byte("abc")),
		"zero": k.Add([]byte{0}), "zeros": k.Add([]byte{0, 0}), "eight": k.Add(make([]byte, 8)), "nine": k.Add(make([]byte, 9)),
		"uint 0": k.AddUint(0), "uint 1": k.AddUint(1), "long": k.Add([]byte("spiffe://example.org/ns/default/sa/client")),
		"other seed": bucket.NewKey(8),
	} {
		sum := key.Sum()
		if other, ok := seen[sum]; ok || sum == 0 {
			t.Errorf("%s and %s share %x", name, other, sum)
		}
		seen[sum] = name
	}
}

// casStore is what the filter does on Envoy's shared data: load a page, step
// it, store it if nobody else has.
type casStore struct {
	table bucket.Table
	pages []atomic.Pointer[[bucket.PageSize]byte]
}

func (s *casStore) step(key uint64, step func(bucket.Page) (bool, error)) error {
	slot := &s.pages[s.table.PageOf(key)]
	for {
		old := slot.Load()
		page := *old
		changed, err := step(page[:])
		if err != nil || !changed || slot.CompareAndSwap(old, &page) {
			return err
		}
	}
}

func (s *casStore) Take(c *bucket.Charge, now int64) (r bucket.Result, err error) {
	err = s.step(c.Key, func(g bucket.Page) (changed bool, err error) {
		r, changed, err = g.Take(c, now)
		return changed, err
	})
	return r, err
}

func (s *casStore) Settle(c *bucket.Charge, actual, now int64) (unpaid int64, err error) {
	err = s.step(c.Key, func(g bucket.Page) (changed bool, err error) {
		unpaid, changed, err = g.Settle(c, actual, now)
		return changed, err
	})
	return unpaid, err
}

func TestConcurrentWorkersShareOneBudget(t *testing.T) {
	store := &casStore{table: bucket.Table{Pages: 4}, pages: make([]atomic.Pointer[[bucket.PageSize]byte], 4)}
	for i := range store.pages {
		store.pages[i].Store(new([bucket.PageSize]byte))
	}
	const workers, requests, keys = 8, 2000, 5
	var admitted [keys]atomic.Int64
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 9))
			for i := range requests {
				k := rng.IntN(keys)
				c := charge(bucket.NewKey(0).AddUint(uint64(k)).Sum(), 1+rng.Int64N(5))
				now := epoch + int64(i)*second/1000 + rng.Int64N(second/100)
				r, err := store.Take(c, now)
				if err != nil {
					t.Error(err)
					return
				}
				if !r.Allowed {
					continue
				}
				if rng.IntN(4) > 0 {
					admitted[k].Add(c.CostMicro)
				} else if _, err := store.Settle(c, 0, now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	// 2.01 s of clock at 30 units a second on top of 100.
	const most = 100*unit + 30*unit*201/100
	for k := range admitted {
		if got := admitted[k].Load(); got > most || got < most*9/10 {
			t.Errorf("key %d: admitted %d, want at most %d and nearly that", k, got, most)
		}
	}
}

func TestMemory(t *testing.T) {
	m := bucket.NewMemory(0)
	c := charge(42, 60)
	first, err1 := m.Take(c, epoch)
	second, err2 := m.Take(c, epoch)
	_, err3 := m.Settle(c, 0, epoch)
	third, err4 := m.Take(c, epoch)
	if !first.Allowed || second.Allowed || !third.Allowed || errors.Join(err1, err2, err3, err4) != nil {
		t.Errorf("%+v %+v %+v %v", first, second, third, errors.Join(err1, err2, err3, err4))
	}
}

func TestNoAllocation(t *testing.T) {
	m := bucket.NewMemory(64)
	c := charge(1, 1)
	tenant := []byte("a tenant with a long name")
	now := epoch
	n := testing.AllocsPerRun(1000, func() {
		c.Key = bucket.NewKey(3).Add(tenant).AddUint(uint64(now)).Sum()
		now += second
		if _, err := m.Take(c, now); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Settle(c, 0, now); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a charge", n)
	}
}
