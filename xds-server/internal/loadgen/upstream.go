package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// Upstream is an HTTP/1.1 server that reads each request to its end and answers
// at once with the same bytes.
type Upstream struct {
	listener net.Listener
	answer   []byte
	last     []byte // answer, for one that the connection is closed after
	served   atomic.Int64
	draining atomic.Bool
	mu       sync.Mutex
	open     map[net.Conn]struct{} // guarded by mu; nil once closed
	left     chan struct{}         // gets a value when a connection has ended
	wg       sync.WaitGroup
}

// Serve starts an Upstream on a free loopback port. answer is a whole HTTP/1.1
// response; see Answer and Events.
func Serve(answer []byte) (*Upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the upstream: %w", err)
	}
	return ServeOn(l, answer), nil
}

// ServeOn starts an Upstream on l, which may do TLS. It is the owner of l.
func ServeOn(l net.Listener, answer []byte) *Upstream {
	line := bytes.IndexByte(answer, '\n') + 1
	last := slices.Concat(answer[:line], []byte("connection: close\r\n"), answer[line:])
	u := &Upstream{listener: l, answer: answer, last: last, open: map[net.Conn]struct{}{}, left: make(chan struct{}, 1)}
	u.wg.Go(u.accept)
	return u
}

// Address is the host:port that it listens on.
func (u *Upstream) Address() string { return u.listener.Addr().String() }

// Served is how many requests were answered.
func (u *Upstream) Served() int64 { return u.served.Load() }

// Drain ends the server as one that is told to go and may cost no request does:
// what comes is answered still, with the wish that the client close its
// connection, until all clients have left. Then it is closed.
func (u *Upstream) Drain(ctx context.Context) error {
	u.draining.Store(true)
	for {
		u.mu.Lock()
		open := len(u.open)
		u.mu.Unlock()
		if open == 0 {
			return u.Close()
		}
		select {
		case <-u.left:
		case <-ctx.Done():
			return fmt.Errorf("drain: %d connections are still open: %w", open, ctx.Err())
		}
	}
}

// Close stops the server, closes what is open and waits for all to end.
func (u *Upstream) Close() error {
	err := u.listener.Close()
	u.mu.Lock()
	for c := range u.open {
		err = errors.Join(err, c.Close())
	}
	u.open = nil
	u.mu.Unlock()
	u.wg.Wait()
	return err
}

func (u *Upstream) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		if u.open == nil {
			u.mu.Unlock()
			_ = c.Close() // came in while closing
			return
		}
		u.open[c] = struct{}{}
		u.mu.Unlock()
		u.wg.Go(func() { u.serve(c) })
	}
}

func (u *Upstream) serve(c net.Conn) {
	defer func() {
		u.mu.Lock()
		if _, mine := u.open[c]; mine {
			delete(u.open, c)
			_ = c.Close() // the peer has left or spoke nonsense: nothing to report to
		}
		u.mu.Unlock()
		select {
		case u.left <- struct{}{}:
		default: // one that nobody has looked at yet says as much
		}
	}()
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		h, err := readHead(r)
		if err != nil || h.copyBody(io.Discard, r) != nil {
			return
		}
		answer, draining := u.answer, u.draining.Load()
		if draining {
			answer = u.last
		}
		u.served.Add(1)
		if _, err := c.Write(answer); err != nil || draining {
			return
		}
	}
}

// Answer is a JSON response for Serve.
func Answer(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
}

// Events is a response for Serve that streams server-sent events, one HTTP
// chunk each, and ends with [DONE].
func Events(data string, n int) []byte {
	b := []byte("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
	event := "data: " + data + "\n\n"
	for range n {
		b = fmt.Appendf(b, "%x\r\n%s\r\n", len(event), event)
	}
	done := "data: [DONE]\n\n"
	return fmt.Appendf(b, "%x\r\n%s\r\n0\r\n\r\n", len(done), done)
}
