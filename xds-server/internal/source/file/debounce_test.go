package file

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// fakeFolder is read by loop under fake time.
type fakeFolder struct{ holds atomic.Pointer[Update] }

func (f *fakeFolder) read() Update { return *f.holds.Load() }

func (f *fakeFolder) set(content string) {
	f.holds.Store(&Update{Documents: []source.Document{{Name: "a.yaml", Data: []byte(content)}}})
}

func (f *fakeFolder) fail() { f.holds.Store(&Update{Err: errors.New("gone")}) }

// run starts loop and returns when what was delivered, as text with its time.
func run(t *testing.T, script func(folder *fakeFolder, change func())) []string {
	t.Helper()
	var delivered []string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		folder, changes, done, start := new(fakeFolder), make(chan struct{}), make(chan struct{}), time.Now()
		folder.set("0")
		go func() {
			defer close(done)
			loop(ctx, DefaultTiming(), changes, folder.read, func(u Update) {
				text := "error"
				if u.Err == nil {
					text = string(u.Documents[0].Data)
				}
				delivered = append(delivered, strconv.FormatInt(time.Since(start).Milliseconds(), 10)+" "+text)
			})
		}()
		synctest.Wait()
		script(folder, func() { changes <- struct{}{} })
		time.Sleep(time.Minute) // fake: whatever is pending is delivered
		synctest.Wait()
		cancel()
		<-done
	})
	return delivered
}

func TestLoop(t *testing.T) {
	tests := []struct {
		name   string
		script func(folder *fakeFolder, change func())
		want   []string
	}{
		{"first read at once", func(*fakeFolder, func()) {}, []string{"0 0"}},
		{"one change after quiet", func(f *fakeFolder, change func()) { f.set("1"); change() }, []string{"0 0", "100 1"}},
		{"changes that come together are one", func(f *fakeFolder, change func()) {
			for i := range 5 {
				f.set(strconv.Itoa(i))
				change()
				time.Sleep(50 * time.Millisecond)
			}
		}, []string{"0 0", "300 4"}},
		{"a stream of changes waits no longer than the maximum", func(f *fakeFolder, change func()) {
			for i := range 50 {
				f.set(strconv.Itoa(i))
				change()
				time.Sleep(30 * time.Millisecond)
			}
		}, []string{"0 0", "1000 33", "1570 49"}},
		{"no difference, no delivery", func(_ *fakeFolder, change func()) { change() }, []string{"0 0"}},
		{"error, the same error, and back", func(f *fakeFolder, change func()) {
			f.fail()
			change()
			time.Sleep(time.Second)
			change()
			time.Sleep(time.Second)
			f.set("0")
			change()
		}, []string{"0 0", "100 error", "2100 0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := run(t, test.script)
			if len(got) != len(test.want) {
				t.Fatalf("delivered %q, want %q", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("delivered %q, want %q", got, test.want)
				}
			}
		})
	}
}
