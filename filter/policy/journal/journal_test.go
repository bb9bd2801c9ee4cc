package journal_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/journal"
)

const (
	second = 1_000_000_000
	whole  = 1_000_000 * bucket.Micro // of the bucket
)

var errBroken = errors.New("broken")

// shared is Envoy's shared data: it outlives the workers.
type shared struct {
	values  map[[2]int]value
	counter uint32
	broken  bool
}

type value struct {
	bytes   []byte
	version uint32
}

func (s *shared) Load(slot, page int) ([]byte, uint32, bool, error) {
	v, found := s.values[[2]int{slot, page}]
	if s.broken {
		return nil, 0, false, errBroken
	}
	return append([]byte(nil), v.bytes...), v.version, found, nil
}

func (s *shared) Save(slot, page int, b []byte, version uint32, found bool) (bool, error) {
	if s.broken {
		return false, errBroken
	}
	if v, exists := s.values[[2]int{slot, page}]; exists != found || v.version != version {
		return false, nil
	}
	return true, s.Write(slot, page, b)
}

func (s *shared) Write(slot, page int, b []byte) error {
	if s.broken {
		return errBroken
	}
	s.counter++
	s.values[[2]int{slot, page}] = value{append([]byte(nil), b...), s.counter}
	return nil
}

// world is some workers with one bucket, and a model of what is to be left in it.
type world struct {
	*shared
	now     int64
	buckets *bucket.Memory
	random  *rand.Rand
	workers []*worker
	charged int64 // by reservations that are settled, or whose worker is dead
	orphans uint64
}

func newWorld(seed uint64, workers int) *world {
	w := &world{shared: &shared{values: map[[2]int]value{}}, now: 1_700_000_000 * second, buckets: bucket.NewMemory(1), random: rand.New(rand.NewPCG(seed, 1))}
	for range workers {
		w.workers = append(w.workers, w.worker())
	}
	return w
}

// worker is one VM.
type worker struct {
	world *world
	list  journal.Journal
	open  []*bucket.Charge
}

func (w *world) worker() *worker {
	v := &worker{world: w}
	v.list.Init(w.shared, w.random.Uint64)
	return v
}

func charge(micro int64) *bucket.Charge {
	return &bucket.Charge{Key: 7, Params: bucket.Params{CapacityMicro: whole}, CostMicro: micro}
}

func (v *worker) take(micro int64) *bucket.Charge {
	c := charge(micro)
	if r, err := v.world.buckets.Take(c, v.world.now); err == nil && r.Allowed {
		v.list.Add(c, r.TakenMicro, v.world.now)
		v.open = append(v.open, c)
	}
	return c
}

// settle settles the i-th open charge.
func (v *worker) settle(i int, actual int64) {
	c := v.open[i]
	v.open = append(v.open[:i], v.open[i+1:]...)
	taken, _ := v.list.Remove(c, v.world.now)
	at := *c
	at.CostMicro = taken
	if _, err := v.world.buckets.Settle(&at, actual, v.world.now); err != nil {
		panic(err)
	}
	v.world.charged += actual
}

func (w *world) SettleFor(e *journal.Entry, now int64) {
	if _, err := w.buckets.Settle(&e.Charge, e.SpentMicro, now); err != nil {
		panic(err)
	}
}

// trap ends a worker, without a word, and starts another.
func (w *world) trap(i int) {
	for _, c := range w.workers[i].open {
		if c.Ticket.Number > 0 {
			w.charged += c.Ticket.SpentMicro
			w.orphans++
		} else {
			w.charged += c.CostMicro
		}
	}
	w.workers[i] = w.worker()
}

// second lets all workers tick but those that stall.
func (w *world) second(stalled map[int]bool) {
	w.now += second
	for i, v := range w.workers {
		if !stalled[i] {
			v.list.Tick(w, w.now)
			v.list.Flush()
		}
	}
}

// left is what the bucket has.
func (w *world) left(t *testing.T) int64 {
	t.Helper()
	r, err := w.buckets.Take(charge(2*whole), w.now)
	if err != nil || r.Allowed {
		t.Fatal(r, err)
	}
	return r.RemainingMicro
}

// Whichever workers trap or stall, and whenever: in the end the bucket lacks what the
// settled reservations cost and what the list said of those of the dead.
func TestEveryReservationIsSettledOnce(t *testing.T) {
	for seed := range uint64(150) {
		w := newWorld(seed, 4)
		for range 400 {
			i := w.random.IntN(len(w.workers))
			v := w.workers[i]
			switch w.random.IntN(8) {
			case 0, 1, 2:
				v.take(int64(1 + w.random.IntN(1000)))
				v.list.Flush()
			case 3, 4:
				if len(v.open) > 0 {
					v.settle(w.random.IntN(len(v.open)), int64(w.random.IntN(1200)))
				}
			case 5:
				if len(v.open) > 0 {
					v.list.Tick(w, w.now) // as in a tick of the filter
					v.list.Note(v.open[w.random.IntN(len(v.open))], int64(w.random.IntN(1500)))
					v.list.Flush()
				}
			case 6:
				if w.random.IntN(10) == 0 {
					w.trap(i)
				}
			default:
				stalled := map[int]bool{}
				if w.random.IntN(4) == 0 {
					stalled[i] = true
				}
				for range 1 + w.random.IntN(12) {
					w.second(stalled)
				}
			}
		}
		for _, v := range w.workers {
			for len(v.open) > 0 {
				v.settle(0, 10)
			}
		}
		for range 12 {
			w.second(nil)
		}
		if got := w.left(t); got != whole-w.charged {
			t.Fatalf("seed %d: %d micro-units are gone, want %d", seed, whole-got, w.charged)
		}
		if w.orphans == 0 && seed == 0 {
			t.Fatal("nothing was tried")
		}
	}
}

