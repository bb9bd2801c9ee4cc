package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a source under fake time: what it holds is set at once, and read
// after a while.
type fake struct {
	name    string
	mu      sync.Mutex
	now     Reading
	err     error
	takes   time.Duration
	changed func()
}

func (f *fake) String() string { return f.name }
func (f *fake) Label() string  { return f.name }

func (f *fake) Read(ctx context.Context) (Reading, error) {
	f.mu.Lock()
	takes := f.takes
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return Reading{}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.err
}

func (f *fake) Watch(changed func()) Watched {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = changed
	return f
}

func (f *fake) Close() {}

func (f *fake) set(content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.err = Reading{Set: Set{Documents: []Document{{Name: "d", Data: []byte(content)}}}}, nil
}

func (f *fake) fail(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = errors.New(text)
}

func (f *fake) slow(takes time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takes = takes
}

func text(u Update) string {
	var parts []string
	for _, d := range u.Documents {
		parts = append(parts, string(d.Data))
	}
	for _, p := range u.Problems {
		parts = append(parts, "!"+p.String())
	}
	return strings.Join(parts, ",")
}

// run watches sources and returns when what was delivered, as text with its time.
func run(t *testing.T, sources []*fake, script func()) []string {
	t.Helper()
	var delivered []string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var all []Source
		for _, f := range sources {
			all = append(all, f)
		}
		done, start := make(chan error), time.Now()
		go func() {
			done <- Watch(ctx, all, DefaultTiming(), func(u Update) {
				delivered = append(delivered, strconv.FormatInt(time.Since(start).Milliseconds(), 10)+" "+text(u))
			})
		}()
		synctest.Wait()
		script()
		time.Sleep(5 * time.Minute) // fake: whatever is pending is delivered
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return delivered
}

func TestWatch(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name   string
		script func(a, b *fake)
		want   []string
	}{
		{"first read at once", func(*fake, *fake) {}, []string{"0 0,0"}},
		{"one change after quiet", func(a, _ *fake) { a.set("1"); a.changed() }, []string{"0 0,0", "20 1,0"}},
		{"changes of two sources that come together are one", func(a, b *fake) {
			a.set("1")
			a.changed()
			time.Sleep(10 * ms)
			b.set("2")
			b.changed()
		}, []string{"0 0,0", "30 1,2"}},
		{"a stream of changes waits no longer than the maximum", func(a, _ *fake) {
			for i := range 150 {
				a.set(strconv.Itoa(i))
				a.changed()
				time.Sleep(11 * ms)
			}
		}, []string{"0 0,0", "1000 90,0", "1659 149,0"}},
		{"20 changes a second are all delivered", func(a, _ *fake) {
			for i := range 3 {
				a.set(strconv.Itoa(i + 1))
				a.changed()
				time.Sleep(50 * ms)
			}
		}, []string{"0 0,0", "20 1,0", "70 2,0", "120 3,0"}},
		{"no difference, no delivery", func(a, _ *fake) { a.changed() }, []string{"0 0,0"}},
		{"an error keeps what was, and the others go on; it is asked again", func(a, b *fake) {
			a.fail("gone")
			a.changed()
			time.Sleep(100 * ms)
			b.set("1")
			b.changed()
			time.Sleep(100 * ms)
			a.set("2") // and nothing tells of it
		}, []string{"0 0,0", "20 0,0,!a: gone (what it held before stays)", "120 0,1,!a: gone (what it held before stays)", "1040 2,1"}},
		{"a change that nothing tells of is found", func(a, _ *fake) { a.set("1") }, []string{"0 0,0", "10020 1,0"}},
		{"a change while it is read is read again", func(a, _ *fake) {
			a.slow(500 * ms)
			a.set("1")
			a.changed()
			time.Sleep(100 * ms)
			a.slow(0)
			a.changed()
			a.set("2")
		}, []string{"0 0,0", "520 2,0"}},
		{"one that hangs is not waited for", func(a, b *fake) {
			a.slow(time.Minute)
			a.set("1")
			a.changed()
			time.Sleep(100 * ms)
			b.set("1")
			b.changed()
			time.Sleep(3 * time.Second)
			b.set("2")
			b.changed()
			a.slow(0)
		}, []string{
			"0 0,0", "2020 0,1,!a: has not answered for 2s; it is waited for in the background (what it held before stays)",
			"3120 0,2,!a: has not answered for 2s; it is waited for in the background (what it held before stays)", "60020 1,2",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := &fake{name: "a"}, &fake{name: "b"}
			a.set("0")
			b.set("0")
			check(t, run(t, []*fake{a, b}, func() { test.script(a, b) }), test.want)
		})
	}
}

