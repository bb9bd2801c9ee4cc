package xdsbench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// maxResponse bounds one response, in bytes: all clusters of a large mesh come
// in one.
const maxResponse = 256 << 20

// fleet is a number of simulated clients, each on a connection of its own, as
// Envoys are. close ends it.
type fleet struct {
	clients []*client
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu  sync.Mutex
	err error // the first
}

// open starts count clients of the server at address. acked, unless nil, is told
// of every response that a client has acknowledged.
func openFleet(ctx context.Context, address string, creds credentials.TransportCredentials, d *directory, count int,
	acked func(client int, k kind, updated []int, at time.Time),
) (*fleet, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &fleet{cancel: cancel}
	for i := range count {
		c := &client{node: fmt.Sprintf("simulated-%04d", i), directory: d}
		if acked != nil {
			c.acked = func(k kind, updated []int, at time.Time) { acked(i, k, updated, at) }
		}
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponse)))
		if err != nil {
			f.close()
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		f.clients = append(f.clients, c)
		f.wg.Go(func() {
			err := c.run(ctx, conn)
			f.fail(errors.Join(err, conn.Close()))
		})
	}
	return f, nil
}

func (f *fleet) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *fleet) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fleet) close() {
	f.cancel()
	f.wg.Wait()
}

// have reports whether every client has so many resources of each kind.
func (f *fleet) have(want [kinds]int) bool {
	for _, c := range f.clients {
		for k, n := range want {
			if c.counts.has[k].Load() < int64(n) {
				return false
			}
		}
	}
	return true
}

// await returns when every client has so many resources of each kind.
func (f *fleet) await(ctx context.Context, want [kinds]int) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !f.have(want) {
		if err := f.failed(); err != nil {
			return fmt.Errorf("a simulated client: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", f.progress(want), ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// progress says how far the client that has least is.
func (f *fleet) progress(want [kinds]int) string {
	least, all := -1, 0
	for _, c := range f.clients {
		sum := 0
		for k := range want {
			sum += int(c.counts.has[k].Load())
		}
		if least < 0 || sum < least {
			least = sum
		}
	}
	for _, n := range want {
		all += n
	}
	return fmt.Sprintf("a client has %d of %d resources", least, all)
}

// traffic is what all clients received.
type traffic struct{ bytes, responses, resources int64 }

func (f *fleet) traffic() traffic {
	var t traffic
	for _, c := range f.clients {
		t.bytes += c.counts.bytes.Load()
		t.responses += c.counts.responses.Load()
		t.resources += c.counts.resources.Load()
	}
	return t
}

func (t traffic) since(before traffic) traffic {
	return traffic{t.bytes - before.bytes, t.responses - before.responses, t.resources - before.resources}
}
