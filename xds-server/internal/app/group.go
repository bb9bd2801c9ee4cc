package app

import (
	"context"
	"fmt"
	"sync"
)

// group runs the server's parts. When one ends with an error, all are told to
// end; wait returns when all have.
type group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	parts  sync.WaitGroup
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g
}

// run runs a part until the group's context ends.
func (g *group) run(what string, part func(context.Context) error) {
	g.parts.Go(func() {
		if err := part(g.ctx); err != nil {
			g.cancel(fmt.Errorf("%s: %w", what, err))
		}
	})
}

// stop tells all parts to end and waits for them.
func (g *group) stop() {
	g.cancel(nil)
	g.parts.Wait()
}

// wait returns when the context has ended and all parts with it: nil if it
// ended from outside, or the first error of a part.
func (g *group) wait(outside context.Context) error {
	<-g.ctx.Done()
	g.parts.Wait()
	if outside.Err() == nil {
		return context.Cause(g.ctx)
	}
	return nil
}
