package xdsbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// ServeOptions say what a server process serves.
type ServeOptions struct {
	Server string // ServerWeir, ServerSnapshot or ServerLinear
	Models int
	Module string // path of filter.wasm
}

// Serve is a server process: it serves ADS on a loopback port, and does what the
// lines of orders say until they end.
func Serve(ctx context.Context, o ServeOptions, orders io.Reader, answers io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := newSubject(ctx, o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	p := newProgress()
	t := newTap(p)
	server := grpc.NewServer(
		grpc.StreamInterceptor(t.intercept),
		grpc.MaxRecvMsgSize(64<<20), // the names of a large mesh in one request
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	s.register(server)
	var wg sync.WaitGroup
	var served error
	wg.Go(func() { served = server.Serve(listener) })
	encode := json.NewEncoder(answers)
	err = encode.Encode(hello{Address: listener.Addr().String(), Resources: s.resources()})
	if err == nil {
		err = obey(ctx, &run{subject: s, progress: p, models: even(o.Models)}, t, orders, encode)
	}
	cancel()
	server.Stop()
	wg.Wait()
	return errors.Join(err, served)
}

func newSubject(ctx context.Context, o ServeOptions) (subject, error) {
	switch o.Server {
	case ServerWeir:
		return newWeir(mesh{o.Models}, o.Module)
	case ServerSnapshot, ServerLinear:
		return newBaseline(ctx, mesh{o.Models}, o.Module, o.Server)
	default:
		return nil, fmt.Errorf("unknown server %q: %s, %s or %s", o.Server, ServerWeir, ServerSnapshot, ServerLinear)
	}
}

func obey(ctx context.Context, r *run, t *tap, orders io.Reader, answers *json.Encoder) error {
	decode := json.NewDecoder(orders)
	for {
		var next order
		err := decode.Decode(&next)
		if ended := errors.Is(err, io.EOF) || ctx.Err() != nil; ended {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		result := outcome{Streams: t.report()}
		if next.Count > 0 {
			result = r.changes(ctx, next)
		}
		if err := answers.Encode(result); err != nil {
			return fmt.Errorf("answer an order: %w", err)
		}
	}
}

// run makes changes and follows them.
type run struct {
	subject  changer
	progress *progress
	models   int // even, and more than can be under way at a time
	started  time.Time
}

// changes obeys an order. Changes at a rate are made at their time whether or
// not the ones before have arrived, and count from when they were due: a server
// that is late with one change is late with the next.
func (r *run) changes(ctx context.Context, o order) outcome {
	var result outcome
	var under []*change
	r.started = time.Now()
	for i := range o.Count {
		if time.Since(r.started) > o.Budget {
			if o.Every > 0 {
				result.Late += o.Count - i
			}
			break
		}
		due := time.Now()
		if o.Every > 0 {
			due = r.started.Add(time.Duration(i) * o.Every)
			pause(ctx, time.Until(due))
		}
		c, err := r.make(o, i, due)
		if err != nil {
			return outcome{Error: err.Error()}
		}
		result.Accepted = append(result.Accepted, time.Since(due))
		under = append(under, c)
		if o.Every == 0 {
			r.await(ctx, c, o.Limit)
		}
	}
	for _, c := range under {
		r.await(ctx, c, o.Limit)
		switch {
		case r.progress.drop(c) < o.Clients && !c.refused:
			result.Late++
		case c.refused:
			result.Refused++
		default:
			result.Took = append(result.Took, c.took)
		}
	}
	return result
}

func (r *run) make(o order, i int, due time.Time) (*change, error) {
	model := (o.First + 2*i) % r.models // every second one has two versions
	resource, err := changed(o.What, model)
	if err != nil {
		return nil, err
	}
	if r.progress.follows(resource) {
		return nil, fmt.Errorf("%s is to change again while it still changes: measure with more models", resource.name)
	}
	c := r.progress.begin(resource, o.Clients, due)
	if err := r.subject.change(o.What, model, o.Step); err != nil {
		r.progress.drop(c)
		return nil, err
	}
	return c, nil
}

// await returns when the change is everywhere, or late.
func (r *run) await(ctx context.Context, c *change, limit time.Duration) {
	timer := time.NewTimer(limit - time.Since(c.at))
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// even is the largest even number up to n.
func even(n int) int { return n &^ 1 }
