package lease

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

const (
	second = int64(1e9)
	epoch  = int64(1_760_000_000) * second
)

// budget fills up in ten seconds.
var budget = bucket.Params{CapacityMicro: 1000 * bucket.Micro, RefillMicroPerSec: 100 * bucket.Micro}

type grant struct {
	key         uint64
	share, fill uint32
}

func answer(grants ...grant) []byte {
	b := binary.LittleEndian.AppendUint32(nil, version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(grants)))
	for _, g := range grants {
		b = binary.LittleEndian.AppendUint64(b, g.key)
		b = binary.LittleEndian.AppendUint32(b, g.share)
		b = binary.LittleEndian.AppendUint32(b, g.fill)
	}
	return b
}

func newTable() Table {
	t := make(Table, TableSize)
	t.Init(7, epoch)
	return t
}

func renewed(t *testing.T, table Table, now int64, grants ...grant) Table {
	t.Helper()
	next := make(Table, TableSize)
	if err := next.Renew(table, answer(grants...), now); err != nil {
		t.Fatal(err)
	}
	if !next.Valid() || next.Instance() != 7 {
		t.Fatalf("valid %v, instance %d", next.Valid(), next.Instance())
	}
	return next
}

// units are the whole tokens of a scaled bucket.
func units(p bucket.Params) [3]int64 {
	return [3]int64{p.CapacityMicro / bucket.Micro, p.RefillMicroPerSec / bucket.Micro, p.WholeMicro / bucket.Micro}
}

func TestScale(t *testing.T) {
	const key, fill, half = 5, 10_000, Whole / 2
	start := newTable()
	grown := renewed(t, start, epoch, grant{Default, half, 0}, grant{key, half, fill})
	steady := renewed(t, grown, epoch+20*second, grant{Default, half, 0}, grant{key, half, fill})
	shrunk := renewed(t, steady, epoch+20*second, grant{Default, half, 0}, grant{key, Whole / 10, fill})
	again := renewed(t, shrunk, epoch+21*second, grant{Default, half, 0}, grant{key, half, fill})
	halfway := renewed(t, grown, epoch+2*second, grant{Default, half, 0}, grant{key, Whole, fill})
	gone := renewed(t, shrunk, epoch+21*second, grant{Default, half, 0})
	for name, test := range map[string]struct {
		table Table
		key   uint64
		at    int64
		want  [3]int64 // capacity, refill, capacity of the whole
	}{
		"an Envoy that starts":                {start, key, 0, [3]int64{50, 5, 1000}},
		"more refill at once":                 {grown, key, 0, [3]int64{50, 50, 1000}},
		"more capacity as it flows in":        {grown, key, 4, [3]int64{250, 50, 1000}},
		"up to the share":                     {grown, key, 60, [3]int64{500, 50, 1000}},
		"a key without a share of its own":    {grown, key + 1, 60, [3]int64{500, 50, 1000}},
		"the same share goes on":              {steady, key, 20, [3]int64{500, 50, 1000}},
		"less at once":                        {shrunk, key, 20, [3]int64{100, 10, 1000}},
		"more again begins where it was":      {again, key, 21, [3]int64{100, 50, 1000}},
		"still on its way when more comes":    {halfway, key, 2, [3]int64{150, 100, 1000}},
		"and goes on from there":              {halfway, key, 3, [3]int64{250, 100, 1000}},
		"a share that ended is the default":   {gone, key, 60, [3]int64{500, 50, 1000}},
		"a clock that was set back":           {grown, key, -100, [3]int64{50, 50, 1000}},
		"other keys are none of its business": {shrunk, key - 1, 60, [3]int64{500, 50, 1000}},
	} {
		got := units(test.table.Scale(test.key, budget, epoch+test.at*second))
		for i := range got { // shares are rounded down
			if got[i] < test.want[i]-1 || got[i] > test.want[i] {
				t.Errorf("%s: %v, want %v", name, got, test.want)
				break
			}
		}
	}
}

// Whatever shares come and go, a bucket that nobody uses has no more than what had
// flowed into it: so Envoys whose shares never add up to more than the whole never
// have more than the whole.
func TestCapacityGrowsNoFasterThanTheRefill(t *testing.T) {
	const key = 9
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		table, now := newTable(), epoch
		fill := FillMs(budget)
		model := float64(Start) // what a bucket that is always full holds, of Whole
		var share float64
		for range 50 {
			next := uint32(r.Int64N(Whole + 1))
			table = renewed(t, table, now, grant{Default, Whole / 7, 0}, grant{key, next, fill})
			if share = float64(next); model > share {
				model = share
			}
			step := r.Int64N(3 * second)
			now += step
			model = min(share, model+share*float64(step)/float64(fill)/1e6)
			got := float64(table.Scale(key, budget, now).CapacityMicro) / float64(budget.CapacityMicro) * Whole
			if got > model+1000 || got < model-1e6 {
				t.Fatalf("capacity %.0f of %d, the model has %.0f", got, Whole, model)
			}
		}
	}
}