// A worker that was given up for dead by mistake does not settle twice, and lists in
// another slot from then on.
func TestSlowWorker(t *testing.T) {
	w := newWorld(1, 2)
	slow := w.workers[0]
	slow.take(1000)
	slow.list.Flush()
	slow.list.Note(slow.open[0], 300)
	slow.list.Flush()
	for range 8 {
		w.second(map[int]bool{0: true})
	}
	if got := whole - w.left(t); got != 300 || w.workers[1].list.Orphans != 1 {
		t.Fatalf("%d micro-units are gone, %d orphans", got, w.workers[1].list.Orphans)
	}
	slow.take(50)
	slow.list.Flush()
	slow.settle(0, 700)
	if got := whole - w.left(t); got != 750 {
		t.Errorf("%d micro-units are gone, want 750", got)
	}
	w.trap(0)
	for range 8 {
		w.second(nil)
	}
	if got := whole - w.left(t); got != 750 || w.workers[1].list.Orphans+w.workers[0].list.Orphans != 2 {
		t.Errorf("%d micro-units are gone, want 750; orphans %d", got, w.workers[1].list.Orphans)
	}
}

// A worker that traps while it settles for another is followed by the next.
func TestTrapWhileSettlingForAnother(t *testing.T) {
	w := newWorld(2, 2)
	dead := w.workers[0]
	for range 3 * journal.EntriesPerPage {
		c := dead.take(100)
		dead.list.Note(c, 40)
		dead.list.Flush()
	}
	w.trap(0)
	trapped := &trapping{world: w, left: journal.EntriesPerPage + 3}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it did not trap")
			}
		}()
		for range 8 {
			w.now += second
			w.workers[1].list.Tick(trapped, w.now)
		}
	}()
	w.workers[1] = w.worker()
	for range 12 {
		w.second(nil)
	}
	// Of the page at which it trapped, those that it had not come to stay spent.
	lost := int64(journal.EntriesPerPage - 3)
	if got, want := whole-w.left(t), int64(3*journal.EntriesPerPage)*40+lost*60; got != want {
		t.Errorf("%d micro-units are gone, want %d", got, want)
	}
}

// trapping settles some entries and then traps.
type trapping struct {
	*world
	left int
}

func (b *trapping) SettleFor(e *journal.Entry, now int64) {
	if b.left == 0 {
		panic("trap")
	}
	b.left--
	b.world.SettleFor(e, now)
}

// What finds no room is not listed, stays spent if its worker dies, and is counted.
func TestFull(t *testing.T) {
	const most = journal.Pages * journal.EntriesPerPage
	w := newWorld(3, 2)
	v := w.workers[0]
	for range most + 10 {
		c := v.take(100)
		v.list.Note(c, 1)
	}
	v.list.Flush()
	if v.list.Unlisted != 10 {
		t.Errorf("%d are not listed, want 10", v.list.Unlisted)
	}
	v.settle(0, 100)
	if v.take(100); v.list.Unlisted != 10 {
		t.Error("an entry that is free again was not found")
	}
	v.list.Note(v.open[len(v.open)-1], 1)
	v.list.Flush()
	w.trap(0)
	for range 12 {
		w.second(nil)
	}
	if got, want := whole-w.left(t), int64(100+10*100+most); got != want {
		t.Errorf("%d micro-units are gone, want %d", got, want)
	}
}

// More workers than slots: those beyond list nothing, and say so.
func TestNoSlot(t *testing.T) {
	w := newWorld(4, journal.Slots+1)
	for _, v := range w.workers {
		v.take(1)
		v.list.Flush()
	}
	if last := w.workers[journal.Slots]; last.list.Unlisted != 1 {
		t.Errorf("%d are not listed, want 1", last.list.Unlisted)
	}
	w.workers = w.workers[1:] // the first is dead, and makes room
	for range 12 {
		w.second(nil)
	}
	last := w.workers[journal.Slots-1]
	if last.take(1); last.list.Unlisted != 1 {
		t.Error("the slot of a dead worker was not found")
	}
}

// While the store fails nothing is listed, and everything can be settled.
func TestBrokenStore(t *testing.T) {
	w := newWorld(5, 1)
	v := w.workers[0]
	v.take(10)
	v.list.Flush()
	w.broken = true
	w.now += 10 * second
	v.take(20)
	v.list.Flush()
	v.list.Tick(w, w.now)
	v.settle(0, 4)
	v.settle(0, 5)
	if got := whole - w.left(t); got != 9 || v.list.Unlisted != 1 {
		t.Errorf("%d micro-units are gone, want 9; %d not listed", got, v.list.Unlisted)
	}
	w.broken = false
	w.now += 10 * second
	v.take(30)
	v.list.Flush()
	w.trap(0)
	for range 12 {
		w.second(nil)
	}
	if got := whole - w.left(t); got != 39 {
		t.Errorf("%d micro-units are gone, want 39", got)
	}
}

// Listing and striking off allocate nothing.
func TestNoAllocation(t *testing.T) {
	j := &journal.Journal{}
	j.Init(fixed{}, func() uint64 { return 5 })
	c := charge(100)
	j.Add(c, 100, 0)
	j.Remove(c, 0)
	if n := testing.AllocsPerRun(100, func() {
		j.Add(c, 100, 0)
		j.Flush()
		j.Note(c, 3)
		j.Flush()
		j.Remove(c, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// fixed is a store that has nothing and takes everything.
type fixed struct{}

func (fixed) Load(int, int) ([]byte, uint32, bool, error)       { return nil, 0, false, nil }
func (fixed) Save(int, int, []byte, uint32, bool) (bool, error) { return true, nil }
func (fixed) Write(int, int, []byte) error                      { return nil }
