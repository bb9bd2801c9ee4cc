package serving

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Gate holds back what leads to new clusters until those take requests.
type Gate struct {
	asker *Asker
	times GateTimes
	parts sync.WaitGroup
}

// GateTimes bound the waits of a Gate.
type GateTimes struct {
	// Every is the time between two questions to an Envoy that can be asked.
	Every time.Duration
	// Timeout is the longest wait for such an Envoy.
	Timeout time.Duration
	// Blind is the wait for an Envoy that cannot be asked: most clusters are warm
	// by then, and nobody knows.
	Blind time.Duration
}

// DefaultGateTimes suit clusters with health checks of a second or so. The
// timeout is the time after which Envoy itself gives up on resources that do not
// come.
func DefaultGateTimes() GateTimes {
	return GateTimes{Every: 50 * time.Millisecond, Timeout: 15 * time.Second, Blind: time.Second}
}

// NewGate returns a gate. Wait for it when its contexts have ended.
func NewGate(asker *Asker, times GateTimes) *Gate { return &Gate{asker: asker, times: times} }

// Wait returns when nothing of the gate runs any more.
func (g *Gate) Wait() { g.parts.Wait() }

// Warm waits until none of the clusters warms at the Envoy. The channel yields
// once: nil, or why it waits no longer. It waits for the time of the blind where
// the Envoy cannot be asked.
func (g *Gate) Warm(ctx context.Context, e Envoy, clusters []string) <-chan error {
	done := make(chan error, 1)
	g.parts.Go(func() { done <- g.wait(ctx, e, clusters) })
	return done
}

func (g *Gate) wait(ctx context.Context, e Envoy, clusters []string) error {
	admin, says := e.admin()
	if !says {
		return pause(ctx, g.times.Blind)
	}
	ctx, cancel := context.WithTimeout(ctx, g.times.Timeout)
	defer cancel()
	if node, err := g.asker.Node(ctx, admin); err != nil || node != e.Node {
		if err == nil {
			err = fmt.Errorf("it is that of another node, %q", node)
		}
		_ = pause(ctx, g.times.Blind) // the reason for it matters more
		return fmt.Errorf("the admin interface of Envoy %q cannot be used: %w", e.Node, err)
	}
	return g.untilWarm(ctx, admin, clusters)
}

// untilWarm asks until nothing warms. When the time is over it tells of the last
// answer, not of the question that the end of the time cut short.
func (g *Gate) untilWarm(ctx context.Context, admin netip.AddrPort, clusters []string) error {
	var last error
	for {
		warming, err := g.asker.Warming(ctx, admin, clusters)
		switch {
		case err != nil && ctx.Err() == nil:
			_ = pause(ctx, g.times.Blind)
			return err
		case err != nil && last == nil:
			last = err
		case err == nil && len(warming) == 0:
			return nil
		case err == nil:
			last = fmt.Errorf("%d clusters still warm after %s, such as %s", len(warming), g.times.Timeout, warming[0])
		}
		if pause(ctx, g.times.Every) != nil {
			return last
		}
	}
}

// pause returns after a time, or with an error when ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
