package file

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// loop delivers what read returns: at once, and whenever changes have settled
// and something is different.
func loop(ctx context.Context, timing Timing, changes <-chan struct{}, read func() Update, deliver func(Update)) {
	last := read()
	deliver(last)
	pending := settling{timing: timing}
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			timer.Reset(pending.changed(time.Now()))
		case <-timer.C:
			pending.first = time.Time{}
			if next := read(); !same(last, next) {
				last = next
				deliver(last)
			}
		}
	}
}

// settling is a run of changes that has not been looked at.
type settling struct {
	timing Timing
	first  time.Time // zero: none
}

// changed notes a change and returns how long to wait from now.
func (s *settling) changed(now time.Time) time.Duration {
	if s.first.IsZero() {
		s.first = now
	}
	return max(0, min(s.timing.Quiet, s.first.Add(s.timing.Max).Sub(now)))
}

func same(a, b Update) bool {
	if a.Err != nil || b.Err != nil {
		return a.Err != nil && b.Err != nil && a.Err.Error() == b.Err.Error()
	}
	return slices.EqualFunc(a.Documents, b.Documents, func(x, y source.Document) bool {
		return x.Name == y.Name && bytes.Equal(x.Data, y.Data)
	})
}
