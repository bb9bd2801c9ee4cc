package supervise

import (
	"context"
	"fmt"
	"time"
)

// Bounds of the pause between two readiness probes, and of one probe.
const (
	pollMin   = 10 * time.Millisecond
	pollMax   = 250 * time.Millisecond
	probeTime = 2 * time.Second
)

// poll probes until the answer is nil. It fails with errExited when the process
// ends first, and with the last answer when ctx does.
func poll(ctx context.Context, ready func(context.Context) error, exited <-chan struct{}) error {
	if ready == nil {
		return nil
	}
	for pause := pollMin; ; pause = min(2*pause, pollMax) {
		err := probe(ctx, ready)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-exited:
			timer.Stop()
			return errExited
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("it is not ready (%w): %w", context.Cause(ctx), err)
		}
	}
}

func probe(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	return ready(ctx)
}