func TestDemand(t *testing.T) {
	d := make(Demand, DemandSize)
	if !d.Empty() {
		t.Error("zeros are demand")
	}
	for key := uint64(1); key <= Keys; key++ {
		d.Add(key, int64(key), 10)
	}
	d.Add(3, 100, 20)
	d.Add(1000, 1, 10)  // is wanted less than any
	d.Add(1001, 50, 10) // takes the place of 1
	other := make(Demand, DemandSize)
	other.Add(1001, 5, 30)
	other.Add(2, 1<<63-1, 1)
	d.AddAll(other)
	for key, want := range map[uint64]int64{1: 0, 2: 1<<63 - 1, 3: 103, 64: 64, 1000: 0, 1001: 55} {
		if got, _ := d.of(key); got != want {
			t.Errorf("demand of %d is %d, want %d", key, got, want)
		}
	}
}

func TestRequestNamesAllLeasesAndDemands(t *testing.T) {
	table := renewed(t, newTable(), epoch, grant{Default, 11, 0}, grant{3, 33, 300}, grant{4, 44, 400})
	d := make(Demand, DemandSize)
	d.Add(4, 4_000, 401)
	d.Add(5, 5_000, 501)
	b := AppendRequest(nil, table, d)
	want := [][4]uint64{{0, 0, 11, 0}, {3, 0, 33, 300}, {4, 4_000, 44, 401}, {5, 5_000, Unleased, 501}}
	if n := len(b); n != requestHeader+len(want)*requestEntry || binary.LittleEndian.Uint32(b[4:]) != uint32(len(want)) {
		t.Fatalf("%d bytes", n)
	}
	for i, w := range want {
		e := b[requestHeader+i*requestEntry:]
		got := [4]uint64{binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint64(e[8:]), uint64(binary.LittleEndian.Uint32(e[16:])), uint64(binary.LittleEndian.Uint32(e[20:]))}
		if got != w {
			t.Errorf("entry %d is %v, want %v", i, got, w)
		}
	}
}

// How soon to ask again stands where the default has no time to fill up in, and stays
// out of the table.
func TestAgain(t *testing.T) {
	for _, ms := range []uint32{0, 103} {
		a := answer(grant{Default, Whole / 2, ms}, grant{5, Whole, 1000})
		table := renewed(t, newTable(), epoch, grant{Default, Whole / 2, ms}, grant{5, Whole, 1000})
		if got := Again(a); got != ms {
			t.Errorf("again in %d ms, want %d", got, ms)
		}
		if e := table.get(0); e.fill != 0 {
			t.Errorf("the default's fill is %d", e.fill)
		}
	}
}

func TestLargestRequestFits(t *testing.T) {
	var grants []grant
	d := make(Demand, DemandSize)
	for key := uint64(0); key <= Keys; key++ {
		grants = append(grants, grant{key, 1, 1})
		d.Add(1000+key, 1, 1)
	}
	if n := len(AppendRequest(nil, renewed(t, newTable(), epoch, grants...), d)); n != MaxRequest {
		t.Errorf("%d bytes, MaxRequest is %d", n, MaxRequest)
	}
}

func TestBadAnswersChangeNothing(t *testing.T) {
	table := newTable()
	before := string(table)
	good := answer(grant{Default, 1, 0}, grant{5, 2, 0})
	for name, bad := range map[string][]byte{
		"empty":             nil,
		"cut":               good[:len(good)-1],
		"another version":   append([]byte{9}, good[1:]...),
		"no entries":        answer(),
		"no default":        answer(grant{5, 2, 0}),
		"not in order":      answer(grant{Default, 1, 0}, grant{5, 2, 0}, grant{4, 2, 0}),
		"twice":             answer(grant{Default, 1, 0}, grant{5, 2, 0}, grant{5, 2, 0}),
		"the default twice": answer(grant{Default, 1, 0}, grant{Default, 2, 0}),
		"above the whole":   answer(grant{Default, Whole + 1, 0}),
		"too many":          answer(make([]grant, Keys+2)...),
	} {
		if err := table.Renew(newTable(), bad, epoch); err == nil {
			t.Errorf("%s: no error", name)
		}
		if string(table) != before {
			t.Fatalf("%s: the table changed", name)
		}
	}
}

func FuzzRenew(f *testing.F) {
	f.Add(answer(grant{Default, 1, 0}, grant{5, 2, 0}), uint64(5))
	f.Fuzz(func(t *testing.T, b []byte, key uint64) {
		table := make(Table, TableSize)
		if table.Renew(newTable(), b, epoch) != nil {
			return
		}
		p := table.Scale(key, budget, epoch+second)
		if p.CapacityMicro > budget.CapacityMicro || p.RefillMicroPerSec > budget.RefillMicroPerSec || p.CapacityMicro < 0 {
			t.Errorf("%+v of %+v", p, budget)
		}
		AppendRequest(nil, table, make(Demand, DemandSize))
	})
}

func TestNothingIsAllocated(t *testing.T) {
	table, next, d := newTable(), make(Table, TableSize), make(Demand, DemandSize)
	b, a := make([]byte, 0, MaxRequest), answer(grant{Default, 1, 0}, grant{5, 2, 0})
	if n := testing.AllocsPerRun(100, func() {
		d.Add(5, 1, 1)
		table.Scale(5, budget, epoch)
		AppendRequest(b, table, d)
		_ = next.Renew(table, a, epoch) // a is well formed
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
