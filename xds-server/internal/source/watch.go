package source

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Timing says how changes that come together are taken as one, and how long
// sources may take.
type Timing struct {
	Quiet    time.Duration // nothing must have changed for so long
	Max      time.Duration // but a change waits no longer than this
	Patience time.Duration // a source that reads for longer is not waited for
	Retry    time.Duration // a source with problems is asked again after this
	Recheck  time.Duration // all sources are asked again after this
}

// DefaultTiming suits people, programs and mounts: 20 ms quiet, at most 1 s; 2 s
// of patience; again after 1 s if there are problems, after 10 s if not.
func DefaultTiming() Timing {
	return Timing{
		Quiet: 20 * time.Millisecond, Max: time.Second,
		Patience: 2 * time.Second, Retry: time.Second, Recheck: 10 * time.Second,
	}
}

// Read reads all sources once and merges them. What could not be read is among
// the Problems. It fails only if the sources cannot be used together.
func Read(ctx context.Context, sources []Source) (Update, error) {
	m, err := newMerger(sources)
	if err != nil {
		return Update{}, err
	}
	feeds := make([]feed, len(sources))
	var reads sync.WaitGroup
	for i, s := range sources {
		reads.Go(func() {
			reading, err := s.Read(ctx)
			feeds[i] = feed{name: s.String()}
			feeds[i].take(reading, err)
		})
	}
	reads.Wait()
	return update(m, feeds), nil
}

// Watch calls deliver, from this goroutine only, with everything that the
// sources hold together: at first, and after each change that makes a
// difference, until ctx is done. It fails only if the sources cannot be used
// together.
func Watch(ctx context.Context, sources []Source, timing Timing, deliver func(Update)) error {
	m, err := newMerger(sources)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &loop{
		timing: timing, merger: m, deliver: deliver, feeds: make([]feed, len(sources)),
		changed: make([]bool, len(sources)), wake: make(chan struct{}, 1), results: make(chan result, len(sources)),
	}
	for i, s := range sources {
		l.feeds[i] = feed{name: s.String(), watched: s.Watch(func() { l.note(i) })}
	}
	for i := range l.feeds {
		l.note(i)
	}
	l.run(ctx)
	cancel()
	l.reads.Wait()
	for i := range l.feeds {
		l.feeds[i].watched.Close()
	}
	return nil
}

// loop is a watch of several sources. Its goroutine owns everything but changed.
type loop struct {
	timing  Timing
	merger  *merger
	deliver func(Update)
	feeds   []feed
	reads   sync.WaitGroup
	results chan result
	pending settling
	last    *Update // delivered

	wake    chan struct{}
	mu      sync.Mutex
	changed []bool // by source, since its last read began
}

// result is what came of reading a source.
type result struct {
	source  int
	reading Reading
	err     error
}

// note remembers that a source changed.
func (l *loop) note(source int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed[source] = true
	l.signal()
}

func (l *loop) run(ctx context.Context) {
	settled, patience, again := stopped(), stopped(), stopped()
	defer settled.Stop()
	defer patience.Stop()
	defer again.Stop()
	var asksAt time.Time // when again fires; zero: never
	l.read(ctx)
	for {
		if wait, awaits := l.patience(time.Now()); awaits {
			patience.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			settled.Reset(l.pending.changed(time.Now(), l.timing))
			continue
		case <-settled.C:
			l.pending = settling{}
			l.read(ctx)
			continue
		case r := <-l.results:
			l.feeds[r.source].take(r.reading, r.err)
			l.wakeAgain()
		case <-patience.C:
			l.giveUpWaiting(time.Now())
		case <-again.C:
			asksAt = time.Time{}
			troubled := l.troubled()
			l.noteAll(func(f feed) bool { return !troubled || f.troubled() })
		}
		if slices.ContainsFunc(l.feeds, feed.awaited) || ctx.Err() != nil {
			continue
		}
		l.tell()
		if at := time.Now().Add(l.nextAsk()); asksAt.IsZero() || at.Before(asksAt) {
			asksAt = at
			again.Reset(time.Until(at))
		}
	}
}

func (l *loop) troubled() bool { return slices.ContainsFunc(l.feeds, feed.troubled) }

// nextAsk is how long to wait before the sources are asked without a change.
func (l *loop) nextAsk() time.Duration {
	if l.troubled() {
		return l.timing.Retry
	}
	return l.timing.Recheck
}

// patience is how long the sources that are awaited may still take.
func (l *loop) patience(now time.Time) (wait time.Duration, awaits bool) {
	for _, f := range l.feeds {
		if left := max(0, f.since.Add(l.timing.Patience).Sub(now)); f.awaited() && (!awaits || left < wait) {
			wait, awaits = left, true
		}
	}
	return wait, awaits
}

// giveUpWaiting goes on without the sources that have read for too long.
func (l *loop) giveUpWaiting(now time.Time) {
	for i := range l.feeds {
		if f := &l.feeds[i]; f.awaited() && now.Sub(f.since) >= l.timing.Patience {
			f.late, f.err = true, fmt.Errorf("has not answered for %s; it is waited for in the background", l.timing.Patience)
		}
	}
}

// stopped is a timer that is set later.
func stopped() *time.Timer {
	t := time.NewTimer(0)
	t.Stop()
	return t
}

func (l *loop) noteAll(which func(feed) bool) {
	for i, f := range l.feeds {
		if which(f) {
			l.note(i)
		}
	}
}

// read starts to read the sources that changed.
func (l *loop) read(ctx context.Context) {
	for i := range l.feeds {
		if f := &l.feeds[i]; !f.reading && l.begin(i) {
			f.reading, f.since = true, time.Now()
			l.reads.Go(func() {
				reading, err := f.watched.Read(ctx)
				l.results <- result{i, reading, err}
			})
		}
	}
}

// wakeAgain sees to sources that changed while they were read.
func (l *loop) wakeAgain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.changed, true) {
		l.signal()
	}
}

func (l *loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // it will be woken
	}
}

// begin takes the note that a source changed.
func (l *loop) begin(source int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := l.changed[source]
	l.changed[source] = false
	return changed
}

// tell delivers what is known, if it differs from what was delivered.
func (l *loop) tell() {
	next := update(l.merger, l.feeds)
	if l.last == nil || !same(*l.last, next) {
		l.last = &next
		l.deliver(next)
	}
}

// settling is a run of changes that has not been looked at.
type settling struct {
	first time.Time // zero: none
}

// changed notes a change and returns how long to wait from now.
func (s *settling) changed(now time.Time, timing Timing) time.Duration {
	if s.first.IsZero() {
		s.first = now
	}
	return max(0, min(timing.Quiet, s.first.Add(timing.Max).Sub(now)))
}

func same(a, b Update) bool {
	return slices.EqualFunc(a.Documents, b.Documents, func(x, y Document) bool {
		return x.Name == y.Name && bytes.Equal(x.Data, y.Data)
	}) && maps.EqualFunc(a.Certificates, b.Certificates, bytes.Equal) &&
		slices.Equal(a.Overrides, b.Overrides) &&
		slices.EqualFunc(a.Problems, b.Problems, func(x, y Problem) bool { return x.String() == y.String() })
}
