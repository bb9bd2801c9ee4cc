package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Watch begins to follow the keys; see source.Source.
func (s *Source) Watch(changed func()) source.Watched {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{Source: s, changed: changed, cancel: cancel, done: make(chan struct{}), asked: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.run(ctx)
	}()
	return w
}

// watch is a Source that is being watched.
type watch struct {
	*Source
	changed func()
	cancel  context.CancelFunc
	done    chan struct{} // closed when run has returned
	asked   chan struct{} // closed when the first answer, or error, is there

	mu    sync.Mutex
	first sync.Once
	held  keys
	err   error // why held is not what the keys are now
}

// Close ends the watch.
func (w *watch) Close() {
	w.cancel()
	<-w.done
}

// Read is what was seen last. The first one waits until there is something.
func (w *watch) Read(ctx context.Context) (source.Reading, error) {
	select {
	case <-w.asked:
	case <-ctx.Done():
		return source.Reading{}, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return source.Reading{}, w.err
	}
	return w.held.reading(), nil
}

// say tells what is known now.
func (w *watch) say(held keys, err error) {
	w.mu.Lock()
	if err == nil {
		w.held = held
	}
	w.err = err
	w.mu.Unlock()
	w.first.Do(func() { close(w.asked) })
	w.changed()
}

// run reads and follows the keys, again and again, until ctx is done.
func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.session(ctx); err != nil && ctx.Err() == nil {
			w.say(keys{}, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(w.timing.retry):
		}
	}
}

// session reads the keys over a new connection and follows them until that is
// lost. A nil error: what was lost is found by reading again.
func (w *watch) session(ctx context.Context) error {
	client, err := w.connect()
	if err != nil {
		return w.explain(err)
	}
	defer client.Close()
	if err := w.reach(ctx, client); err != nil {
		return err
	}
	for {
		all, err := w.list(ctx, client)
		if errors.Is(err, rpctypes.ErrCompacted) {
			return nil // between two pages
		} else if err != nil {
			return err
		}
		all = all.same(w.held) // written by this goroutine only
		w.say(all, nil)
		if err := w.followFrom(ctx, client, all); !errors.Is(err, errReadAgain) {
			return err
		}
	}
}

// errReadAgain: changes were missed, such as those that were compacted away.
var errReadAgain = errors.New("read again")

// errSilent: the watch is lost, without having said so.
var errSilent = errors.New("its watch says nothing any more")

// followFrom applies every change after those that all has. Requests for
// progress prove that the watch is alive, which a silent one does not; it may
// not even come about.
func (w *watch) followFrom(ctx context.Context, client *clientv3.Client, all keys) error {
	// A member that has lost its leader must say so instead of saying nothing.
	ctx, cancel := context.WithCancelCause(clientv3.WithRequireLeader(ctx))
	var probes sync.WaitGroup
	defer probes.Wait()
	defer cancel(nil)
	silence := time.AfterFunc(w.timing.silence, func() { cancel(errSilent) })
	defer silence.Stop()
	changes := client.Watch(ctx, all.prefix, clientv3.WithPrefix(), clientv3.WithRev(all.revision+1), clientv3.WithCreatedNotify())
	probes.Go(func() { w.probe(ctx, client) })
	for answer := range changes {
		silence.Reset(w.timing.silence)
		if answer.CompactRevision != 0 {
			return errReadAgain
		}
		if err := answer.Err(); err != nil {
			return w.explain(fmt.Errorf("watch the keys that begin with %s: %w", all.prefix, err))
		}
		if len(answer.Events) == 0 {
			continue
		}
		all = all.apply(answer.Events, answer.Header.GetRevision())
		if err := all.bound(); err != nil {
			return err
		}
		w.say(all, nil)
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		return fmt.Errorf("%w, for %s: is it running, and its network?", errSilent, w.timing.silence)
	}
	return nil
}

// probe asks the watch again and again for a sign of life, until ctx is done.
func (w *watch) probe(ctx context.Context, client *clientv3.Client) {
	tick := time.NewTicker(w.timing.probe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			limited, cancel := context.WithTimeout(ctx, w.timing.silence)
			_ = client.RequestProgress(limited) // no answer is what counts
			cancel()
		}
	}
}