// TestWatchFirst: a source that cannot be read at first does not stop the others.
func TestWatchFirst(t *testing.T) {
	a, b := &fake{name: "a"}, &fake{name: "b"}
	a.fail("not there")
	b.set("1")
	check(t, run(t, []*fake{a, b}, func() { time.Sleep(100 * time.Millisecond); a.set("0"); a.changed() }),
		[]string{"0 1,!a: not there (it has not been read yet)", "120 0,1"})
	a, b = &fake{name: "a", takes: time.Hour}, &fake{name: "b"}
	b.set("1")
	check(t, run(t, []*fake{a, b}, func() {}),
		[]string{"2000 1,!a: has not answered for 2s; it is waited for in the background (it has not been read yet)"})
}

func check(t *testing.T, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("delivered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWatchNewest: whatever is changed, broken, slowed and mended in whatever
// order, every set is made of contents that each source really held, none goes
// back, and the last one is the newest.
func TestWatchNewest(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		sources := []*fake{{name: "a"}, {name: "b"}, {name: "c"}}
		counts := make([]int, len(sources))
		for _, f := range sources {
			f.set("0")
		}
		delivered := run(t, sources, func() {
			for range 100 {
				i := random.IntN(len(sources))
				f := sources[i]
				switch random.IntN(8) {
				case 0:
					f.fail("broken")
				case 1:
					f.slow(time.Duration(random.IntN(3000)) * time.Millisecond)
				default:
					counts[i]++
					f.set(strconv.Itoa(counts[i]))
				}
				if random.IntN(5) > 0 { // sometimes nothing tells of it
					f.changed()
				}
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			}
			for i, f := range sources {
				counts[i]++
				f.slow(0)
				f.set(strconv.Itoa(counts[i]))
			}
		})
		newest := fmt.Sprintf("%d,%d,%d", counts[0], counts[1], counts[2])
		if last := delivered[len(delivered)-1]; !strings.HasSuffix(last, " "+newest) {
			t.Fatalf("seed %d: %q was delivered last, want %s", seed, last, newest)
		}
		before := make([]int, len(sources))
		for _, d := range delivered {
			_, set, _ := strings.Cut(d, " ")
			set, _, _ = strings.Cut(set, ",!")
			for i, part := range strings.Split(set, ",") {
				now, err := strconv.Atoi(part)
				if err != nil || now < before[i] {
					t.Fatalf("seed %d: %q goes back", seed, d)
				}
				before[i] = now
			}
		}
	}
}

func TestTogether(t *testing.T) {
	for want, sources := range map[string][]Source{
		"no sources of resources: name a folder with --resources DIR, or an etcd with --etcd ENDPOINTS": nil,
		"a is given twice: leave one of the two out":                                                    {&fake{name: "a"}, &fake{name: "a"}},
	} {
		if _, err := Read(t.Context(), sources); err == nil || err.Error() != want {
			t.Errorf("read: %v, want %s", err, want)
		}
		if err := Watch(t.Context(), sources, DefaultTiming(), func(Update) { t.Error("delivered") }); err == nil || err.Error() != want {
			t.Errorf("watch: %v, want %s", err, want)
		}
	}
}
