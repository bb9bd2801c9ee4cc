// Package loadgen sends bounded HTTP/1.1 load to a loopback address and counts
// what comes back. It exists because a measurement of a proxy on two cores
// must not be drowned by the cost of its own client: a request is one write of
// prepared bytes, an answer is read without building a single map.
package loadgen

import (
	"context"
	"crypto/tls"
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
	// Make, if set, makes request n in place of Bodies, in the memory of buf if that is
	// enough. It is called by every connection at once, each with a buf of its own.
	Make func(n int64, buf []byte) []byte
	// PerConn is after how many answers a connection is closed and opened anew;
	// 0: never.
	PerConn int
	// TLS makes every connection TLS; nil: plaintext.
	TLS *tls.Config
	// Want is the status of a good answer: the first few others are kept in
	// Report.Odd. 0: any is good.
	Want int
	// Progress is kept up to date while the run goes on; nil: nobody asks.
	Progress *Progress
	// Timeout bounds one exchange; 0: DefaultTimeout. A request that was not
	// answered by then counts as broken.
	Timeout time.Duration
}

// Progress is how far a run has come.
type Progress struct {
	Good   atomic.Int64 // answers of the status that is wanted
	Failed atomic.Int64 // other answers, and connections that broke
}

// DefaultTimeout is the Timeout of Options that set none.
const DefaultTimeout = 30 * time.Second

// Run sends the load and returns what came back. A connection that breaks is
// counted in Report.Broken and opened anew.
//
// With a Rate, each request is due at its own time, whatever became of those
// before, and its latency counts from then: a server that stalls is not spared
// the requests that it would have got, as long as there are free connections,
// and waiting for one counts, too.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
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
	if o.Conns < 1 || o.Total < 1 || len(o.Bodies) == 0 && o.Make == nil {
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
		if n >= r.Total {
			return
		}
		due, ok := r.await(ctx, n)
		if !ok {
			return
		}
		if c == nil {
			var err error
			if c, err = dial(ctx, r.Options); err != nil {
				r.broke(out, err)
				continue
			}
		}
		if !r.exchange(c, n, due, out) || c.answers == r.PerConn {
			c.close()
			c = nil
		}
	}
}

// exchange sends request n and notes what became of it. It reports whether the
// connection can carry another.
func (r *run) exchange(c *conn, n int64, due time.Time, out *Report) bool {
	var request []byte
	if r.Make != nil {
		c.made = r.Make(n, c.made[:0])
		request = c.made
	} else {
		request = r.Bodies[n%int64(len(r.Bodies))]
	}
	a, err := c.exchange(request, r.Want)
	if err != nil {
		r.broke(out, fmt.Errorf("request %d of the connection: %w", c.answers+1, err))
		return false
	}
	c.answers++
	out.add(a.status, time.Since(due))
	if r.Want == 0 || a.status == r.Want {
		r.Progress.Good.Add(1)
		return a.keep
	}
	r.Progress.Failed.Add(1)
	out.odd(Odd{At: time.Since(r.started), Status: a.status, Text: a.text})
	return a.keep
}

func (r *run) broke(out *Report, err error) {
	r.Progress.Failed.Add(1)
	out.Broken++
	out.odd(Odd{At: time.Since(r.started), Text: err.Error()})
}

// await returns the time at which request n is due, once it has come: now,
// unless a rate is set. It reports false if the run ended.
func (r *run) await(ctx context.Context, n int64) (time.Time, bool) {
	if r.Rate <= 0 {
		return time.Now(), true
	}
	due := r.started.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
	d := time.Until(due)
	if d <= 0 {
		return due, true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return due, true
	case <-ctx.Done():
		return due, false
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
