package sched_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/sched"
)

func TestAdmitIsBounded(t *testing.T) {
	g := sched.New(2, 1)
	var leaves []func()
	for range 3 {
		leave, err := g.Admit()
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := g.Admit(); !errors.Is(err, sched.ErrOverloaded) {
		t.Fatalf("the fourth: %v", err)
	}
	leaves[0]()
	leaves[0]() // a second call must not count
	if _, err := g.Admit(); err != nil {
		t.Fatalf("after one has left: %v", err)
	}
	if _, err := g.Admit(); !errors.Is(err, sched.ErrOverloaded) {
		t.Fatalf("full again: %v", err)
	}
}

func TestSlotsBoundRuns(t *testing.T) {
	g := sched.New(3, 100)
	var running, most atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			release, err := g.Slot(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			now := running.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			running.Add(-1)
		})
	}
	wg.Wait()
	if m := most.Load(); m < 1 || m > 3 || g.Slots() != 3 {
		t.Errorf("%d ran at once, of %d slots", m, g.Slots())
	}
}

func TestSlotEndsWithItsContext(t *testing.T) {
	g := sched.New(1, 0)
	release, err := g.Slot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { _, err := g.Slot(ctx); done <- err }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: %v", err)
	}
	release()
	if _, err := g.Slot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a slot is free, but the request is gone: %v", err)
	}
	if _, err := g.Slot(context.Background()); err != nil {
		t.Errorf("the slot did not come back: %v", err)
	}
}
