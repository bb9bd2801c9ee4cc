// Package loadgen sends bounded HTTP/1.1 load to a loopback address and counts
// what comes back. It exists because a measurement of a proxy on two cores
// must not be drowned by the cost of its own client: a request is one write of
// prepared bytes, an answer is read without building a single map.
package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options bound a run. A run ends when Total requests were answered, or with
// its context, whichever comes first.
type Options struct {
	Address string   // host:port; must be a loopback address
	Conns   int      // connections, each with one request in flight
	Total   int64    // requests in all
	Rate    float64  // requests per second over all connections; 0: as fast as they are answered
	Bodies  [][]byte // whole HTTP/1.1 requests, sent in turn; see Request
}

// Run sends the load and returns what came back. A connection that breaks is
// counted in Report.Broken and opened anew.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{Options: o, started: time.Now()}
	parts := make([]*Report, o.Conns)
	var wg sync.WaitGroup
	for i := range parts {
		parts[i] = newReport(int(o.Total)/o.Conns + 1)
		wg.Go(func() { r.connection(ctx, parts[i]) })
	}
	wg.Wait()
	return merge(parts, time.Since(r.started)), nil
}

func (o *Options) check() error {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return fmt.Errorf("load address %q: %w", o.Address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("load address %q: only loopback addresses take load", o.Address)
	}
	if o.Conns < 1 || o.Total < 1 || len(o.Bodies) == 0 {
		return errors.New("load needs at least one connection, one request and one body")
	}
	return nil
}

type run struct {
	Options
	started time.Time
	next    atomic.Int64
}

// connection sends requests over one connection at a time until the run ends.
func (r *run) connection(ctx context.Context, out *Report) {
	var c *conn
	defer func() { c.close() }()
	for ctx.Err() == nil {
		n := r.next.Add(1) - 1
		if n >= r.Total || !r.await(ctx, n) {
			return
		}
		if c == nil {
			var err error
			if c, err = dial(ctx, r.Address); err != nil {
				out.Broken++
				continue
			}
		}
		began := time.Now()
		status, keep, err := c.exchange(r.Bodies[n%int64(len(r.Bodies))])
		if err != nil {
			out.Broken++
		} else {
			out.add(status, time.Since(began))
		}
		if err != nil || !keep {
			c.close()
			c = nil
		}
	}
}

// await paces request n when a rate is set. It reports false if the run ended.
func (r *run) await(ctx context.Context, n int64) bool {
	if r.Rate <= 0 {
		return true
	}
	due := r.started.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
	d := time.Until(due)
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Request returns one HTTP/1.1 POST as bytes for Options.Bodies. headers are
// whole lines without CRLF.
func Request(path string, body []byte, headers ...string) []byte {
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n", path, len(body))
	for _, h := range headers {
		b = append(append(b, h...), "\r\n"...)
	}
	return append(append(b, "\r\n"...), body...)
}
